internal import Glibc
internal import Logging
internal import PipelineCore
internal import RecordBlocks
internal import Synchronization

/// Reads a descriptor to its end; keeps what must outlive one run: bytes that were read and not yet handed over.
final class StandardInputReader: @unchecked Sendable {  // one run at a time uses it; counts have their lock
  /// One block's worth: a batch isn't longer than this and one line.
  private static let chunkBytes = 256 << 10

  private let configuration: StandardInputSource.Configuration
  private var buffer: LineBuffer
  private let writer: JSONLineWriter
  private var hasEnded = false
  private let countsLock = Mutex(StandardInputCounts())

  init(_ configuration: StandardInputSource.Configuration) {
    self.configuration = configuration
    let limit =
      configuration.format == .json ? min(configuration.maxLineBytes, JSONLineWriter.maximumLineBytes) : configuration.maxLineBytes
    buffer = LineBuffer(maxLineBytes: limit)
    writer = JSONLineWriter(host: configuration.hostName)
  }

  var counts: StandardInputCounts { countsLock.withLock { $0 } }

  /// Hands over lines until the input ends, or the task is cancelled: then it throws or returns, and ``finish(_:)`` has the rest.
  func read(into output: some RecordOutput, wake: WakeSignal) async throws {
    while true {
      while let piece = buffer.nextPiece(atEnd: hasEnded) { try await write(piece, into: output) }
      if hasEnded || Task.isCancelled { return }
      try readChunk(wake)
    }
  }

  /// Hands over what was read before a cancellation, the part of a line that was there too; what isn't taken becomes a gap.
  func finish(_ output: some RecordOutput) async {
    do {
      while let piece = buffer.nextPiece(atEnd: true) { try await write(piece, into: output) }
    } catch {
      var records: UInt64 = 0
      var bytes: UInt64 = 0
      while let piece = buffer.nextPiece(atEnd: true) {
        records += UInt64(piece.recordCount)
        bytes += UInt64(piece.byteCount + (piece.isUnended ? 1 : 0))
        buffer.remove(piece)
      }
      let now = configuration.wallClock()
      output.recordGap(Gap(reason: .dropped, records: records, bytes: bytes, firstTime: now, lastTime: now))
      countsLock.withLock { $0.unwritten += records }
      configuration.logger.warning(
        "stdin: lines that had been read could not be written at the end and are counted as lost",
        metadata: ["source.name": "\(configuration.name)", "records": "\(records)", "error": "\(error)"])
    }
  }

  // MARK: Writing

  private func write(_ whole: LineBuffer.Piece, into output: some RecordOutput) async throws {
    var piece = whole
    var batch: RecordBatch
    var replaced: UInt64 = 0
    switch configuration.format {
    case .raw:
      batch = RecordBatch(minimumCapacity: piece.byteCount + 1)
      batch.firstContinues = piece.continues
      if piece.isUnended {
        batch.append(buffer.bytes(piece), unended: true)
      } else {
        batch.appendLines(buffer.bytes(piece), count: piece.recordCount)
      }
    case .json:
      batch = RecordBatch(minimumCapacity: min(piece.byteCount * 2, Self.chunkBytes) + 4096)
      replaced = appendObjects(of: &piece, to: &batch)
    }
    try await output.write(batch, checkpoints: [])
    buffer.remove(piece)
    note(piece, replaced: replaced)
  }

  /// Appends lines as objects until the batch has a block's worth; `piece` is then what was taken. How many had bytes replaced.
  private func appendObjects(of piece: inout LineBuffer.Piece, to batch: inout RecordBatch) -> UInt64 {
    writer.setTime(configuration.wallClock())
    let bytes = buffer.bytes(piece)
    if piece.isUnended { return writer.append(bytes, isSplit: piece.isSplit, continues: piece.continues, to: &batch) ? 1 : 0 }
    var replaced: UInt64 = 0
    var position = 0
    while position < bytes.count, batch.byteCount < Self.chunkBytes, let base = bytes.baseAddress {
      guard let lineFeed = memchr(base + position, 0x0A, bytes.count - position) else { break }
      let end = UnsafeRawPointer(lineFeed) - base
      let line = UnsafeRawBufferPointer(rebasing: bytes[position..<end])
      if writer.append(line, isSplit: false, continues: piece.continues && position == 0, to: &batch) { replaced += 1 }
      position = end + 1
    }
    piece.byteCount = position
    piece.recordCount = batch.recordCount
    return replaced
  }

  private func note(_ piece: LineBuffer.Piece, replaced: UInt64) {
    let isNewSplit = piece.isSplit && !piece.continues
    let isFirstSplit = countsLock.withLock { counts in
      counts.records += UInt64(piece.recordCount)
      counts.bytes += UInt64(piece.byteCount)
      counts.notUTF8 += replaced
      if isNewSplit { counts.splitLines += 1 }
      return isNewSplit && counts.splitLines == 1
    }
    guard isFirstSplit else { return }
    configuration.logger.warning(
      "stdin: a line is longer than 'max_line' and is split into records; this is said once, later ones are counted",
      metadata: ["source.name": "\(configuration.name)", "max_line": "\(piece.byteCount)"])
  }

  // MARK: Reading

  /// Waits for input for as long as it takes, then takes what is there, up to one chunk.
  private func readChunk(_ wake: WakeSignal) throws(StandardInputSource.ReadError) {
    let room = buffer.room(Self.chunkBytes)
    var count = 0
    defer { buffer.add(count) }
    while count < Self.chunkBytes, try isReadable(wake, waits: count == 0) {
      let got = Glibc.read(configuration.fileDescriptor, room.baseAddress.map { $0 + count }, Self.chunkBytes - count)
      if got > 0 {
        count += got
      } else if got == 0 {
        hasEnded = true
        return
      } else if errno != EINTR && errno != EAGAIN {
        throw readError()
      }
    }
  }

  /// False when the task was cancelled, or nothing is there and it isn't worth waiting.
  private func isReadable(_ wake: WakeSignal, waits: Bool) throws(StandardInputSource.ReadError) -> Bool {
    var descriptors = (
      pollfd(fd: configuration.fileDescriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wake.fileDescriptor, events: Int16(POLLIN), revents: 0)
    )
    var ready: Int32
    repeat {
      ready = withUnsafeMutableBytes(of: &descriptors) { poll($0.assumingMemoryBound(to: pollfd.self).baseAddress, 2, waits ? -1 : 0) }
    } while ready < 0 && errno == EINTR
    if ready < 0 { throw readError() }
    return descriptors.1.revents == 0 && descriptors.0.revents != 0
  }

  private func readError() -> StandardInputSource.ReadError {
    let code = errno
    let remedy =
      switch code {
      case EISDIR: "give it a file or a pipe"
      case EBADF: "start Sluice with its standard input open, from a pipe or a file"
      default: "start it again with the rest of the input"
      }
    return StandardInputSource.ReadError(
      description:
        "standard input (descriptor \(configuration.fileDescriptor)) can't be read: \(String(cString: strerror(code))) (errno \(code)); \(remedy)"
    )
  }
}
