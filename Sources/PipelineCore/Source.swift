public import RecordBlocks

/// Where records come from. See ``RecordOutput`` for what it writes into.
///
/// A source runs on a thread of its own (its task prefers an executor with one thread), so it may block in system calls while it waits for
/// input; what else it awaits resumes on that thread. It must answer cancellation within a second: ``WakeSignal`` ends a `poll`.
public protocol Source: Sendable {
  /// Reads until the input ends or the task is cancelled. Returning means that the input has ended and every record was handed to `output`;
  /// on cancellation it throws `CancellationError` or returns, and what was not yet written is read again by the next run.
  func run(from checkpoints: [StreamCheckpoint], into output: some RecordOutput) async throws
}

/// What a source writes into: the queue's end of a pipeline.
public protocol RecordOutput: Sendable {
  /// Admits `batch` with the checkpoints that cover exactly its records: both become durable together, or neither does.
  ///
  /// Suspends only while the queue or the bytes in flight are at their bound (that is the backpressure). On return the batch is in
  /// memory, its
  /// order given; ``Acknowledgement/durable()`` of what is returned waits until it is on the disk. Small batches of a source are put
  /// together into
  /// one block, so call it as soon as there is something to write. A batch without records carries checkpoints alone.
  @discardableResult
  func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> Acknowledgement

  /// Records a loss that happened before the records reached the queue (kernel drops, say). Never waits; a loss without room is kept and
  /// written later.
  func recordGap(_ gap: Gap)

  /// Records a loss in order, behind everything written before, with the checkpoints that cover it: both become durable together, or
  /// neither does.
  ///
  /// For sources that learn of a loss from their input itself, and would learn of it again, and count it twice, if only one of the two
  /// were kept.
  @discardableResult
  func writeGap(_ gap: Gap, checkpoints: [CheckpointChange]) async throws -> Acknowledgement

  /// The values that a stream's checkpoint had earlier, newest first, as far as the kept segments tell. Reads headers from disk.
  func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]]
}

extension RecordOutput {
  /// For outputs that keep no checkpoints: the loss is told as any other.
  @discardableResult
  public func writeGap(_ gap: Gap, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
    recordGap(gap)
    return try await write(RecordBatch(), checkpoints: checkpoints)
  }
}

/// The promise of a write.
public struct Acknowledgement: Sendable {
  private let wait: @Sendable () async throws -> Void

  /// An acknowledgement that `wait` gives.
  public init(_ wait: @escaping @Sendable () async throws -> Void) { self.wait = wait }

  /// Returns when the batch and its checkpoints are on the disk.
  public func durable() async throws { try await wait() }
}
