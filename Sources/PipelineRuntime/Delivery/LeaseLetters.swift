internal import PipelineCore
public import RecordBlocks
public import SegmentQueue
internal import Synchronization

/// What becomes of records that no worker of a consumer of leases acknowledges: dead letters, and those that are put back.
///
/// What is put back is lent to one worker at a time, in the order of the dead-letter queue, before anything of the queue itself. How often it
/// was lent is counted in memory: a process that starts anew counts anew.
public final class LeaseLetters: Sendable {
  /// Dead letters on loan, as the records that they hold.
  public struct Batch: Sendable {
    /// What they are acknowledged, extended or released by.
    public var lease: String
    /// The queue whose offsets ``range`` has.
    public var queue: SegmentQueue
    /// The dead letters.
    public var range: Range<Offset>
    /// Their records.
    public var slices: [BlockSlice]
    /// Bytes of the records' lines.
    public var byteCount: Int
    /// How often they were lent since they were put back, this time included.
    public var deliveries: Int
  }

  /// What a call for a lease gets of what was put back.
  public enum Answer: Sendable {
    /// Nothing is put back.
    case nothing
    /// Dead letters, to be told as sent by ``started(_:of:for:)``, or as not sent by ``release(_:of:)``.
    case granted(Batch)
    /// They were lent as often as they may be. Whoever gets this calls ``keepAgain(_:of:)``.
    case exhausted(Range<Offset>, deliveries: Int)
  }

  private struct Loan {
    var id: String
    var range: Range<Offset>
    var letters: UInt64
    var deliveries: Int
    var maxDeliveries: Int
    /// Nil while it is being sent, or set aside again.
    var end: ContinuousClock.Instant?
  }

  /// Dead letters that came back: lent in halves, as ranges of the queue are.
  private struct Returned {
    /// Where the last of them began.
    var first: Offset
    /// Up to here no more than `most` are lent at once.
    var end: Offset
    var most: Int
    /// How often the one at `first` was lent by itself.
    var deliveries: Int
    /// These were lent for the last time.
    var exhausted: Range<Offset>?
  }

  private struct State {
    var loans: [String: Loan] = [:]
    var returned: [String: Returned] = [:]
    var lastAcknowledged: [String: String] = [:]
    var counter: UInt64 = 0
  }

  private let office: DeadLetterOffice
  private let queue: SegmentQueue
  private let state = Mutex(State())
  /// Tells the leases of this process from those of another one.
  private let nonce = UInt32.random(in: 0 ... .max)

  /// The dead letters of a queue's consumers of leases.
  public init(_ office: DeadLetterOffice, _ queue: SegmentQueue) {
    self.office = office
    self.queue = queue
  }

  // MARK: Setting aside

  /// Writes the records of a range that was given as often as it may be to the dead-letter queue, then acknowledges it. Suspends while that
  /// queue is full.
  ///
  /// The order that holds: the records are on the disk as dead letters, under a checkpoint that tells of the range; then it is acknowledged.
  /// After a crash in between the checkpoint tells which of them are there.
  /// - Returns: how many records are dead letters that weren't before.
  @discardableResult
  public func setAside(_ lease: LeaseID, deliveries: Int, of consumer: QueueConsumer) async throws -> UInt64 {
    let (office, queue) = (office, queue)
    return try await ThreadExecutor.run(named: "dead letters") { () async throws(any Error) in
      let box = try office.box(of: consumer.name)
      try await box.settled()
      var mail = DeadLetterMail(
        box, queue.id, stream: DeadLetterMail.leaseStream, seekCount: consumer.seekCount, from: lease.range.lowerBound,
        reason: "max_deliveries", status: "\(deliveries) deliveries")
      var offset = lease.range.lowerBound
      while offset < lease.range.upperBound {
        let limits = BatchLimits(maxRecords: lease.range.upperBound - offset, maxBytes: 1 << 20)
        guard let batch = try consumer.read(from: offset, limits: limits) else { break }
        if case .records(let slices) = batch.content { try await mail.append(slices) }
        offset = batch.next
      }
      let count = try await mail.finish()
      try consumer.acknowledge(lease)
      return count
    }
  }

  /// Writes dead letters that came back too often to the dead-letter queue's end, then passes them.
  public func keepAgain(_ range: Range<Offset>, of consumer: String, deliveries: Int) async throws {
    let office = office
    defer {
      state.withLock { state in
        state.loans[consumer] = nil
        state.returned[consumer]?.exhausted = nil
      }
    }
    try await ThreadExecutor.run(named: "dead letters") { () async throws(any Error) in
      guard let box = office.openBox(of: consumer), box.consumer.cursor == range.lowerBound else { return }
      try await box.settled()
      var mail = DeadLetterMail(
        box, box.queue.id, stream: DeadLetterMail.againStream, seekCount: box.consumer.seekCount, reason: "max_deliveries",
        status: "\(deliveries) deliveries")
      let limits = BatchLimits(maxRecords: range.upperBound - range.lowerBound, maxBytes: .max)
      guard let batch = try box.read(from: range.lowerBound, limits: limits), batch.next == range.upperBound else { return }
      var count = 0
      if case .records(let slices) = batch.content {
        try await mail.appendAgain(slices)
        count = batch.recordCount
      }
      _ = try await mail.finish()
      try box.commit(range.upperBound, inFlightEnd: nil, letters: UInt64(count))
    }
  }

  // MARK: Lending

  /// Lends the next dead letters that were put back. Blocking.
  public func lend(to consumer: String, _ limits: BatchLimits, maxDeliveries: Int) throws(QueueError) -> Answer {
    // Nothing put back: no lock, no disk.
    guard let box = office.openBox(of: consumer), box.putBack != nil else { return .nothing }
    return try state.withLock { state throws(QueueError) in
      if let loan = state.loans[consumer] {
        guard let end = loan.end, end <= .now else { return .nothing }
        Self.giveBack(consumer, &state)
      }
      while let putBack = box.putBack {
        var limits = limits
        limits.maxRecords = min(limits.maxRecords, putBack.end - putBack.cursor)
        var deliveries = 0
        if let returned = state.returned[consumer], returned.end > putBack.cursor {
          deliveries = returned.first == putBack.cursor ? returned.deliveries : 1
          limits.maxRecords = min(limits.maxRecords, returned.most, returned.end - putBack.cursor)
          if let exhausted = returned.exhausted, exhausted.lowerBound == putBack.cursor {
            state.loans[consumer] = Loan(
              id: "", range: exhausted, letters: 0, deliveries: deliveries, maxDeliveries: maxDeliveries, end: nil)
            return .exhausted(exhausted, deliveries: deliveries)
          }
        }
        guard let found = try DeadLetterReader(box).read(from: putBack.cursor, limits: limits, exactEnd: nil) else { return .nothing }
        switch found {
        case .others(let next), .unreadable(let next), .gap(_, let next): try box.commit(next, inFlightEnd: nil, letters: nil)
        case .batch(let loaded):
          state.counter += 1
          let id = "d\(String(nonce, radix: 16))-\(state.counter)"
          state.loans[consumer] = Loan(
            id: id, range: loaded.range, letters: UInt64(loaded.recordCount), deliveries: deliveries + 1, maxDeliveries: maxDeliveries,
            end: nil)
          guard case .records(let slices) = loaded.content else { preconditionFailure("dead letters are records") }
          return .granted(
            Batch(
              lease: id, queue: box.queue, range: loaded.range, slices: slices, byteCount: loaded.byteCount, deliveries: deliveries + 1))
        }
      }
      return .nothing
    }
  }

  /// The lease is one of dead letters.
  public static func isOne(_ lease: String) -> Bool { lease.hasPrefix("d") && LeaseID(lease) == nil }

  /// Its last byte was sent: its time begins. Also extends it.
  /// - Throws: ``SegmentQueue/QueueError``: `leaseLost`.
  public func started(_ lease: String, of consumer: String, for duration: Duration) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      guard state.loans[consumer]?.id == lease else { throw Self.lost }
      state.loans[consumer]!.end = .now + duration
    }
  }

  /// The dead letters come back, and are lent again.
  /// - Throws: ``SegmentQueue/QueueError``: `leaseLost`.
  public func release(_ lease: String, of consumer: String) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      guard state.loans[consumer]?.id == lease else { throw Self.lost }
      Self.giveBack(consumer, &state)
    }
  }

  /// The dead letters are dealt with. On the disk on return. Blocking.
  /// - Throws: ``SegmentQueue/QueueError``: `leaseLost`.
  public func acknowledge(_ lease: String, of consumer: String) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      guard let loan = state.loans[consumer], loan.id == lease, let box = office.openBox(of: consumer) else {
        if state.lastAcknowledged[consumer] == lease { return }
        throw Self.lost
      }
      try box.commit(loan.range.upperBound, inFlightEnd: nil, letters: loan.letters)
      state.loans[consumer] = nil
      state.lastAcknowledged[consumer] = lease
    }
  }

  private static func giveBack(_ consumer: String, _ state: inout State) {
    guard let loan = state.loans.removeValue(forKey: consumer) else { return }
    let known = state.returned[consumer].flatMap { $0.end >= loan.range.upperBound ? $0 : nil }
    let count = loan.range.upperBound - loan.range.lowerBound
    let isExhausted = loan.maxDeliveries > 0 && loan.deliveries >= loan.maxDeliveries && (count == 1 || loan.maxDeliveries == 1)
    state.returned[consumer] = Returned(
      first: loan.range.lowerBound, end: known?.end ?? loan.range.upperBound,
      most: loan.maxDeliveries > 1 ? min(known?.most ?? .max, (count + 1) / 2) : .max, deliveries: count == 1 ? loan.deliveries : 1,
      exhausted: isExhausted ? loan.range : nil)
  }

  private static var lost: QueueError {
    QueueError(.leaseLost, "the lease of dead letters that were put back has ended, and they were given again")
  }
}
