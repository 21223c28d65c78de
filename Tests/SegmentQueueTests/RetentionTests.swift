import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

@Suite(.timeLimit(.minutes(2))) struct RetentionTests {
  /// Lines that hardly compress, so that sizes are foreseeable.
  private func lines(_ range: Range<Int>) -> [String] {
    range.map {
      "\($0) \(UInt64($0) &* 0x9E37_79B9_7F4A_7C15) \(UInt64($0 + 7) &* 0xD1B5_4A32_D192_ED03) \(UInt64($0 + 3) &* 0xBF58_476D_1CE4_E5B9)"
    }
  }

  private func small() -> QueueFixture {
    var fixture = QueueFixture()
    fixture.options.maxSize = 1 << 20
    fixture.options.segmentSize = 64 << 10
    return fixture
  }

  @Test func `consumed records stay for keep, then go`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .sink)
    for start in stride(from: 0, to: 8000, by: 1000) { try await writer.writeDurably(lines(start..<start + 1000)) }
    _ = try consumer.drain(committing: true)
    try await queue.seal()
    let before = queue.status().segmentCount
    #expect(before > 3)
    queue.applyAge()
    #expect(queue.status().segmentCount == before)
    fixture.clock.advance(by: .seconds(25 * 3600))
    queue.applyAge()
    #expect(queue.status().segmentCount == 1)
    #expect(queue.startOffset == Offset(8000))
    #expect(fixture.notices.messages == [], "nobody lost anything")
    await queue.close()
  }

  @Test func `max_age deletes whatever the readers, and each is told exactly what it lost`() async throws {
    var fixture = small()
    fixture.options.maxAge = .seconds(3600)
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let behind = try queue.consumer("behind", kind: .pull)
    let ahead = try queue.consumer("ahead", kind: .pull)
    var bytes = 0
    for start in stride(from: 0, to: 4000, by: 1000) {
      try await writer.writeDurably(lines(start..<start + 1000))
      bytes += lines(start..<start + 1000).reduce(0) { $0 + $1.utf8.count + 1 }
    }
    try behind.commit(Offset(10))
    try ahead.commit(Offset(4000))
    try await queue.seal()
    fixture.clock.advance(by: .seconds(2 * 3600))
    queue.applyAge()
    try await writer.writeDurably(lines(4000..<4001))
    let read = lines(0..<10).reduce(0) { $0 + $1.utf8.count + 1 }
    #expect(behind.dataWasLost)
    #expect(try behind.drain() == [.gap(.retention, records: 3990, bytes: UInt64(bytes - read)), .line(lines(4000..<4001)[0])])
    #expect(try ahead.drain() == [.line(lines(4000..<4001)[0])])
    try behind.commit(Offset(4001))
    let status = try #require(queue.status().consumers.first { $0.name == "behind" })
    #expect(status.lostRecords == 3990 && status.lostBytes == UInt64(bytes - read))
    #expect(status.lagRecords == 0 && status.lagBytes == 0)
    await queue.close()
  }

  @Test func `a loss is told exactly whichever slot of the consumer's file is left`() async throws {
    var fixture = small()
    fixture.options.maxAge = .seconds(3600)
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let behind = try queue.consumer("behind", kind: .pull)
    for start in stride(from: 0, to: 4000, by: 1000) { try await writer.writeDurably(lines(start..<start + 1000)) }
    try behind.commit(Offset(5))
    try behind.commit(Offset(10))
    try await queue.seal()
    fixture.clock.advance(by: .seconds(2 * 3600))
    queue.applyAge()
    try await writer.writeDurably(lines(4000..<4001))
    let killed = fixture.disk.crash(.everythingKept)
    await queue.close()
    let bytes = lines(10..<4000).reduce(0) { $0 + $1.utf8.count + 1 }
    for slot in 0..<2 {
      let wounded = killed.crash(.everythingKept)
      wounded.overwrite(
        fixture.path.appending("consumers").appending("behind"), with: [UInt8](repeating: 0, count: CursorRecord.slotByteCount),
        at: slot * CursorRecord.slotByteCount)
      let again = try QueueFixture(wounded).open()
      #expect(
        try again.consumer("behind", kind: .pull).drain()
          == [.gap(.retention, records: 3990, bytes: UInt64(bytes)), .line(lines(4000..<4001)[0])], "without slot \(slot)")
      await again.close()
    }
  }

  @Test func `what was read before it was deleted is not lost`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .sink)
    try await writer.writeDurably(lines(0..<10))
    try await queue.seal()
    try await writer.writeDurably(lines(10..<20))
    let early = try #require(try consumer.read(from: .zero, limits: BatchLimits(maxRecords: 4, maxBytes: 1 << 20)))
    #expect(try queue.trim(before: Offset(10)) == Offset(10))
    let gap = try #require(try consumer.read(from: early.next, limits: BatchLimits(maxBytes: 1 << 20)))
    #expect(try gap.entries == [.gap(.retention, records: 6, bytes: UInt64(lines(4..<10).reduce(0) { $0 + $1.utf8.count + 1 }))])
    try consumer.commit(gap.next)
    #expect(queue.status().consumers.first?.lostRecords == 6)
    await queue.close()
  }

  @Test func `a consumer beyond its hold never fills the queue and is told its losses, over a restart too`() async throws {
    let fixture = small()
    var queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    _ = try queue.consumer("hanging", kind: .pull, hold: .share(percent: 50))
    let reading = try queue.consumer("reading", kind: .sink)
    var written = 0
    var seen = 0
    while written < 60_000 {
      try await writer.writeDurably(lines(written..<written + 1000))
      written += 1000
      seen += try reading.drain(committing: true).count
      #expect(!queue.status().isFull)
    }
    #expect(seen == written)
    #expect(queue.status().storedBytes <= fixture.options.maxSize)
    await queue.close()
    queue = try fixture.open()
    let hanging = try queue.consumer("hanging", kind: .pull, hold: .share(percent: 50))
    let entries = try hanging.drain(committing: true)
    guard case .gap(.retention, let records, _)? = entries.first else {
      Issue.record("no gap first: \(entries.prefix(1))")
      return
    }
    #expect(Int(records) + entries.count - 1 == written)
    #expect(entries.dropFirst().allSatisfy { if case .line = $0 { true } else { false } })
    #expect(queue.status().consumers.first { $0.name == "hanging" }?.lostRecords == records)
    await queue.close()
  }

  @Test func `a full queue suspends its writer until a consumer commits`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .sink)
    let writing = Task {
      for start in stride(from: 0, to: 60_000, by: 1000) { try await writer.writeDurably(self.lines(start..<start + 1000)) }
    }
    var entries: [Entry] = []
    while entries.count < 60_000 {
      while !queue.status().isFull && queue.durableEnd < Offset(60_000) { await Task.yield() }
      entries += try consumer.drain(committing: true)
    }
    try await writing.value
    #expect(entries == lines(0..<60_000).map(Entry.line))
    #expect(queue.status().storedBytes <= fixture.options.maxSize)
    await queue.close()
  }

  @Test func `a source that can't wait drops its newest, and records and gaps add up`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "network", whenFull: .dropNewest)
    let consumer = try queue.consumer("archive", kind: .sink)
    for start in stride(from: 0, to: 100_000, by: 500) { try await writer.write(batch(lines(start..<start + 500)), checkpoints: []) }
    while !queue.status().isFull { await Task.yield() }
    var entries = try consumer.drain(committing: true)
    fixture.clock.advance(by: .seconds(5))
    queue.clockChanged()
    try await queue.synchronize()
    fixture.clock.advance(by: .seconds(5))
    queue.clockChanged()
    try await queue.synchronize()
    entries += try consumer.drain(committing: true)
    let kept = entries.reduce(0) { if case .line = $1 { $0 + 1 } else { $0 } }
    let lost = entries.reduce(0) { if case .gap(.dropNewest, let records, _) = $1 { $0 + Int(records) } else { $0 } }
    #expect(kept + lost == 100_000)
    #expect(lost > 0)
    await queue.close()
  }

  @Test func `drop_oldest lets the oldest go as a gap`() async throws {
    var fixture = small()
    fixture.options.overflow = .dropOldest
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .pull)
    for start in stride(from: 0, to: 40_000, by: 1000) { try await writer.writeDurably(lines(start..<start + 1000)) }
    let entries = try consumer.drain()
    guard case .gap(.dropOldest, let records, _)? = entries.first else {
      Issue.record("no gap first: \(entries.prefix(1))")
      return
    }
    #expect(Int(records) + entries.count - 1 == 40_000)
    await queue.close()
  }

  @Test func `a silent consumer stops holding when space is needed, not before`() async throws {
    var fixture = small()
    fixture.options.consumerExpiry = .seconds(3600)
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    _ = try queue.consumer("gone", kind: .pull)
    for start in stride(from: 0, to: 8000, by: 1000) { try await writer.writeDurably(lines(start..<start + 1000)) }
    fixture.clock.advance(by: .seconds(2 * 3600))
    queue.applyAge()
    #expect(queue.startOffset == .zero, "expiry alone deletes nothing")
    for start in stride(from: 8000, to: 60_000, by: 1000) { try await writer.writeDurably(lines(start..<start + 1000)) }
    #expect(queue.startOffset > .zero)
    await queue.close()
  }

  @Test func `a queue whose only segment is consumed makes room by rolling`() async throws {
    var fixture = small()
    fixture.options.segmentSize = 8 << 20
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .sink)
    for start in stride(from: 0, to: 60_000, by: 1000) {
      try await writer.writeDurably(lines(start..<start + 1000))
      _ = try consumer.drain(committing: true)
    }
    #expect(consumer.cursor == Offset(60_000))
    #expect(queue.status().storedBytes <= fixture.options.maxSize)
    await queue.close()
  }
}
