import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

extension LeaseAnswer {
  var granted: LeasedBatch? { if case .granted(let batch) = self { batch } else { nil } }
  var exhausted: LeaseID? { if case .exhausted(let id, _) = self { id } else { nil } }
  var isNothing: Bool { if case .nothing = self { true } else { false } }
}

extension LeasedBatch {
  /// The raw offsets of its records.
  var offsets: Range<UInt64> { lease.range.lowerBound.rawValue..<lease.range.upperBound.rawValue }
}

@Suite(.timeLimit(.minutes(5))) struct LeaseTests {
  private static let minute = Duration.seconds(60)

  private func filled(_ fixture: QueueFixture, _ count: Int = 100, maxDeliveries: Int = 0) async throws -> (SegmentQueue, QueueConsumer) {
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<count))
    return (queue, try queue.consumer("workers", kind: .lease, maxDeliveries: maxDeliveries))
  }

  /// Borrows up to `count` records, and says that they arrived.
  private func borrow(_ consumer: QueueConsumer, _ count: Int = 10, for duration: Duration = minute) throws -> LeasedBatch? {
    guard let batch = try consumer.lease(BatchLimits(maxRecords: count, maxBytes: 1 << 20), for: duration).granted else { return nil }
    consumer.started(batch.lease, for: duration)
    return batch
  }

  @Test func `workers get ranges of their own, and the cursor passes what is acknowledged without a hole`() async throws {
    let (queue, consumer) = try await filled(QueueFixture())
    let leases = try (0..<4).map { _ in try #require(try borrow(consumer)) }
    #expect(leases.map(\.offsets) == [0..<10, 10..<20, 20..<30, 30..<40])
    #expect(
      try leases[1].slices.flatMap { try $0.lines().withUnsafeBytes { Array($0) } }
        == Array((numbered(10..<20).joined(separator: "\n") + "\n").utf8))
    #expect(leases[1].lag.records == 80)
    try consumer.acknowledge(leases[1].lease)
    try consumer.acknowledge(leases[3].lease)
    var facts = try #require(consumer.status().leases)
    #expect((facts.onLoan, facts.waiting, facts.acknowledgedAhead, facts.acknowledgedRecords) == (2, 0, 2, 20))
    #expect(consumer.cursor == .zero && consumer.status().lagRecords == 80)
    try consumer.acknowledge(leases[0].lease)
    #expect(consumer.cursor == Offset(20))
    try consumer.acknowledge(leases[2].lease)
    #expect(consumer.cursor == Offset(40))
    facts = try #require(consumer.status().leases)
    #expect((facts.onLoan, facts.acknowledgedAhead) == (0, 0) && consumer.status().lagRecords == 60)
    try consumer.acknowledge(leases[2].lease)
    await queue.close()
  }

  @Test func `a range whose lease ran out is given before new records, and only the last delivery of it counts`() async throws {
    let fixture = QueueFixture()
    let (queue, consumer) = try await filled(fixture)
    let first = try #require(try borrow(consumer))
    let second = try #require(try borrow(consumer, for: .seconds(3600)))
    fixture.clock.advance(by: .seconds(61))
    // Nobody else has it yet.
    try consumer.extend(first.lease, for: Self.minute)
    #expect(try #require(try borrow(consumer)).offsets == 20..<30)
    fixture.clock.advance(by: .seconds(61))
    let again = try #require(try borrow(consumer))
    #expect(again.offsets == first.offsets && again.deliveries == 2)
    for late in [
      { try consumer.acknowledge(first.lease) }, { try consumer.extend(first.lease, for: .seconds(9)) },
      { try consumer.release(first.lease) },
    ] {
      #expect { try late() } throws: { ($0 as? QueueError)?.code == .leaseLost }
    }
    try consumer.acknowledge(again.lease)
    #expect(consumer.cursor == Offset(10))
    // What has been acknowledged since, by whomever, may be acknowledged again.
    try consumer.acknowledge(first.lease)
    try consumer.acknowledge(second.lease)
    #expect(consumer.cursor == Offset(20))
    await queue.close()
  }

  @Test func `what is released is given at once, and what never arrived doesn't count as given`() async throws {
    let (queue, consumer) = try await filled(QueueFixture())
    let first = try #require(try borrow(consumer))
    try consumer.release(first.lease)
    let limits = BatchLimits(maxRecords: 4, maxBytes: 1 << 20)
    let second = try #require(try consumer.lease(limits, for: Self.minute).granted)
    #expect(second.offsets == 0..<4 && second.deliveries == 2, "a smaller range is cut off its beginning")
    try consumer.takeBack(second.lease)
    let third = try #require(try consumer.lease(limits, for: Self.minute).granted)
    #expect(third.offsets == 0..<4 && third.deliveries == 2)
    #expect(try #require(try borrow(consumer)).offsets == 4..<10)
    #expect(try #require(try borrow(consumer)).offsets == 10..<20)
    await queue.close()
  }

  @Test func `a range that is being sent has no end until it was, and a lease that is not begun by anyone is not over`() async throws {
    let fixture = QueueFixture()
    let (queue, consumer) = try await filled(fixture, 10)
    let batch = try #require(try consumer.lease(BatchLimits(maxBytes: 1 << 20), for: Self.minute).granted)
    fixture.clock.advance(by: .seconds(600))
    #expect(try consumer.lease(BatchLimits(maxBytes: 1 << 20), for: Self.minute).isNothing)
    consumer.started(batch.lease, for: Self.minute)
    fixture.clock.advance(by: .seconds(59))
    #expect(try consumer.lease(BatchLimits(maxBytes: 1 << 20), for: Self.minute).isNothing)
    fixture.clock.advance(by: .seconds(2))
    #expect(try consumer.lease(BatchLimits(maxBytes: 1 << 20), for: Self.minute).granted?.deliveries == 2)
    await queue.close()
  }

  @Test func `what comes back goes in halves, and only a record by itself that nobody acknowledges is to be set aside`() async throws {
    let fixture = QueueFixture()
    let (queue, consumer) = try await filled(fixture, 10, maxDeliveries: 3)
    func next() throws -> LeaseAnswer { try consumer.lease(BatchLimits(maxBytes: 1 << 20), for: Self.minute) }
    var refused: [Range<UInt64>] = []
    var dealtWith: [UInt64] = []
    while let batch = try next().granted {
      consumer.started(batch.lease, for: Self.minute)
      if batch.offsets.contains(4) {
        refused.append(batch.offsets)
        try consumer.release(batch.lease)
        if batch.offsets.count == 1, batch.deliveries == 3 { break }
      } else {
        dealtWith += batch.offsets
        try consumer.acknowledge(batch.lease)
      }
    }
    #expect(refused == [0..<10, 0..<5, 4..<5, 4..<5])
    let poison = try #require(try next().exhausted)
    #expect(poison.range == Offset(4)..<Offset(5))
    consumer.postpone(poison, by: .seconds(5))
    while let batch = try next().granted {
      dealtWith += batch.offsets
      try consumer.acknowledge(batch.lease)
    }
    #expect(dealtWith.sorted() == [0, 1, 2, 3, 5, 6, 7, 8, 9], "it is tried again after a time")
    #expect(consumer.cursor == Offset(4))
    fixture.clock.advance(by: .seconds(6))
    #expect(try #require(try next().exhausted) == poison)
    #expect(throws: QueueError.self) { try consumer.extend(poison, for: Self.minute) }
    try consumer.acknowledge(poison)
    #expect(consumer.cursor == Offset(10))
    await queue.close()
  }

  @Test func `with one delivery a range is lent once`() async throws {
    let (queue, consumer) = try await filled(QueueFixture(), 10, maxDeliveries: 1)
    try consumer.release(try #require(try borrow(consumer)).lease)
    let range = try #require(try consumer.lease(BatchLimits(maxBytes: 1 << 20), for: Self.minute).exhausted).range
    #expect(range == Offset(0)..<Offset(10))
    await queue.close()
  }

  @Test func `acknowledged ranges, counts and leases survive a restart`() async throws {
    let fixture = QueueFixture()
    var (queue, consumer) = try await filled(fixture)
    let leases = try (0..<4).map { _ in try #require(try borrow(consumer)) }
    try consumer.acknowledge(leases[1].lease)
    try consumer.release(leases[2].lease)
    await queue.close()
    queue = try fixture.open()
    consumer = try queue.knownConsumer("workers")
    #expect(consumer.kind == .lease)
    // Whoever still has one goes on with it.
    try consumer.acknowledge(leases[3].lease)
    try consumer.extend(leases[0].lease, for: Self.minute)
    let again = try #require(try borrow(consumer))
    #expect(again.offsets == 20..<30 && again.deliveries == 2)
    fixture.clock.advance(by: .seconds(61))
    #expect(try #require(try borrow(consumer)).offsets == 0..<10)
    #expect(try #require(try borrow(consumer)).deliveries == 3)
    #expect(try #require(try borrow(consumer)).offsets == 40..<50)
    await queue.close()
  }

  @Test func `a consumer that is set to another place has no leases any more`() async throws {
    let (queue, consumer) = try await filled(QueueFixture())
    let old = try #require(try borrow(consumer))
    try consumer.seek(to: .oldest)
    #expect { try consumer.acknowledge(old.lease) } throws: { ($0 as? QueueError)?.code == .leaseLost }
    #expect(try #require(try borrow(consumer)).offsets == 0..<10)
    try queue.deleteConsumer("workers")
    (queue.clock as! TestClock).advance(by: .seconds(1))
    let other = try queue.consumer("workers", kind: .lease)
    #expect(try #require(try borrow(other)).offsets == 0..<10)
    #expect { try other.acknowledge(old.lease) } throws: { ($0 as? QueueError)?.code == .leaseLost }
    await queue.close()
  }

  @Test func `leases and cursors don't mix`() async throws {
    let (queue, consumer) = try await filled(QueueFixture())
    let nightly = try queue.consumer("nightly", kind: .pull)
    #expect { try nightly.lease(BatchLimits(maxBytes: 100), for: Self.minute) } throws: { ($0 as? QueueError)?.code == .wrongMode }
    #expect { try consumer.commit(Offset(5)) } throws: { ($0 as? QueueError)?.code == .wrongMode }
    #expect { try queue.consumer("workers", kind: .pull) } throws: { ($0 as? QueueError)?.code == .invalidName }
    await queue.close()
  }

  @Test func `as much is on loan as may be, then nothing new; what comes back is still given, in smaller ranges, too`() async throws {
    let fixture = QueueFixture()
    let (queue, consumer) = try await filled(fixture, 1000)
    let leases = try (0..<LeaseLedger.newRangeLimit).map { _ in try #require(try borrow(consumer, 3)) }
    #expect(try borrow(consumer) == nil)
    // Every other one, so that nothing joins.
    for index in stride(from: 1, to: leases.count, by: 2) { try consumer.acknowledge(leases[index].lease) }
    let more = try (0..<LeaseLedger.newRangeLimit / 2).map { _ in try #require(try borrow(consumer, 1)) }
    #expect(try borrow(consumer) == nil && more.count == 128)
    for index in stride(from: 0, to: more.count, by: 2) { try consumer.acknowledge(more[index].lease) }
    #expect(try #require(consumer.status().leases).acknowledgedAhead >= 191)
    fixture.clock.advance(by: .seconds(61))
    var given: Set<UInt64> = []
    while let batch = try borrow(consumer, 1, for: .seconds(1)) {
      #expect(batch.offsets.count == 1 && given.insert(batch.offsets.lowerBound).inserted)
      try consumer.acknowledge(batch.lease)
      if given.count > 2000 { break }
    }
    #expect(consumer.cursor == Offset(1000) && given.count == 1000 - 128 * 3 - 64)
    await queue.close()
  }

  @Test func `the fullest ledger fits a slot`() throws {
    var ledger = LeaseLedger(nonce: 7, maxDeliveries: 5)
    var tally = Tally()
    (tally.records, tally.bytes, tally.lost) = (1 << 47, 1 << 47, 1 << 47)
    var end: UInt64 = 0
    for index in 0..<LeaseLedger.rangeLimit {
      end += 1 << 40
      ledger.ranges.append(
        .init(kind: index == 0 ? .lost : .open, end: Offset(end), deliveries: 9, duration: 9, tally: tally, acknowledged: tally))
      if index > 0 { ledger.ranges[ledger.ranges.count - 1].acknowledged = Tally() }
      end += 1 << 40
      ledger.ranges.append(.init(kind: .acknowledged, end: Offset(end), tally: tally))
    }
    var record = CursorRecord(kind: .lease, queueID: QueueID(high: 1, low: 2), cursor: .zero)
    record.ledger = ledger
    record.loss = .init(end: Offset(1 << 40), reason: .retention)
    let bytes = record.encode()
    #expect(bytes.count <= CursorRecord.slotByteCount)
    #expect(bytes.withUnsafeBytes { CursorRecord.decode($0) } == record)
    for length in stride(from: 0, to: bytes.count, by: 7) {
      #expect(bytes.prefix(length).withUnsafeBytes { CursorRecord.decode($0) } == nil)
    }
  }

  @Test func `a record whose ledger says more than its length is none`() throws {
    var record = CursorRecord(kind: .lease, queueID: QueueID(high: 1, low: 2), cursor: .zero)
    record.ledger = LeaseLedger(nonce: 7, maxDeliveries: 5)
    record.ledger!.ranges = (1...3).map { .init(kind: .open, end: Offset($0), deliveries: 1, tally: Tally()) }
    let whole = record.encode()
    // The same bytes, said to end before the last range.
    var bytes = whole
    let length = whole.count - 31
    (bytes[4], bytes[5]) = (UInt8(truncatingIfNeeded: length), UInt8(truncatingIfNeeded: length >> 8))
    let checksum = bytes.prefix(length - 4).withUnsafeBytes { BlockCodec.checksum($0) }
    for index in 0..<4 { bytes[length - 4 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
    #expect(bytes.withUnsafeBytes { CursorRecord.decode($0) } == nil)
    #expect(whole.withUnsafeBytes { CursorRecord.decode($0) } == record)
  }

  @Test func `what retention took is given as a gap with exact counts, without what was acknowledged before`() async throws {
    var fixture = QueueFixture()
    fixture.options.maxAge = .seconds(3600)
    fixture.options.segmentSize = 64 << 10
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<100))
    try await queue.seal()
    let consumer = try queue.consumer("workers", kind: .lease)
    let leases = try (0..<10).map { _ in try #require(try borrow(consumer, for: .seconds(40_000))) }
    for index in [1, 3, 4, 9] { try consumer.acknowledge(leases[index].lease) }
    fixture.clock.advance(by: .seconds(7200))
    try await writer.writeDurably(numbered(100..<200))
    queue.applyAge()
    #expect(queue.startOffset == Offset(100))
    let gap = try #require(try borrow(consumer))
    let lostBytes = numbered(0..<10).joined().utf8.count + 10
    #expect(gap.offsets == 0..<100 && gap.recordCount == 0 && gap.gap?.content.reason == .retention)
    #expect(gap.gap?.content.records == 60)
    #expect(try #require(gap.gap).content.bytes > UInt64(lostBytes))
    #expect { try consumer.acknowledge(leases[0].lease) } throws: { ($0 as? QueueError)?.code == .leaseLost }
    #expect(try #require(try borrow(consumer)).offsets == 100..<110)
    #expect(consumer.status().lostRecords == 60 && consumer.status().lagRecords == 100)
    try consumer.acknowledge(gap.lease)
    #expect(consumer.cursor == Offset(100) && consumer.status().lostRecords == 60 && !consumer.dataWasLost)
    await queue.close()
  }

  @Test func `many waiting calls are woken by records, by a lease that ends and by one that is released`() async throws {
    let (queue, consumer) = try await filled(QueueFixture(), 10)
    let only = try #require(try borrow(consumer))
    guard case .nothing(let wait) = try consumer.lease(BatchLimits(maxBytes: 100), for: Self.minute) else {
      Issue.record("it got something")
      return
    }
    let far = ContinuousClock.now + .seconds(60)
    let waits = (0..<20).map { _ in Task { await consumer.waitForLease(wait, until: far) } }
    try consumer.release(only.lease)
    for task in waits { await task.value }
    _ = try #require(try borrow(consumer))
    guard case .nothing(let next) = try consumer.lease(BatchLimits(maxBytes: 100), for: Self.minute) else {
      Issue.record("it got something")
      return
    }
    let more = Task { await consumer.waitForLease(next, until: far) }
    try await queue.writer(source: "app").writeDurably(numbered(10..<11))
    await more.value
    #expect(ContinuousClock.now < far)
    let cancelled = Task { await consumer.waitForLease(LeaseWait(end: nil, version: .max, leaseEnd: nil), until: far) }
    cancelled.cancel()
    await cancelled.value
    await queue.close()
  }
}
