public import RecordBlocks

/// Competing workers of one consumer: each borrows a range for a time and acknowledges it, in any order.
///
/// The order that holds: what is lent is in the consumer's file before its records are given, so that after a crash the count of deliveries is
/// not too low and a worker that still has the range may go on; what was acknowledged is there before that is answered. A range whose
/// lease ran out is given again before anything new.
extension QueueConsumer {
  // MARK: Lending

  /// Lends the oldest range that came back, else the next new records within the limits. On the disk on return. Blocking.
  ///
  /// Where deliveries are counted, a range that came back is lent in halves, and only a record by itself that was lent too often is to be set
  /// aside: so a few rounds find the records that nobody can deal with, and the others go on. (With one delivery there is no second one: then
  /// the whole range is.)
  /// - Parameter duration: how long it is lent, from ``started(_:for:)`` on; 12 hours at most.
  public func lease(_ limits: BatchLimits, for duration: Duration) throws(QueueError) -> LeaseAnswer {
    let age = queue.openAge
    let now = queue.clock.monotonic()
    let version = leasesChanged.version
    return try state.withLock { state throws(QueueError) in
      state.lastCallAge = age
      var file = try state.file.get()
      let (record, known) = try leaseRecord(file)
      var ledger = known
      if let loss = newLoss(record, ledger) {
        ledger.lose(upTo: loss.end, tally: try queue.makeReader().tally(at: loss.end), floor: record.tally)
        // Of what is gone nothing can be given again; who has a part of it on loan has it no longer.
        state.loans = state.loans.filter { $0.key >= loss.end }
      }
      state.loans = state.loans.filter { !$0.value.isOver(at: now) }
      let milliseconds = UInt32(clamping: duration.nanosecondsClamped / 1_000_000)

      if let index = waiting(record, ledger, state.loans) {
        let first = ledger.first(of: index, floor: record.cursor)
        let deliveries = Int(ledger.ranges[index].deliveries)
        let most = Int(ledger.maxDeliveries)
        let count = ledger.ranges[index].end - first
        if most > 0, deliveries >= most, count == 1 || most == 1, ledger.ranges[index].kind == .open {
          state.loans[first] = Loan(state: .beingSetAside)
          let id = LeaseID(record, ledger, first..<ledger.ranges[index].end, delivery: UInt16(deliveries))
          return .exhausted(id, deliveries: deliveries)
        }
        var limits = limits
        let isHalved = most > 1 && deliveries > 0 && count > 1 && ledger.ranges[index].kind == .open
        if isHalved { limits.maxRecords = min(limits.maxRecords, (count + 1) / 2) }
        if let found = try again(index, limits, record, &ledger, &state) {
          // Each part has its deliveries before it: it was lent as a part of something larger, once as good as often.
          if isHalved, ledger.ranges[index].end - first < count { ledger.ranges[index + 1].deliveries = 1 }
          ledger.ranges[index].deliveries = isHalved ? 2 : UInt16(clamping: deliveries + 1)
          ledger.ranges[index].duration = max(1, milliseconds)
          return .granted(try grant(found, index, record, ledger, &file, &state))
        }
      }
      let end = ledger.end(floor: record.cursor)
      if ledger.takesNew, let found = try read(from: end, to: nil, limits, &state) {
        var inside = found.tally
        inside.subtract(ledger.tally(before: ledger.ranges.count, floor: record.tally))
        ledger.ranges.append(.init(kind: .open, end: found.next, deliveries: 1, duration: max(1, milliseconds), tally: inside))
        return .granted(try grant(found, ledger.ranges.count - 1, record, ledger, &file, &state))
      }
      let leaseEnd = state.loans.values.compactMap { loan in if case .until(let end) = loan.state { end } else { nil } }.min()
      return .nothing(
        LeaseWait(
          end: ledger.takesNew ? end : nil, version: version,
          leaseEnd: leaseEnd.map { .nanoseconds(Int64(clamping: $0 - min($0, now))) }))
    }
  }

  /// What was read for a lease.
  private struct Found {
    var next: Offset
    var gap: (content: Gap, end: Offset)?
    var slices: [BlockSlice] = []
    var recordCount = 0
    var byteCount = 0
    /// The queue's counters at `next`.
    var tally: Tally

    init(_ gap: Gap, upTo end: Offset, _ tally: Tally) {
      self.gap = (gap, end)
      (next, self.tally) = (end, tally)
    }

    init(_ slices: [BlockSlice], _ batch: QueueBatch, behind gap: (content: Gap, end: Offset)?) {
      self.gap = gap
      self.slices = slices
      (next, recordCount, byteCount, tally) = (batch.next, batch.recordCount, batch.byteCount, batch.tally)
    }
  }

  /// Writes the ledger with the range at `index` on loan.
  private func grant(
    _ found: Found, _ index: Int, _ record: CursorRecord, _ ledger: LeaseLedger, _ file: inout CursorFile, _ state: inout State
  ) throws(QueueError) -> LeasedBatch {
    let range = ledger.first(of: index, floor: record.cursor)..<ledger.ranges[index].end
    try commit(ledger, &file, &state)
    state.loans[range.lowerBound] = Loan(state: .beingSent)
    let end = queue.monitor.withLock { $0.durableTally }
    return LeasedBatch(
      lease: LeaseID(record, ledger, range, delivery: ledger.ranges[index].deliveries), deliveries: Int(ledger.ranges[index].deliveries),
      gap: found.gap, slices: found.slices, recordCount: found.recordCount, byteCount: found.byteCount,
      lag: (end.records - min(found.tally.records, end.records), end.bytes - min(found.tally.bytes, end.bytes)))
  }

  /// Reads the range at `index` once more, or as much from its beginning as the limits allow: then it is cut. Nil when it would have to be
  /// cut and there is no room for that: some lease will end.
  private func again(_ index: Int, _ limits: BatchLimits, _ record: CursorRecord, _ ledger: inout LeaseLedger, _ state: inout State)
    throws(QueueError) -> Found?
  {
    let range = ledger.ranges[index]
    let first = ledger.first(of: index, floor: record.cursor)
    if range.kind == .lost {
      let loss = record.loss ?? CursorRecord.Loss(end: range.end, reason: .retention)
      var gap = loss.gap(from: Tally(), to: range.tally)
      gap.leaveOut(range.acknowledged)
      gap.tellTime(queue.clock.wall())
      return Found(gap, upTo: range.end, ledger.tally(before: index + 1, floor: record.tally))
    }
    guard let found = try read(from: first, to: range.end, limits, &state) else {
      throw QueueError(.io, "the queue gave nothing at offset \(first), although records up to \(queue.durableEnd) are durable")
    }
    if found.next < range.end {
      let loans = state.loans
      while ledger.openCount >= LeaseLedger.rangeLimit {
        guard ledger.joinNeighbours(floor: record.cursor, isWaiting: { $0 > first && loans[$0] == nil }) else { return nil }
      }
      var head = found.tally
      head.subtract(ledger.tally(before: index, floor: record.tally))
      ledger.cut(index, at: found.next, head: head)
    }
    return found
  }

  /// Reads a gap, or records, or a gap and the records behind it.
  private func read(from first: Offset, to end: Offset?, _ limits: BatchLimits, _ state: inout State) throws(QueueError) -> Found? {
    let reader = state.reader ?? queue.makeReader()
    state.reader = reader
    func limited(from offset: Offset) -> BatchLimits {
      guard let end else { return limits }
      return BatchLimits(maxRecords: min(limits.maxRecords, end - offset), maxBytes: limits.maxBytes)
    }
    guard let batch = try reader.read(from: first, limits: limited(from: first)) else { return nil }
    switch batch.content {
    case .records(let slices): return Found(slices, batch, behind: nil)
    case .gap(let gap):
      let gapEnd = end.map { min($0, batch.next) } ?? batch.next
      guard end.map({ gapEnd < $0 }) ?? true, let more = try reader.read(from: gapEnd, limits: limited(from: gapEnd)),
        case .records(let slices) = more.content
      else { return Found(gap, upTo: gapEnd, batch.tally) }
      return Found(slices, more, behind: (gap, gapEnd))
    }
  }

  /// The oldest range that is to be given again. What is as good as set aside waits while something else is being set aside.
  private func waiting(_ record: CursorRecord, _ ledger: LeaseLedger, _ loans: [Offset: Loan]) -> Int? {
    let isSettingAside = loans.values.contains { loan in if case .beingSetAside = loan.state { true } else { false } }
    return ledger.ranges.indices.first { index in
      let range = ledger.ranges[index]
      guard range.kind != .acknowledged, loans[ledger.first(of: index, floor: record.cursor)] == nil else { return false }
      return !isSettingAside || ledger.maxDeliveries == 0 || range.deliveries < ledger.maxDeliveries || range.kind == .lost
    }
  }

  /// Records at the cursor are gone, and the ledger doesn't know it.
  private func newLoss(_ record: CursorRecord, _ ledger: LeaseLedger) -> CursorRecord.Loss? {
    let start = queue.startOffset
    guard let loss = record.loss ?? (record.cursor < start ? CursorRecord.Loss(end: start, reason: .retention) : nil) else { return nil }
    if let first = ledger.ranges.first, first.kind == .lost, first.end >= loss.end { return nil }
    return loss.end > record.cursor ? loss : nil
  }

  // MARK: On loan

  /// The last byte of the range was sent: now its time begins.
  public func started(_ id: LeaseID, for duration: Duration) {
    let end = queue.clock.monotonic() &+ duration.nanosecondsClamped
    state.withLock { state in
      guard case .success(let file) = state.file, let (record, ledger) = try? leaseRecord(file), index(of: id, record, ledger) != nil,
        case .beingSent? = state.loans[id.range.lowerBound]?.state
      else { return }
      state.loans[id.range.lowerBound] = Loan(state: .until(end))
    }
    leasesChanged.signal()
  }

  /// The range didn't reach whoever asked: it is as if it had not been given. Blocking.
  public func takeBack(_ id: LeaseID) throws(QueueError) {
    try changeRange(id) { range in
      range.deliveries -= min(1, range.deliveries)
      range.duration = 0
      return nil
    }
  }

  /// Lends the range for so long from now on. On the disk on return. Blocking.
  /// - Throws: ``QueueError``: `leaseLost`.
  public func extend(_ id: LeaseID, for duration: Duration) throws(QueueError) {
    let end = queue.clock.monotonic() &+ duration.nanosecondsClamped
    let milliseconds = max(1, UInt32(clamping: duration.nanosecondsClamped / 1_000_000))
    try changeRange(id) { range in
      range.duration = milliseconds
      return Loan(state: .until(end))
    }
  }

  /// Gives the range back before its time is over: it is lent again at once. On the disk on return. Blocking.
  /// - Throws: ``QueueError``: `leaseLost`.
  public func release(_ id: LeaseID) throws(QueueError) {
    try changeRange(id) { range in
      range.duration = 0
      return nil
    }
  }

  /// What was to be set aside couldn't be: it is tried again after a time.
  public func postpone(_ id: LeaseID, by time: Duration) {
    let end = queue.clock.monotonic() &+ time.nanosecondsClamped
    state.withLock { state in
      guard case .beingSetAside? = state.loans[id.range.lowerBound]?.state else { return }
      state.loans[id.range.lowerBound] = Loan(state: .until(end))
    }
    leasesChanged.signal()
  }

  /// The range's end turned out to be further back: what is behind it waits as if it had not been given. On the disk on return. Blocking.
  /// - Returns: the lease of the shorter range.
  public func shorten(_ id: LeaseID, to end: Offset) throws(QueueError) -> LeaseID {
    guard end < id.range.upperBound else { return id }
    return try state.withLock { state throws(QueueError) in
      var file = try state.file.get()
      let (record, known) = try leaseRecord(file)
      var ledger = known
      guard let index = index(of: id, record, ledger), let loan = state.loans[id.range.lowerBound] else { throw lost(id) }
      var head = try queue.makeReader().tally(at: end)
      head.subtract(ledger.tally(before: index, floor: record.tally))
      ledger.cut(index, at: end, head: head)
      ledger.ranges[index + 1].deliveries -= min(1, ledger.ranges[index + 1].deliveries)
      ledger.ranges[index + 1].duration = 0
      try commit(ledger, &file, &state)
      state.loans[id.range.lowerBound] = loan
      return LeaseID(record, ledger, id.range.lowerBound..<end, delivery: id.delivery)
    }
  }

  /// The range is dealt with. On the disk on return; the cursor passes all that is acknowledged without a hole. What was acknowledged before
  /// may be acknowledged again: an answer may have been lost. Blocking.
  /// - Throws: ``QueueError``: `leaseLost`.
  public func acknowledge(_ id: LeaseID) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      var file = try state.file.get()
      let (record, known) = try leaseRecord(file)
      var ledger = known
      guard let index = index(of: id, record, ledger) else {
        if isOurs(id, record, ledger), ledger.hasAcknowledged(id.range, floor: record.cursor) { return }
        throw lost(id)
      }
      var lost = Tally()
      if ledger.ranges[index].kind == .lost {
        lost = ledger.ranges[index].tally
        lost.subtract(ledger.ranges[index].acknowledged)
      }
      ledger.acknowledge(index)
      let passed = ledger.ranges.first?.kind == .acknowledged ? ledger.ranges.removeFirst() : nil
      let age = queue.openAge
      state.lastCallAge = age
      try change(&file, &state) { new in
        if let passed {
          new.cursor = passed.end
          new.tally.add(passed.tally)
          if passed.tally.lost > 0 { new.loss?.gapBytes = 0 }
          if let loss = new.loss, passed.end >= loss.end { new.loss = nil }
        }
        new.lostRecords = new.lostRecords.addingClamped(lost.records)
        new.lostBytes = new.lostBytes.addingClamped(lost.bytes)
        new.ledger = ledger
        new.inFlightEnd = ledger.ranges.last?.end
        new.lastCallAge = age
      }
      state.loans[id.range.lowerBound] = nil
    }
    queue.consumerMoved()
    leasesChanged.signal()
  }

  private func changeRange(_ id: LeaseID, _ body: (inout LeaseLedger.Range) -> Loan?) throws(QueueError) {
    let age = queue.openAge
    try state.withLock { state throws(QueueError) in
      state.lastCallAge = age
      var file = try state.file.get()
      let (record, known) = try leaseRecord(file)
      var ledger = known
      guard let index = index(of: id, record, ledger) else { throw lost(id) }
      if case .beingSetAside? = state.loans[id.range.lowerBound]?.state { throw lost(id) }
      let loan = body(&ledger.ranges[index])
      if ledger != record.ledger { try commit(ledger, &file, &state) }
      state.loans[id.range.lowerBound] = loan
    }
    leasesChanged.signal()
  }

  private func commit(_ ledger: LeaseLedger, _ file: inout CursorFile, _ state: inout State) throws(QueueError) {
    let age = state.lastCallAge
    try change(&file, &state) { new in
      new.ledger = ledger
      // What recovery must not give again under another record.
      new.inFlightEnd = ledger.ranges.last?.end
      new.lastCallAge = age
    }
  }

  private func isOurs(_ id: LeaseID, _ record: CursorRecord, _ ledger: LeaseLedger) -> Bool {
    id.nonce == ledger.nonce && id.seekCount == record.seekCount
  }

  /// The range of a lease that is the last one of it.
  private func index(of id: LeaseID, _ record: CursorRecord, _ ledger: LeaseLedger) -> Int? {
    guard isOurs(id, record, ledger), let index = ledger.index(of: id.range, floor: record.cursor),
      ledger.ranges[index].deliveries == id.delivery
    else { return nil }
    return index
  }

  private func lost(_ id: LeaseID) -> QueueError {
    QueueError(
      .leaseLost,
      "the lease of \(id.range) ended, and its records were given again or are gone; acknowledge or extend a lease before it ends")
  }

  private func leaseRecord(_ file: CursorFile) throws(QueueError) -> (CursorRecord, LeaseLedger) {
    let record = file.current
    guard let ledger = record.ledger else {
      throw QueueError(.wrongMode, "consumer '\(name)' has a cursor that is committed; leases are for a consumer that is made for them")
    }
    return (record, ledger)
  }

  // MARK: Waiting

  /// Returns when a call for a lease may get something that has got nothing, at the deadline, when the queue closes or the task is
  /// cancelled.
  public func waitForLease(_ wait: LeaseWait, until deadline: ContinuousClock.Instant) async {
    let leaseEnd = wait.leaseEnd.map { ContinuousClock.now + $0 } ?? deadline
    await withTaskGroup(of: Void.self) { [queue, leasesChanged] group in
      group.addTask { _ = await queue.waitForRecords(beyond: wait.end ?? Offset(.max), until: min(leaseEnd, deadline)) }
      group.addTask { await leasesChanged.wait(beyond: wait.version) }
      await group.next()
      group.cancelAll()
    }
  }

  /// Whoever waits for a lease looks again: there is something to lend that the queue doesn't know of.
  public func wakeWaiting() { leasesChanged.signal() }

  // MARK: Settings and facts

  /// Changes after how many deliveries a range is set aside; 0 for never. Blocking; durable on return.
  public func changeMaxDeliveries(to count: Int) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      var file = try state.file.get()
      let (_, ledger) = try leaseRecord(file)
      let count = UInt16(clamping: count)
      if ledger.maxDeliveries != count { try change(&file, &state) { $0.ledger?.maxDeliveries = count } }
    }
  }

  /// The loans that a file tells of: each lasts as long as it was given for, from now on.
  static func loans(of record: CursorRecord, now: UInt64) -> [Offset: Loan] {
    guard let ledger = record.ledger else { return [:] }
    var loans: [Offset: Loan] = [:]
    for (index, range) in ledger.ranges.enumerated() where range.duration > 0 {
      loans[ledger.first(of: index, floor: record.cursor)] = Loan(state: .until(now &+ UInt64(range.duration) * 1_000_000))
    }
    return loans
  }

  static func leaseStatus(_ record: CursorRecord, _ loans: [Offset: Loan], now: UInt64) -> LeaseStatus? {
    guard let ledger = record.ledger else { return nil }
    let onLoan = loans.values.count { !$0.isOver(at: now) }
    let ahead = ledger.acknowledged(floor: record.cursor, lossEnd: record.loss?.end ?? .zero).ahead
    return LeaseStatus(
      onLoan: onLoan, waiting: ledger.openCount - min(onLoan, ledger.openCount), acknowledgedAhead: ledger.acknowledgedCount,
      acknowledgedRecords: ahead.records, acknowledgedBytes: ahead.bytes, maxDeliveries: Int(ledger.maxDeliveries))
  }
}
