internal import SystemPackage

/// Tells whether a file that just appeared is a copy of one that is being read.
struct CopyComparison {
  /// What the file is.
  enum Finding {
    case copy(TailedStream)
    case undecided
    case ownFile
    case unreadable(Errno)
  }

  private var byHead: [ContentHash: [TailedStream]] = [:]
  private var byPath: [FilePath: TailedStream] = [:]

  /// Compares with streams that have a file and of which something was delivered.
  init(streams: [TailedStream]) {
    for stream in streams {
      if stream.identity.hasFullHead { byHead[stream.identity.headHash, default: []].append(stream) }
      byPath[stream.identity.path] = stream
    }
  }

  /// Looks into the file when there is a stream that it could be a copy of.
  func decide(_ file: FoundFile) -> Finding {
    guard !byPath.isEmpty else { return .ownFile }
    let directory = file.path.parentDirectory
    let originals = RotationName.earlierNames(of: file.path.lastNameBytes).compactMap { byPath[directory.appending(nameBytes: $0)] }
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
        switch CopyDecision.decide(facts, position: stream.place.position, hasFullHead: stream.identity.hasFullHead) {
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
}
