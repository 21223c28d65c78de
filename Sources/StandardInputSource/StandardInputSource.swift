internal import Glibc
internal import Logging
public import PipelineCore
public import RecordBlocks
internal import Synchronization

/// Reads lines from a descriptor, mostly the process's standard input, until its other end is closed.
///
/// What is there is handed over at once, cut at the last line feed; the input's end delivers a last line without one, marked as unended.
/// Backpressure is
/// not reading: while ``PipelineCore/RecordOutput/write(_:checkpoints:)`` suspends, the pipe fills and the writing process waits. There
/// are no
/// checkpoints: what was read and not yet durable is gone with the process, which is all that a pipe allows.
public final class StandardInputSource: Source {
  /// A failed read of the input.
  public struct ReadError: Error, Sendable, CustomStringConvertible {
    /// What happened, where, and what to do.
    public let description: String
  }

  private let configuration: Configuration
  private let reader: StandardInputReader
  private let isRunning = Mutex(false)
  /// How long a cancelled run goes on handing over what it has read.
  private let finishTime: Duration

  /// A source that has read nothing yet.
  public convenience init(_ configuration: Configuration) { self.init(configuration, finishTime: .milliseconds(500)) }

  init(_ configuration: Configuration, finishTime: Duration) {
    precondition(configuration.maxLineBytes > 0, "a line's limit is at least one byte")
    precondition(configuration.maxLineBytes <= 64 << 20, "a line's limit is at most 64 MiB: a block has to hold the record")
    self.configuration = configuration
    self.finishTime = finishTime
    reader = StandardInputReader(configuration)
  }

  /// What was done so far.
  public var counts: StandardInputCounts { reader.counts }

  /// Lines over ``Configuration/maxLineBytes`` that were split so far.
  public var splitLines: UInt64 { counts.splitLines }

  /// Reads to the input's end. After an error nothing that was read is lost: another run hands it over first.
  ///
  /// When the task is cancelled, what was read is still handed over, the beginning of a line too (for half a second at most, the rest
  /// becomes a gap); what
  /// stands in the pipe stays there.
  public func run(from checkpoints: [StreamCheckpoint], into output: some RecordOutput) async throws {
    let wasRunning = isRunning.withLock { running in
      defer { running = true }
      return running
    }
    precondition(!wasRunning, "a standard input source runs once at a time")
    defer { isRunning.withLock { $0 = false } }
    // A larger pipe means fewer turns for both processes; refused for what isn't a pipe, and beyond fs.pipe-max-size.
    _ = fcntl(configuration.fileDescriptor, Self.setPipeSize, 1 << 20)
    let wake = WakeSignal()
    do {
      try await withTaskCancellationHandler {
        try await reader.read(into: output, wake: wake)
      } onCancel: {
        wake.signal()
      }
    } catch let error as CancellationError {
      guard Task.isCancelled else { throw error }
    }
    guard Task.isCancelled else { return }
    // A cancelled task's writes are refused, so the rest is written by a task of its own, with its own end.
    let finish = Task { [reader] in await reader.finish(output) }
    let limit = Task { [finishTime] in
      try await Task.sleep(for: finishTime)
      finish.cancel()
    }
    await finish.value
    limit.cancel()
  }

  /// F_SETPIPE_SZ, which Glibc's Swift module doesn't show.
  private static let setPipeSize: Int32 = 1031
}
