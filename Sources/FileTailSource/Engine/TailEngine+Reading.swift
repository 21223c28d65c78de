internal import Glibc
internal import PipelineCore
internal import RecordBlocks
internal import SystemPackage

extension TailEngine {
  /// Gives a stream its turn: reads and writes batches up to its share.
  func takeTurn(_ stream: TailedStream, _ output: some RecordOutput) async throws {
    stream.isReady = false
    countTurn(stream)
    guard openInput(stream) else { return }
    do throws(Errno) {
      guard try verify(stream) else { return }
    } catch {
      return giveUp(stream, error)
    }
    if stream.needsEarlierCheckpoint { try await goBack(stream, output) }
    var left = Self.turnBytes
    var splitLeft = Self.splitTurnBytes
    while let input = stream.input {
      let facts: (file: FoundFile, linkCount: Int)
      var batch = RecordBatch()
      let wasUnended = stream.place.isUnended
      let outcome: RecordReader.Outcome
      do throws(Errno) {
        facts = try input.status(path: stream.identity.path)
        stream.lastLine.isDeleted = facts.linkCount == 0
        if input.gzip == nil, facts.file.size < stream.place.position { return contentChanged(stream) }
        stream.knownSize = input.gzip == nil ? facts.file.size : stream.place.position
        outcome = try reader.step(stream, input, now: clock.now(), wallTime: clock.wallTime(), into: &batch)
      } catch {
        return giveUp(stream, error)
      }
      switch outcome {
      case .otherContent:
        return contentChanged(stream)
      case .nothing:
        return caughtUp(stream, input, facts.file)
      case .records(let more):
        left -= batch.byteCount
        splitLeft -= batch.byteCount
        try await write(batch, of: stream, continues: wasUnended, output)
        if !more { return caughtUp(stream, input, facts.file) }
        stream.isCaughtUp = false
        try Task.checkCancellation()
        if left <= 0, !stream.place.isUnended || splitLeft <= 0 { return ready(stream) }
      }
    }
  }

  private func caughtUp(_ stream: TailedStream, _ input: InputFile, _ file: FoundFile) {
    let now = clock.now()
    stream.isCaughtUp = true
    stream.clean = Self.isSettled(file) ? (file.size, file.modified) : nil
    setWakeTime(stream, stream.hasPartial ? rule.deadline(stream.lastLine, now: now) : nil)
    followed.note(stream)
    if let gzip = input.gzip {
      if gzip.ending == .damaged, !stream.toldDamage {
        stream.toldDamage = true
        log.damagedGzip(stream.identity.path, stream.readEnd)
      }
      // The inflater's memory is for those who read.
      if !stream.isGone { closeInput(stream) }
    }
    if stream.isFinished { madeWay() }
  }

  /// A change in the same instant as the last look wouldn't show in the time of change; such a file is looked at once more.
  private static func isSettled(_ file: FoundFile) -> Bool {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) - file.modified > 50_000_000
  }

  private func giveUp(_ stream: TailedStream, _ code: Errno) {
    log.failure(stream.identity.path, code)
    stream.isTroubled = true
    closeInput(stream)
    madeWay()
  }

  // MARK: - Descriptors

  /// Opens the stream's file if it isn't, closing another's when there are too many. False when it can't be read now.
  func openInput(_ stream: TailedStream) -> Bool {
    if stream.input != nil { return true }
    guard !stream.isGone else { return false }
    // One more than the bound, when all others are deleted files with unread bytes: one of them may wait for just this stream.
    if open.count >= configuration.maxOpenFiles, !closeOne(), open.count > configuration.maxOpenFiles {
      hold(stream)
      return false
    }
    let path = stream.identity.path
    do throws(Errno) {
      let input: InputFile
      do throws(Errno) { input = try InputFile(path) } catch {
        guard error == .tooManyOpenFiles || error == .tooManyOpenFilesInSystem, closeOne() else { throw error }
        input = try InputFile(path)
      }
      let file = try input.status(path: path).file
      guard file.key == FileKey(device: stream.identity.device, inode: stream.identity.inode) else {
        // Another file has the name; the scan finds out where ours went.
        wantScan()
        return false
      }
      if input.gzip != nil, open.values.count(where: { $0.input?.gzip != nil }) >= Self.mostCompressed {
        hold(stream)
        return false
      }
      stream.input = input
      stream.wasWrittenClosed = false
      stream.isVerified = false
      stream.isTroubled = false
      open[stream.number] = stream
      return true
    } catch {
      if error == .noSuchFileOrDirectory || error == .notDirectory {
        wantScan()
      } else {
        stream.isTroubled = true
        log.failure(path, error)
      }
      return false
    }
  }

  /// Closes a stream's file; what was read of it and not delivered is read again.
  func closeInput(_ stream: TailedStream) {
    guard let input = stream.input else { return }
    let wasCompressed = input.gzip != nil
    stream.input = nil
    stream.isVerified = false
    open[stream.number] = nil
    if wasCompressed { madeWay() }
  }

  /// Frees a descriptor: of a file that was read to its end rather than of one with unread bytes, of the one that waited longest; never of
  /// a file that only its descriptor leads to, unless all was read of it.
  func closeOne(onlyIdle: Bool = false) -> Bool {
    var best: TailedStream?
    var bestRank = (3, UInt64.max)
    for stream in open.values {
      let isDone = stream.isCaughtUp && !stream.hasPartial && !stream.isReady && !stream.hasUnseenBytes
      if stream.holdsLastDescriptor && !isDone { continue }
      let rank = (stream.holdsLastDescriptor ? 1 : stream.isCaughtUp && !stream.hasUnseenBytes ? 0 : 2, stream.lastTurn)
      if rank < bestRank { (best, bestRank) = (stream, rank) }
    }
    guard let best, !onlyIdle || bestRank.0 == 0 else { return false }
    // A deleted file's stream isn't forgotten yet: the next scan may find that rotation left its content in another file.
    if best.holdsLastDescriptor { wantScan() }
    closeInput(best)
    return true
  }

  // MARK: - Content

  /// Makes sure that the freshly opened file still has what was delivered of it; false when it hasn't (and something was done about it).
  private func verify(_ stream: TailedStream) throws(Errno) -> Bool {
    guard let input = stream.input else { return false }
    if stream.isVerified || stream.needsEarlierCheckpoint { return true }
    let place = stream.place
    if place.position == StreamPlace.endOfCompressed {
      stream.isCaughtUp = true
      stream.readEnd = place.position
      closeInput(stream)
      madeWay()
      return false
    }
    if stream.identity.headLength > 0 {
      guard try input.headHash(length: stream.identity.headLength) == stream.identity.headHash else {
        if isUnfinished(input) { return wait(stream) }
        contentChanged(stream)
        return false
      }
      if stream.headBytes == nil, !stream.identity.hasFullHead { stream.headBytes = try head(input, stream.identity.headLength) }
    }
    if place.markerLength > 0 {
      let hash = try input.loadMarker(before: place.position, length: place.markerLength)
      guard hash == place.markerHash else {
        if isUnfinished(input) { return wait(stream) }
        if hash == nil, let gzip = input.gzip, gzip.ending == .complete {
          // The copy that was compressed was made before the last lines, which were read from the original.
          try settle(stream, in: input, at: gzip.end)
          stream.isVerified = true
          return true
        }
        contentChanged(stream)
        return false
      }
    }
    stream.isVerified = true
    renamedUnseen[stream.identity.path] = nil
    return true
  }

  /// A compressed file that is still being written may yet get to the position.
  private func isUnfinished(_ input: InputFile) -> Bool { input.gzip?.ending == .open && !configuration.once }

  private func wait(_ stream: TailedStream) -> Bool {
    stream.clean = nil
    closeInput(stream)
    return false
  }

  func head(_ input: InputFile, _ length: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: length)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 8)
    defer { buffer.deallocate() }
    let got = try input.read(into: buffer, at: 0)
    bytes.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<got])) }
    bytes.removeLast(length - got)
    return bytes
  }

  /// Goes on at the newest earlier checkpoint whose marker the file still has, after a power cut took the file's end back.
  private func goBack(_ stream: TailedStream, _ output: some RecordOutput) async throws {
    guard let input = stream.input else { return }
    let values = try await output.earlierCheckpoints(of: stream.number)
    let former = stream.place.position
    do throws(Errno) {
      let size = try input.status(path: stream.identity.path).file.size
      var place = StreamPlace()
      for value in values {
        guard let earlier = StreamPlace(decoding: value), earlier.position > 0, earlier.position <= size, earlier.markerLength > 0 else {
          continue
        }
        if try input.loadMarker(before: earlier.position, length: earlier.markerLength) == earlier.markerHash {
          place = earlier
          break
        }
      }
      if place.position == 0 { _ = try input.loadMarker(before: 0, length: 0) }
      let head = try head(input, Int(min(place.position, UInt64(StreamIdentity.maximumHeadLength))))
      place.isReplaced = stream.place.isReplaced
      place.sequence = stream.place.sequence
      stream.place = place
      stream.identity.headHash = ContentHash(head)
      stream.identity.headLength = head.count
      stream.headBytes = stream.identity.hasFullHead ? nil : head
      stream.scanned = place.position
      stream.readEnd = place.position
      let lines = try countLines(input, from: place.position, to: min(size, former))
      log.cutByPowerLoss(stream.identity.path, from: former, to: place.position, repeatedLines: lines)
    } catch {
      return giveUp(stream, error)
    }
    stream.needsEarlierCheckpoint = false
    stream.isVerified = true
    save(stream)
  }
}
