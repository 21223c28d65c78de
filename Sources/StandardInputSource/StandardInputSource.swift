internal import CLinux
internal import Glibc
public import Logging
public import PipelineCore
public import RecordBlocks
internal import Synchronization

/// Reads lines from a pipe or terminal, mostly the process's standard input, until the other end closes it.
///
/// Backpressure is not reading: while ``PipelineCore/RecordOutput/write(_:checkpoints:)`` suspends, the pipe fills and the writing
/// process waits. There are no checkpoints: what was read
/// and not yet durable is gone with the process, which is all that a pipe allows.
public final class StandardInputSource: Source {
  /// How standard input is read.
  public struct Configuration: Sendable {
    /// The source's name, for messages.
    public var name: String
    /// The descriptor that is read; not closed.
    public var fileDescriptor: Int32
    /// Lines longer than this are split into records, which are counted; looked at after each read of 256 KiB, so a line may exceed it by as much. A sink that reproduces its input puts the pieces together again.
    public var maxLineBytes: Int
    /// Where to say what an operator should hear of.
    public var logger: Logger

    /// The descriptor 0, lines up to 16 MiB.
    public init(name: String, fileDescriptor: Int32 = 0, maxLineBytes: Int = 16 << 20, logger: Logger) {
      self.name = name
      self.fileDescriptor = fileDescriptor
      self.maxLineBytes = max(1, maxLineBytes)
      self.logger = logger
    }
  }

  /// A failed read of the input.
  public struct ReadError: Error, Sendable, CustomStringConvertible {
    /// What happened, in one sentence.
    public let description: String
  }

  /// One block's worth of lines.
  private static let batchByteCount = 256 << 10

  private let configuration: Configuration
  private let splitLineCount = Atomic<UInt64>(0)

  /// A source that has read nothing yet.
  public init(_ configuration: Configuration) { self.configuration = configuration }

  /// Lines over ``Configuration/maxLineBytes`` that were split so far.
  public var splitLines: UInt64 { splitLineCount.load(ordering: .relaxed) }

  /// Reads to the input's end. A last line without a line feed is delivered there, marked as unended.
  public func run(from checkpoints: [StreamCheckpoint], into output: some RecordOutput) async throws {
    let wake = WakeSignal()
    // A larger pipe means fewer turns for both processes; refused for what isn't a pipe.
    _ = fcntl(configuration.fileDescriptor, Int32(F_SETPIPE_SIZE), 1 << 20)
    try await withTaskCancellationHandler {
      try await read(into: output, wake: wake)
    } onCancel: {
      wake.signal()
    }
  }

  private func read(into output: some RecordOutput, wake: WakeSignal) async throws {
    var partial: [UInt8] = []
    var continues = false
    while true {
      try Task.checkCancellation()
      var batch = RecordBatch(minimumCapacity: partial.count + Self.batchByteCount)
      batch.firstContinues = continues
      let ended = try fill(&batch, &partial, wake: wake)
      if !batch.isEmpty {
        continues = false
        try await output.write(batch, checkpoints: [])
      }
      if partial.count >= configuration.maxLineBytes || (ended && !partial.isEmpty) {
        var piece = RecordBatch(minimumCapacity: partial.count + 1)
        piece.firstContinues = continues
        let length = min(partial.count, configuration.maxLineBytes)
        partial.withUnsafeBytes { piece.append(UnsafeRawBufferPointer(rebasing: $0[..<length]), unended: true) }
        partial.removeFirst(length)
        if continues || !ended || !partial.isEmpty { noteSplit(isFirst: !continues) }
        continues = true
        try await output.write(piece, checkpoints: [])
        if ended && partial.isEmpty { return }
      } else if ended {
        return
      }
    }
  }

  private func noteSplit(isFirst: Bool) {
    guard isFirst else { return }
    let count = splitLineCount.wrappingAdd(1, ordering: .relaxed).newValue
    if count == 1 {
      configuration.logger.warning(
        "a line is longer than max_line and is split into records",
        metadata: ["source.name": "\(configuration.name)", "max_line": "\(configuration.maxLineBytes)"])
    }
  }

  /// Reads what is there, up to a block's worth; whole lines go into `batch`, the rest stays in `partial`. True at the input's end.
  private func fill(_ batch: inout RecordBatch, _ partial: inout [UInt8], wake: WakeSignal) throws -> Bool {
    var ended = false
    var failure: ReadError?
    batch.appendInPlace(capacity: partial.count + Self.batchByteCount) { room in
      var count = partial.count
      let seen = count
      partial.withUnsafeBytes { room.baseAddress!.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(room.baseAddress!), byteCount: seen) }
      do throws(ReadError) {
        // The first wait is for as long as it takes; then what is there already is taken along.
        while count - seen < Self.batchByteCount, try wait(wake, forEver: count == seen) {
          let got = Glibc.read(configuration.fileDescriptor, room.baseAddress! + count, Self.batchByteCount - (count - seen))
          if got > 0 {
            count += got
          } else if got == 0 {
            ended = true
            break
          } else if errno != EINTR && errno != EAGAIN {
            throw readError()
          }
        }
      } catch { failure = error }
      // The old part holds no line feed: it was searched when it came.
      let end: Int
      if let last = linux_memrchr(room.baseAddress! + seen, 0x0A, count - seen) {
        end = last - UnsafeRawPointer(room.baseAddress!) + 1
      } else {
        end = 0
      }
      partial = Array(UnsafeRawBufferPointer(rebasing: room[end..<count]))
      return (end, end == 0 ? 0 : Int(linux_count_byte(room.baseAddress! + seen, end - seen, 0x0A)))
    }
    if let failure { throw failure }
    return ended
  }

  /// True when there is something to read (or the end); false when the task was cancelled, or nothing is there and it isn't worth waiting.
  private func wait(_ wake: WakeSignal, forEver: Bool) throws(ReadError) -> Bool {
    var descriptors = [
      pollfd(fd: configuration.fileDescriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: wake.fileDescriptor, events: Int16(POLLIN), revents: 0),
    ]
    while true {
      let ready = poll(&descriptors, 2, forEver ? -1 : 0)
      if ready < 0 {
        if errno == EINTR { continue }
        throw readError()
      }
      if descriptors[1].revents != 0 { return false }
      return descriptors[0].revents != 0
    }
  }

  private func readError() -> ReadError {
    ReadError(description: "cannot read standard input (descriptor \(configuration.fileDescriptor)): \(String(cString: strerror(errno)))")
  }
}

/// `F_SETPIPE_SZ`, which Glibc's Swift module doesn't show.
private let F_SETPIPE_SIZE = 1031
