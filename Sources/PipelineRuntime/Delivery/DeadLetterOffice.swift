internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// The dead-letter queue of a pipeline, opened when the first sink needs it: its records are JSON objects, one for each record that a
/// destination rejects.
final class DeadLetterOffice: Sendable {
  private struct State: Sendable {
    var queue: SegmentQueue?
    var writers: [String: SourceWriter] = [:]
  }

  private let open: @Sendable () throws -> SegmentQueue
  private let state = Mutex(State())

  /// An office whose queue `open` opens; blocking.
  init(_ open: @escaping @Sendable () throws -> SegmentQueue) { self.open = open }

  /// The queue's status, once it was needed.
  var status: QueueStatus? { state.withLock { $0.queue }?.status() }

  /// Begins a parcel of dead letters of one consumer. Blocking the first time.
  func mail(from consumer: String, queue: QueueID, seekCount: UInt64, reason: String, status: String) throws -> DeadLetterMail {
    let writer = try state.withLock { state -> SourceWriter in
      if let writer = state.writers[consumer] { return writer }
      let queue = try state.queue ?? open()
      state.queue = queue
      // Without a consumer that holds them, a full queue would let its oldest go.
      _ = try queue.consumer(consumer, kind: .sink, startAt: .oldest, hold: .all)
      let writer = try queue.writer(source: consumer, whenFull: .wait)
      state.writers[consumer] = writer
      return writer
    }
    return DeadLetterMail(writer, consumer: consumer, queue: queue, seekCount: seekCount, reason: reason, status: status)
  }

  /// Closes the queue, if it was needed.
  func close() async { await state.withLock { $0.queue }?.close() }
}
