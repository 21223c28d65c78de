internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// Reads a consumer's batches, for a sink of uncompressed lines one ahead: while a batch is written, the next is read and inflated on a
/// second thread.
///
/// At most one batch is ahead, so memory is bounded by two.
struct BatchReader {
  private struct Request: Sendable, Hashable {
    var offset: Offset
    var limits: BatchLimits
  }

  private let consumer: QueueConsumer
  private let executor: ThreadExecutor?
  private var ahead: (request: Request, batch: Task<LoadedBatch?, any Error>)?

  init(_ consumer: QueueConsumer, ahead: Bool) {
    self.consumer = consumer
    executor = ahead ? ThreadExecutor(named: "\(consumer.name) ahead") : nil
  }

  /// See `QueueConsumer.load`.
  mutating func load(from offset: Offset, limits: BatchLimits, exactEnd: Offset?) async throws(QueueError) -> LoadedBatch? {
    guard let executor else { return try consumer.load(from: offset, limits: limits, exactEnd: exactEnd) }
    let request = Request(offset: offset, limits: limits)
    var batch: LoadedBatch?
    if let ahead {
      self.ahead = nil
      // A failure is met again, and told, by the read below. A reader is one at a time: also a batch that isn't wanted is waited for.
      let value = try? await ahead.batch.value
      // One that wasn't full is read anew: there may be more by now.
      if ahead.request == request, exactEnd == nil, let value, value.isFull(limits) { batch = value }
    }
    if batch == nil { batch = try consumer.load(from: offset, limits: limits, exactEnd: exactEnd)?.withLines() }
    guard let batch else { return nil }
    if exactEnd == nil, batch.gap == nil, batch.isFull(limits) {
      let next = Request(offset: batch.range.upperBound, limits: limits)
      let consumer = self.consumer
      ahead = (
        next, Task(executorPreference: executor) { try consumer.load(from: next.offset, limits: next.limits, exactEnd: nil)?.withLines() }
      )
    }
    return batch
  }

  /// Waits for what is read ahead and ends its thread.
  mutating func end() async {
    _ = try? await ahead?.batch.value
    ahead = nil
    executor?.finish()
  }
}

extension LoadedBatch {
  /// As many records as the limits let through, as far as whole blocks can tell: more are likely there.
  fileprivate func isFull(_ limits: BatchLimits) -> Bool {
    gap != nil || byteCount > limits.maxBytes / 2 || recordCount == limits.maxRecords
  }

  /// The same batch with its lines in memory; a block that can't be inflated is left for the sink to meet.
  fileprivate func withLines() -> LoadedBatch {
    guard case .records(let slices) = content else { return self }
    var copy = self
    copy.content = .records(slices.map { slice in (try? BlockSlice(slice.block.withLines(), slice.range)) ?? slice })
    return copy
  }
}
