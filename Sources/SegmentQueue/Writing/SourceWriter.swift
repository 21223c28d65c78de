public import RecordBlocks

/// A source's way into the queue. One task at a time writes; gaps may come from anywhere.
public final class SourceWriter: Sendable {
  /// The source's name: its checkpoints are found by it.
  public let name: String
  /// The number that its blocks bear.
  public let id: UInt32
  let whenFull: WhenFull
  let queue: SegmentQueue

  init(_ queue: SegmentQueue, name: String, id: UInt32, whenFull: WhenFull) {
    self.queue = queue
    self.name = name
    self.id = id
    self.whenFull = whenFull
  }

  /// The source's streams as of the durable end.
  public var checkpoints: [StreamCheckpoint] { queue.monitor.withLock { [id] state in state.table.checkpoints(of: id) } }

  /// Admits a batch and the checkpoints that cover exactly its records; they become durable together or not at all.
  ///
  /// Suspends while the bytes in flight are at their bound, which is so while the disk is slow or the queue is full. On return the batch
  /// is in memory; ``AppendTicket/durable()``
  /// waits for the disk. Small batches share a block: the first after a quiet spell is written at once, later ones within `linger`. A
  /// batch is never split over blocks.
  /// A batch without records carries its checkpoints alone.
  /// - Throws: `CancellationError` when the task was cancelled while it waited (nothing was admitted), ``QueueError`` when the queue is
  ///   closed.
  @discardableResult
  public func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> AppendTicket {
    precondition(batch.byteCount <= BlockHeader.maximumLineBytes, "a batch exceeds the largest block (72 MiB)")
    try await queue.admit(batch.byteCount, whenFull: whenFull)
    return queue.enqueue(batch, checkpoints, from: self)
  }

  /// Counts a loss that happened before the records reached the queue. Never waits; it is written as a gap as soon as there is room, at
  /// most once a second for a reason.
  public func recordGap(_ gap: Gap) {
    guard gap.records > 0 || gap.bytes > 0 else { return }
    queue.addGap(gap, source: id)
  }

  /// Writes a loss as an entry of its own, behind everything that the source wrote before, together with the checkpoints that cover it: both
  /// become durable or neither does. Suspends as ``write(_:checkpoints:)`` does, and is never dropped for want of room: it waits.
  @discardableResult
  public func writeGap(_ gap: Gap, checkpoints: [CheckpointChange]) async throws -> AppendTicket {
    try await queue.admit(0, whenFull: .wait)
    return queue.enqueueGap(gap, checkpoints, from: self)
  }

  /// The values that a stream's checkpoint had earlier, newest first, as far as the kept segments tell. Blocking: reads headers from the
  /// disk.
  public func earlierCheckpoints(of stream: UInt32) throws(QueueError) -> [[UInt8]] {
    try queue.earlierCheckpoints(of: stream, source: id)
  }
}

/// The promise of a write.
public struct AppendTicket: Sendable {
  let promise: BlockPromise
  let queue: SegmentQueue
  /// How many records of others stand before the batch in its block.
  let place: Int
  /// How many records it has.
  let count: Int

  /// Returns when the batch and its checkpoints are on the disk (with `sync: never`: in the file).
  /// - Throws: ``QueueError`` when the queue was closed or dropped the batch; then the source still has it to give.
  public func durable() async throws {
    try await queue.waitUntilDurable(promise)
  }

  /// The same, and tells the offsets that the batch's records got.
  public func durableRange() async throws -> Range<Offset> {
    try await queue.waitUntilDurable(promise)
    guard let base = queue.monitor.withLock({ [promise] _ in promise.base }) else {
      preconditionFailure("a block that is durable has its offsets")
    }
    return base + place..<base + (place + count)
  }
}
