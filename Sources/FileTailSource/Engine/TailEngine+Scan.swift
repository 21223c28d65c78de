internal import Glibc
internal import SystemPackage

extension TailEngine {
  /// Looks at all files and directories once: which streams are where now, which are gone, what is new.
  ///
  /// In order: a file with a stream's device and inode is that stream's (before its first use in this run only when the content agrees);
  /// a stream that isn't found so is searched for in its directory, by inode, then by content; what remains of the files is new, or a copy
  /// of a stream's.
  func scan() {
    let result = search.run()
    // Whoever left a path before the search found the next file there is told by now, so that it is read first.
    drainWatcher(most: Self.mostDrains)
    note(result)
    undetermined.removeAll()
    isShortOfResources = result.failures.values.contains { $0.isForWantOfResources }
    let former = streams.values.map { FormerPlace(stream: $0, path: $0.identity.path, wasGone: $0.isGone) }
    let patterned = Set(result.files.map(\.key))
    var seen: Set<UInt32> = []
    var unclaimed: [FoundFile] = []
    var known: [FileKey: TailedStream] = [:]
    for stream in streams.values where stream.isReachable || known[stream.key] == nil { known[stream.key] = stream }
    for file in result.files {
      if let stream = known[file.key], !seen.contains(stream.number), accepts(stream, file) {
        meet(stream, file, isInPatterns: true)
        seen.insert(stream.number)
      } else {
        unclaimed.append(file)
      }
    }
    let renamed = filesRenamedUnseen(known, seen: seen, patterned: patterned)
    unclaimed += renamed
    let lost = streams.values.filter { !seen.contains($0.number) }.sorted { $0.number < $1.number }
    if !lost.isEmpty {
      var candidates = CandidateFiles(unclaimed: unclaimed, claimed: Set(streams.values.filter { seen.contains($0.number) }.map(\.key)))
      var stillLost: [TailedStream] = []
      for stream in lost {
        if let file = fileByInode(stream, candidates: &candidates) {
          candidates.claim(file)
          meet(stream, file, isInPatterns: patterned.contains(file.key))
        } else {
          stillLost.append(stream)
        }
      }
      // Only when every inode is spoken for may content decide.
      for stream in stillLost {
        if let file = fileByContent(stream, candidates: &candidates) {
          candidates.claim(file)
          meet(stream, file, isInPatterns: patterned.contains(file.key))
        } else if !isShortOfResources, !candidates.isShortOfResources {
          miss(stream)
        }
      }
      if candidates.isShortOfResources { isShortOfResources = true }
      unclaimed.removeAll { candidates.isClaimed($0) }
    }
    noteVacated(former)
    byPath = Dictionary(streams.values.filter { !$0.isGone }.map { ($0.identity.path, $0) }, uniquingKeysWith: { first, _ in first })
    if !isShortOfResources {
      take(unclaimed)
      forgetUnseen(renamed)
    }
    letGo()
    openAhead()
    links = result.links
    watch(result.directories)
  }

  // MARK: - Known streams

  /// Files that left the patterns before any scan saw them, and are nobody's yet.
  private func filesRenamedUnseen(_ known: [FileKey: TailedStream], seen: Set<UInt32>, patterned: Set<FileKey>) -> [FoundFile] {
    guard !renamedUnseen.isEmpty else { return [] }
    return renamedUnseen.keys.compactMap { path in
      guard case .regular(let file) = FoundFile.look(at: path) else {
        renamedUnseen[path] = nil
        return nil
      }
      // The search has seen it at its former path: the next one won't.
      if patterned.contains(file.key) { return nil }
      guard let stream = known[file.key] else { return file }
      if !seen.contains(stream.number), !accepts(stream, file) { return file }
      // It is that stream's, which finds it by itself; under its old path only its content will tell.
      if stream.input != nil || stream.identity.path != path { renamedUnseen[path] = nil }
      return nil
    }
  }

  /// Every file was looked at: of those that left the patterns only what can't be decided yet is to be remembered.
  private func forgetUnseen(_ renamed: [FoundFile]) {
    writtenUnseen.removeAll(keepingCapacity: true)
    for file in renamed where copies[file.key] != nil { renamedUnseen[file.path] = nil }
  }

  /// Whether a file with the stream's device and inode is the stream's.
  private func accepts(_ stream: TailedStream, _ file: FoundFile) -> Bool {
    if stream.isMet {
      // Open, the inode can't be given to another file. Closed, the content is compared when it is opened under the same path; under another
      // one it is looked at now, for that may be a new file's path.
      if stream.input != nil { return true }
      if stream.isGone, stream.lastLine.isDeleted { return false }
      if !stream.isGone, stream.identity.path == file.path { return true }
      return resumeDecision(stream, file) == .goOn
    }
    switch resumeDecision(stream, file) {
    case .goOn: return true
    case .startOver:
      stream.wasOverwritten = true
      return false
    case .searchEarlier, .notThisFile, nil: return false
    }
  }

  /// A stream's file is here, and perhaps has more to read.
  private func meet(_ stream: TailedStream, _ file: FoundFile, isInPatterns: Bool) {
    let wasMet = stream.isMet
    if stream.identity.path != file.path || stream.key != file.key {
      if stream.identity.path != file.path {
        log.moved(stream.identity.path, file.path)
        // The open descriptor is the file's under any name; a search by content found another file.
        if stream.key != file.key { closeInput(stream) }
      } else {
        closeInput(stream)
      }
      if stream.key != file.key { stream.limit = nil }
      stream.identity.path = file.path
      stream.identity.device = file.device
      stream.identity.inode = file.inode
      stream.clean = nil
      if stream.saved != nil { save(stream, wasSeen: !stream.needsEarlierCheckpoint) }
    }
    stream.isMet = true
    stream.isInPatterns = isInPatterns
    stream.isGone = false
    stream.lastLine.isDeleted = false
    stream.noteSize(of: file)
    if stream.place.missingSince != 0 {
      stream.place.missingSince = 0
      save(stream, wasSeen: !stream.needsEarlierCheckpoint)
    }
    if configuration.once, stream.limit == nil, !RotationName.isGzip(file.path.lastNameBytes) { stream.limit = file.size }
    if !wasMet || stream.clean.map({ $0.size != file.size || $0.modified != file.modified }) ?? true { ready(stream) }
  }

  /// The stream's file under the name it had, or under another in the same directory.
  private func fileByInode(_ stream: TailedStream, candidates: inout CandidateFiles) -> FoundFile? {
    if case .regular(let file) = FoundFile.look(at: stream.identity.path), !candidates.isClaimed(file), isSameInode(stream, file),
      accepts(stream, file)
    {
      return file
    }
    for file in candidates.files(withInode: stream.identity.inode, near: stream.identity.path) where isSameInode(stream, file) {
      if accepts(stream, file) { return file }
    }
    return nil
  }

  private func isSameInode(_ stream: TailedStream, _ file: FoundFile) -> Bool {
    file.inode == stream.identity.inode && (file.device == stream.identity.device || (!stream.isMet && !stream.place.boot.isSame(as: boot)))
  }

  /// The file that goes on with the stream's content: compressed or copied by rotation, restored, or cut by a power loss.
  private func fileByContent(_ stream: TailedStream, candidates: inout CandidateFiles) -> FoundFile? {
    if stream.input != nil, !stream.isFinished { return nil }
    let isRead = stream.isMet && stream.isCaughtUp && !stream.hasPartial
    // Of a stream that was read to its end only a file that would be read again is of interest; of one that is missing, what is new.
    let unclaimedOnly = isRead || stream.wasSearched
    stream.wasSearched = true
    if let file = candidates.bestContinuation(of: stream, unclaimedOnly: unclaimedOnly, decide: { self.resumeDecision(stream, $0) }) {
      return file
    }
    if stream.wasOverwritten, let copy = shortCopy(of: stream, &candidates) { return copy }
    guard !stream.isMet else { return nil }
    // The file may have been cut by a power loss where it stands.
    var places = candidates.files(withInode: stream.identity.inode, near: stream.identity.path)
    if case .regular(let file) = FoundFile.look(at: stream.identity.path) { places.insert(file, at: 0) }
    for file in places where !candidates.isClaimed(file) && resumeDecision(stream, file) == .searchEarlier {
      stream.needsEarlierCheckpoint = true
      return file
    }
    return nil
  }

  /// No file was found for the stream.
  private func miss(_ stream: TailedStream) {
    if let input = stream.input {
      if !stream.isGone {
        stream.isGone = true
        ready(stream)
      }
      if let facts = try? input.status(path: stream.identity.path) {
        stream.lastLine.isDeleted = facts.linkCount == 0
        if facts.file.size != stream.readEnd { ready(stream) }
      }
      return
    }
    stream.isGone = true
    if stream.isMet {
      let seen = max(stream.knownSize, stream.readEnd)
      lose(stream, upTo: seen)
      if stream.wasWrittenClosed { log.deletedClosed(stream.identity.path, at: seen) }
      // The descriptor has told that no name was left, so it can't come back.
      if stream.lastLine.isDeleted { return forget(stream) }
      let isRead = stream.isCaughtUp && seen <= stream.place.position
      leave(stream)
      return noteMissing(stream, isRead: isRead)
    }
    if stream.wasOverwritten {
      // A missing file's inode that another file has now: it was deleted, not truncated.
      if stream.place.missingSince == 0 {
        log.truncated(stream.identity.path)
        counters.update { $0.truncatedFiles += 1 }
      }
      return forget(stream)
    }
    noteMissing(stream, isRead: false)
  }

  /// Keeps the checkpoint of a file that wasn't found for the stated time. `isRead` when nothing of it was unread that anyone had seen.
  private func noteMissing(_ stream: TailedStream, isRead: Bool) {
    let now = clock.wallTime().seconds
    if stream.place.missingSince == 0 {
      stream.place.missingSince = now
      save(stream, wasSeen: false)
      log.missing(stream.identity.path, isRead: isRead, forgetAfter: configuration.forgetMissingAfter)
    } else if .seconds(now - stream.place.missingSince) > configuration.forgetMissingAfter {
      forget(stream)
    }
  }

  /// From here on only the stream's checkpoint counts, as after a start: whatever is found to have its content goes on with it.
  private func leave(_ stream: TailedStream) {
    closeInput(stream)
    setWakeTime(stream, nil)
    stream.isMet = false
    stream.clean = nil
    stream.wasWrittenClosed = false
    stream.limit = nil
    // What was seen and not delivered was told as lost; it isn't told again when the file comes back and goes again.
    stream.knownSize = stream.place.position
    stream.readEnd = stream.place.position
    stream.scanned = stream.place.position
    madeWay()
  }

  /// Where a stream was before a scan.
  private struct FormerPlace {
    var stream: TailedStream
    var path: FilePath
    var wasGone: Bool
  }

  /// Notes who left which path, for the file that comes there next.
  private func noteVacated(_ former: [FormerPlace]) {
    vacated = vacated.filter { !$0.value.isForgotten }
    for place in former
    where !place.stream.isForgotten && !place.wasGone && (place.stream.isGone || place.stream.identity.path != place.path) {
      vacated[place.path] = place.stream
    }
  }

  // MARK: - Files without a stream

  private func take(_ files: [FoundFile]) {
    guard !files.isEmpty else {
      undecided.removeAll()
      copies.removeAll()
      return
    }
    let comparison = CopyComparison(streams: streams.values)
    var copiesNow: [FileKey: Copy] = [:]
    var undecidedNow: [FileKey: (size: UInt64, since: Duration)] = [:]
    let now = clock.now()
    // Older files first: what rotation left is before what came after.
    func age(_ file: FoundFile) -> (Int64, Int, String) { (file.modified, renamedUnseen[file.path]?.number ?? .max, file.path.string) }
    for file in files.sorted(by: { age($0) < age($1) }) where !undetermined.contains(file.key) {
      if let copy = copies[file.key], !copy.stream.isForgotten, copy.stream.isReachable {
        if isStillCopy(file, copy, comparison) {
          copiesNow[file.key] = Copy(stream: copy.stream, file: file, since: copy.since)
        } else {
          // It was copied, and now has a life of its own. What was as long as a head was the other's content, which is delivered from
          // there.
          begin(file, at: copy.common >= UInt64(StreamIdentity.maximumHeadLength) ? copy.common : 0)
        }
        continue
      }
      switch comparison.decide(file) {
      case .copy(let stream): copiesNow[file.key] = Copy(stream: stream, file: file, since: now)
      case .undecided where !configuration.once:
        let before = undecided[file.key]
        let since = before?.size == file.size ? before!.since : now
        // Of a compressed file without a readable head there is nothing to read yet anyway.
        let waits = now - since < Self.deletedQuiet || RotationName.isGzip(file.path.lastNameBytes)
        if waits { undecidedNow[file.key] = (file.size, since) } else { begin(file, at: 0) }
      case .undecided, .ownFile: begin(file, at: 0)
      case .tooEarly: wantScan()
      case .unreadable(let code): fail(file.path, code)
      }
    }
    copies = copiesNow
    undecided = undecidedNow
  }

  /// Whether a file that was a copy at the last look is one still: it has nothing that the stream's own file hasn't.
  private func isStillCopy(_ file: FoundFile, _ copy: Copy, _ comparison: CopyComparison) -> Bool {
    if file.size == copy.file.size && file.size <= copy.common { return true }
    if case .ownFile = comparison.decide(file) { return false }
    // Right after copying, the original may just be about to be truncated.
    return file.size <= max(copy.stream.place.position, copy.stream.knownSize) || clock.now() - copy.since < Self.deletedQuiet
  }

  /// Starts a stream for a file, at the first line that begins at `position` or before it.
  @discardableResult
  func begin(_ file: FoundFile, at position: UInt64) -> TailedStream? {
    let stream: TailedStream
    do throws(Errno) {
      let input = try InputFile(file.path)
      guard try input.status(path: file.path).file.key == file.key else {
        wantScan()
        return nil
      }
      stream = makeStream(file)
      let start = isFirstStart && configuration.startAt == .end ? file.size : position
      if start > 0 { try skip(stream, input, before: start) } else { try introduce(stream, input) }
    } catch {
      fail(file.path, error)
      return nil
    }
    stream.isMet = true
    if configuration.once, !RotationName.isGzip(file.path.lastNameBytes) { stream.limit = file.size }
    // A file that was renamed before it was seen comes after its former path's file, and before the next one there.
    let place = renamedUnseen.removeValue(forKey: file.path)?.origin ?? file.path
    if let former = vacated.removeValue(forKey: place) { follow(stream, former) }
    if place != file.path { vacated[place] = stream }
    log.found(file.path, stream.number)
    ready(stream)
    return stream
  }

  /// `stream` has the path of `former`, which is read to its end first.
  func follow(_ stream: TailedStream, _ former: TailedStream) {
    stream.predecessor = former
    stream.place.predecessor = former.number
    save(stream)
    guard former.lastLine.replacedAt == nil else { return }
    former.lastLine.replacedAt = clock.now()
    former.place.isReplaced = true
    if former.saved != nil { save(former) }
    if former.hasPartial { setWakeTime(former, rule.deadline(former.lastLine, now: clock.now())) }
  }

  /// Passes over what stands before the last line that begins before `end`.
  private func skip(_ stream: TailedStream, _ input: InputFile, before end: UInt64) throws(Errno) {
    if input.gzip != nil {
      let head = try head(input, StreamIdentity.maximumHeadLength)
      stream.identity.headHash = ContentHash(head)
      stream.identity.headLength = head.count
      stream.headBytes = nil
      stream.place.position = StreamPlace.endOfCompressed
    } else {
      let start = try startOfLastLine(input, before: end)
      let head = try head(input, Int(min(start, UInt64(StreamIdentity.maximumHeadLength))))
      stream.identity.headHash = ContentHash(head)
      stream.identity.headLength = head.count
      stream.headBytes = stream.identity.hasFullHead ? nil : head
      stream.place.position = start
      stream.place.markerLength = Int(min(start, UInt64(StreamPlace.maximumMarkerLength)))
      stream.place.markerHash = try input.loadMarker(before: start, length: stream.place.markerLength) ?? ContentHash([])
    }
    stream.scanned = stream.place.position
    stream.readEnd = stream.place.position
    save(stream)
  }

  // MARK: - Truncation

  /// The stream's file no longer has what was delivered of it: the stream goes on where rotation put its content, if anywhere; what stands
  /// in the file now is a new stream.
  func contentChanged(_ stream: TailedStream) {
    let path = stream.identity.path
    let key = stream.key
    let wasInPatterns = stream.isInPatterns
    closeInput(stream)
    stream.clean = nil
    isShortOfResources = false
    var candidates = CandidateFiles(
      unclaimed: copies.values.filter { $0.stream === stream }.map(\.file), claimed: Set(streams.values.map(\.key)))
    let continuation = candidates.bestContinuation(of: stream, unclaimedOnly: false) { file in
      guard self.resumeDecision(stream, file) == .goOn else { return .notThisFile }
      let isNeeded = self.search.names(file.path) || file.size > stream.place.position || RotationName.isGzip(file.path.lastNameBytes)
      return isNeeded ? .goOn : .notThisFile
    }
    let found = continuation ?? shortCopy(of: stream, &candidates)
    // Without descriptors nothing is known; the next scan comes back to it.
    if found == nil, isShortOfResources || candidates.isShortOfResources { return madeWay() }
    log.truncated(path)
    counters.update { $0.truncatedFiles += 1 }
    if let continuation = found {
      copies[continuation.key] = nil
      meet(stream, continuation, isInPatterns: search.names(continuation.path))
      byPath[continuation.path] = stream
      vacated[path] = stream
    } else {
      lose(stream, upTo: stream.readEnd)
      forget(stream)
    }
    if wasInPatterns || renamedUnseen[path] != nil, case .regular(let file) = FoundFile.look(at: path), file.key == key {
      begin(file, at: 0)
    }
    wantScan()
  }

  /// The copy of a truncated stream's file that was made before its last lines were read: nothing in it is left to read, so the stream is
  /// settled at its end, lest it be taken for a new file.
  private func shortCopy(of stream: TailedStream, _ candidates: inout CandidateFiles) -> FoundFile? {
    for file in candidates.rotations(of: stream, unclaimedOnly: false) where search.names(file.path) {
      do throws(Errno) {
        let input = try InputFile(file.path)
        let head = try input.facts(stream.identity, stream.place, size: file.size).head
        let isBeginning = (head == .same && input.gzip == nil) || copies[file.key]?.stream === stream || input.isBeginning(of: stream)
        let end = input.gzip.map { $0.ending == .complete ? $0.end : 0 } ?? file.size
        guard isBeginning, end > 0, end < stream.place.position else { continue }
        try settle(stream, in: input, at: end)
        return file
      } catch {
        fail(file.path, error)
      }
    }
    return nil
  }

  // MARK: - Letting go

  /// Forgets streams whose files were deleted and read to their end, and rotated files outside the patterns that stay quiet. Of a file that
  /// is elsewhere now only the checkpoint is kept, for as long as that of one that a start didn't find: it may come back.
  private func letGo() {
    let now = clock.now()
    for stream in streams.values where stream.isFinished && stream.isMet {
      let quiet = now - stream.lastLine.lastGrowth
      if stream.isGone, stream.lastLine.isDeleted {
        if quiet >= Self.deletedQuiet || configuration.once { forget(stream) }
      } else if stream.isGone {
        guard quiet >= Self.rotatedQuiet else { continue }
        leave(stream)
        noteMissing(stream, isRead: true)
      } else if !stream.isInPatterns, quiet >= Self.rotatedQuiet {
        forget(stream)
      }
    }
    forgetLongestMissing()
  }

  /// Keeps the checkpoints of missing files within their bound, for each of them is looked for in every scan.
  private func forgetLongestMissing() {
    let missing = streams.values.filter { $0.isGone && !$0.isMet }
    guard missing.count > Self.mostMissing else { return }
    let longest = missing.sorted { ($0.place.missingSince, $0.number) < ($1.place.missingSince, $1.number) }
    for stream in longest.prefix(missing.count - Self.mostMissing) { forget(stream) }
    log.tooManyMissing(Self.mostMissing)
  }

  private func note(_ result: GlobSearch.Result) {
    for (path, reason) in result.unsuitable {
      log.trouble(path, "it is \(reason)", "exclude it, or give a pattern that doesn't match it")
    }
    for (path, code) in result.failures { log.failure(path, code) }
    let wellPaths = Set(result.files.map(\.path))
    log.settle { path in
      if let stream = byPath[path] { return !stream.isTroubled }
      return !wellPaths.contains(path) && result.unsuitable[path] == nil && result.failures[path] == nil
    }
    if result.isIncomplete { log.incomplete() }
  }

  private func watch(_ directories: Set<FilePath>) {
    guard let watcher else { return }
    var wanted = directories
    for stream in streams.values where !stream.isInPatterns { wanted.insert(stream.identity.path.parentDirectory) }
    if let (directory, code) = watcher.watch(wanted) { log.noWatch(directory, code) }
  }
}
