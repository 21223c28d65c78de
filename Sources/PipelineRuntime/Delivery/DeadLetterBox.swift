internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// The dead letters of one sink: its consumer of the dead-letter queue, and what of it is put back.
///
/// The sink's delivery loop and whoever puts back or asks are on different threads: commits of the consumer go through here, one at a time.
final class DeadLetterBox: Sendable {
  /// What was counted of the dead letters from the cursor on.
  private struct Count {
    var end: Offset
    var kept: UInt64 = 0
    /// Those of them before the put-back end.
    var putBack: UInt64 = 0
  }

  private struct State {
    /// Everything before it goes to the sink again; on the disk.
    var putBackEnd = Offset.zero
    /// Nil when it is to be counted anew.
    var count: Count?
    /// The newest dead letters that were written, until they are known to be on the disk.
    var unsettled: AppendTicket?
  }

  /// The dead-letter queue.
  let queue: SegmentQueue
  /// The sink's consumer of it.
  let consumer: QueueConsumer
  /// The sink as a source of dead letters.
  let writer: SourceWriter
  private let state: Mutex<State>

  /// Bytes of dead letters that are read at a time to count them.
  private static let countedBytes = 1 << 20
  private static let stateVersion: UInt8 = 1

  /// The box of the sink `name`, made when missing. Blocking.
  init(_ name: String, in queue: SegmentQueue) throws(QueueError) {
    self.queue = queue
    // Without a consumer that holds them, a full queue would let its oldest go.
    consumer = try queue.consumer(name, kind: .sink, startAt: .oldest, hold: .all)
    writer = try queue.writer(source: name, whenFull: .wait)
    state = Mutex(State(putBackEnd: Self.putBackEnd(in: consumer.sinkState)))
    // Those that were rejected again are dead letters anew, further on.
    if let end = settledEnd(of: queue.id, stream: DeadLetterMail.againStream, seekCount: consumer.seekCount), end > consumer.cursor,
      end >= consumer.inFlightEnd ?? .zero
    {
      try commit(end, inFlightEnd: nil, letters: nil)
    }
  }

  // MARK: Setting aside

  /// The offset of the log before which everything that the sink was given and couldn't take is a dead letter, as its stream of dead letters
  /// tells; nil when that speaks of another queue, or of the time before the consumer was set to another place.
  /// - Parameter start: of a stream that tells of ranges: where the range must begin.
  func settledEnd(of log: QueueID, stream: UInt32, seekCount: UInt64, from start: Offset? = nil) -> Offset? {
    let identity = LittleEndian.bytes(of: log.high) + LittleEndian.bytes(of: log.low)
    guard let checkpoint = writer.checkpoints.first(where: { $0.stream == stream }), checkpoint.identity == identity,
      checkpoint.value.count == (start == nil ? 16 : 24), LittleEndian.integer(checkpoint.value[0..<8]) == seekCount,
      start.map({ LittleEndian.integer(checkpoint.value[16..<24]) == $0.rawValue }) ?? true
    else { return nil }
    return Offset(LittleEndian.integer(checkpoint.value[8..<16]))
  }

  /// Remembers what was written: whoever stops waiting for it can't know whether it is there.
  func wrote(_ ticket: AppendTicket) { state.withLock { $0.unsettled = ticket } }

  /// Returns when all that was written is on the disk, so that ``settledEnd(of:stream:seekCount:)`` tells of it.
  func settled() async throws {
    guard let ticket = state.withLock({ $0.unsettled }) else { return }
    try await ticket.durableUnlessCancelled()
    state.withLock { $0.unsettled = nil }
  }

  // MARK: Putting back

  /// What goes to the sink again; nil when nothing does.
  var putBack: PutBack? {
    let end = state.withLock { $0.putBackEnd }
    let cursor = consumer.cursor
    return end > cursor ? PutBack(cursor: cursor, inFlightEnd: consumer.inFlightEnd, end: end) : nil
  }

  /// Dead letters that the sink has not been given again, and those of them that were put back. Blocking: reads what it has not counted.
  func counts() throws(QueueError) -> (kept: UInt64, putBack: UInt64) {
    let end = queue.durableEnd
    return try counted(upTo: end) { (_, count) in (count.kept, count.putBack) }
  }

  /// Everything that is durable now goes to the sink again. Blocking; on the disk on return.
  /// - Returns: how many dead letters that are, those among them that were put back before and are not delivered yet.
  func putBackAll() throws(QueueError) -> UInt64 {
    try counted(upTo: queue.durableEnd) { (state, count) throws(QueueError) in
      guard count.kept > count.putBack else { return count.kept }
      var count = count
      try consumer.commit(consumer.cursor, inFlightEnd: consumer.inFlightEnd, sinkState: Self.bytes(of: count.end))
      state.putBackEnd = count.end
      count.putBack = count.kept
      state.count = count
      return count.kept
    }
  }

  /// Lets go of what the cursor holds although none of it is this sink's: others' dead letters would wait for room behind it for ever.
  func passOthers() throws(QueueError) {
    try counted(upTo: queue.durableEnd) { (state, count) throws(QueueError) in
      guard state.putBackEnd <= consumer.cursor, count.kept == 0, count.end > consumer.cursor else { return }
      try consumer.commit(count.end, sinkState: Self.bytes(of: state.putBackEnd))
    }
  }

  /// Commits how far they are delivered. Blocking; on the disk on return.
  /// - Parameter letters: how many dead letters of this sink lie between the committed cursor and this one; nil when that isn't known.
  func commit(_ cursor: Offset, inFlightEnd: Offset?, letters: UInt64?, dropping dropped: Bool = false) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      try consumer.commit(cursor, inFlightEnd: inFlightEnd, sinkState: Self.bytes(of: state.putBackEnd), dropping: dropped)
      guard let letters, var count = state.count, count.putBack >= letters else {
        state.count = nil
        return
      }
      count.kept -= letters
      count.putBack -= letters
      state.count = count
    }
  }

  /// Takes back that the rest is put back: from `cursor` on they stay dead letters. Blocking; on the disk on return.
  func endPutBack(at cursor: Offset) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      try consumer.commit(cursor, inFlightEnd: nil, sinkState: Self.bytes(of: cursor))
      state.putBackEnd = cursor
      state.count = nil
    }
  }

  /// Reads dead letters; see ``SegmentQueue/QueueConsumer/read(from:limits:)``.
  func read(from offset: Offset, limits: BatchLimits) throws(QueueError) -> QueueBatch? {
    try state.withLock { _ throws(QueueError) in try consumer.read(from: offset, limits: limits) }
  }

  /// The slice holds dead letters of this sink.
  func isOwn(_ slice: BlockSlice) -> Bool { slice.block.header.source == writer.id }

  /// Counts up to `end` and goes on with the count under the lock. Counted in pieces: the sink's own delivery doesn't wait for all of it.
  private func counted<R>(upTo end: Offset, _ body: (inout State, Count) throws(QueueError) -> R) throws(QueueError) -> R {
    while true {
      let result = try state.withLock { state throws(QueueError) -> R? in
        let count = state.count ?? Count(end: consumer.cursor)
        if count.end < end, try countMore(count, &state) { return nil }
        return try body(&state, state.count ?? count)
      }
      if let result { return result }
    }
  }

  /// Adds what one read gives; false at the durable end.
  private func countMore(_ count: Count, _ state: inout State) throws(QueueError) -> Bool {
    guard let batch = try consumer.read(from: count.end, limits: BatchLimits(maxBytes: Self.countedBytes)) else { return false }
    var count = count
    if case .records(let slices) = batch.content {
      for slice in slices where isOwn(slice) {
        count.kept += UInt64(slice.recordCount)
        let end = min(slice.range.upperBound, state.putBackEnd)
        if end > slice.range.lowerBound { count.putBack += UInt64(end - slice.range.lowerBound) }
      }
    }
    count.end = batch.next
    state.count = count
    return true
  }

  // MARK: The consumer's state

  private static func bytes(of putBackEnd: Offset) -> [UInt8] { [stateVersion] + LittleEndian.bytes(of: putBackEnd.rawValue) }

  private static func putBackEnd(in state: [UInt8]?) -> Offset {
    guard let state, state.count == 9, state[0] == stateVersion else { return .zero }
    return Offset(LittleEndian.integer(state[1..<9]))
  }
}
