internal import SystemPackage

/// Tells whether a file that just appeared is a copy of one that is being read.
struct CopyComparison {
  /// What the file is.
  enum Finding {
    case copy(TailedStream)
    case undecided
    /// A gone file's stream must be read first, for the file may be what rotation made of it.
    case tooEarly
    case ownFile
    case unreadable(Errno)
  }

  /// Where streams were whose files are gone and that aren't read to their end yet: what they are isn't known before that.
  private var unread: Set<FilePath> = []
  private var byHead: [ContentHash: [TailedStream]] = [:]
  private var byPath: [FilePath: TailedStream] = [:]

  /// Compares with those of the streams that have a file.
  init(streams: some Sequence<TailedStream>) {
    for stream in streams where stream.isReachable && stream.isMet {
      if stream.isGone, !stream.isFinished { unread.insert(stream.identity.path) }
      guard stream.identity.headLength > 0 else { continue }
      if stream.identity.hasFullHead { byHead[stream.identity.headHash, default: []].append(stream) }
      byPath[stream.identity.path] = stream
    }
  }

  /// Looks into the file when there is a stream that it could be a copy of.
  func decide(_ file: FoundFile) -> Finding {
    guard !byPath.isEmpty || !unread.isEmpty else { return .ownFile }
    let directory = file.path.parentDirectory
    let paths = RotationName.earlierNames(of: file.path.lastNameBytes).map { directory.appending(nameBytes: $0) }
    if paths.contains(where: unread.contains) { return .tooEarly }
    let originals = paths.compactMap { byPath[$0] }
    guard !byHead.isEmpty || !originals.isEmpty else { return .ownFile }
    do throws(Errno) {
      let input = try InputFile(file.path)
      var candidates = originals.map { ($0, true) }
      if !byHead.isEmpty, let hash = try input.headHash(length: StreamIdentity.maximumHeadLength) {
        for stream in byHead[hash] ?? [] where !originals.contains(where: { $0 === stream }) { candidates.append((stream, false)) }
      }
      var isUndecided = false
      for (stream, isRotation) in candidates {
        var facts = try input.facts(stream.identity, stream.place, size: file.size)
        facts.isRotationOfPath = isRotation
        if isRotation, facts.head != .same, input.isBeginning(of: stream) { return .copy(stream) }
        let end =
          facts.isLongEnough == false && facts.head != .different ? try compareEnds(input, size: file.size, facts.head, stream) : nil
        switch CopyDecision.decide(facts, headLength: stream.identity.headLength, end: end) {
        case .copy: return .copy(stream)
        case .undecided: isUndecided = true
        case .ownFile: break
        }
      }
      return isUndecided ? .undecided : .ownFile
    } catch {
      return .unreadable(error)
    }
  }

  /// Holds the last bytes of a file that is shorter than the stream's position against the stream's own file.
  private func compareEnds(_ input: InputFile, size: UInt64, _ head: FileFacts.Head, _ stream: TailedStream) throws(Errno)
    -> CopyDecision.EndComparison?
  {
    guard size > 0, stream.input?.gzip == nil, !RotationName.isGzip(stream.identity.path.lastNameBytes) else { return nil }
    let original: InputFile
    if let open = stream.input { original = open } else { original = try InputFile(stream.identity.path) }
    let status = try original.status(path: stream.identity.path).file
    guard status.key == stream.key else { return nil }
    // Its own file was truncated in the meantime. A file that begins as it did and was made just now is the copy.
    guard status.size >= stream.place.position else { return head == .same ? .same : nil }
    let length = Int(min(size, UInt64(StreamPlace.maximumMarkerLength)))
    return try input.hash(before: size, length: length) == original.hash(before: size, length: length) ? .same : .different
  }
}
