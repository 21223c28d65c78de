import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Each wound with exactly what must survive it.
@Suite(.timeLimit(.minutes(3))) struct WoundTableTests {
  @Test(arguments: Wound.all) func `a wound costs what it touched, is told, and stays as it is`(wound: Wound) async throws {
    let queue = try await WoundedQueue.make()
    try wound.inflict(queue)
    let wounded = queue.names.map { ($0, queue.bytes(queue.segments.appending($0))) }
    if let refusal = wound.refusal {
      for _ in 0..<2 {
        await #expect { try await queue.find() } throws: { ($0 as? QueueError)?.code == refusal }
        #expect(queue.names.map { queue.bytes(queue.segments.appending($0)) } == wounded.map(\.1), "nothing was changed")
      }
      return
    }
    let found = try await queue.find()
    #expect(found.lines == wound.lines.flatMap { numbered($0) })
    #expect(
      found.gaps.map { if case .gap(let reason, let records, _) = $0 { "\(reason) \(records)" } else { "" } }
        == wound.gaps.map { "\($0.reason) \($0.records)" })
    #expect(found.checkpoint == wound.checkpoint)
    #expect((found.archive != nil) == (wound.archive != nil))
    if let place = wound.archive, let archive = found.archive {
      let rest = wound.lines.flatMap { numbered($0.clamped(to: place..<60)) }
      #expect(archive.compactMap { if case .line(let line) = $0 { line } else { nil } } == rest)
      let lost = archive.reduce(0) { if case .gap(_, let records, _) = $1 { $0 + Int(records) } else { $0 } }
      #expect(lost == wound.end - place - rest.count, "archive was told \(archive.filter { if case .gap = $0 { true } else { false } })")
    }
    if let notice = wound.notice { #expect(queue.fixture.notices.messages.contains { $0.contains(notice) }) }
    // Nothing is deleted: sealed files stay as they are, an active one is sealed, or what was cut of it is set aside.
    for (name, bytes) in wounded where name.hasSuffix(".gz") && wound.name != "both names of a base, ending alike" {
      #expect(queue.fixture.disk.contents(queue.segments.appending(name)) == bytes, "\(name) was changed")
    }
    #expect(try await queue.find() == found, "a second opening says the same")
  }

  @Test(arguments: [(16, 2), (17, 9), (20, 1)] as [(Int, UInt8)])
  func `a block of a newer format in an older segment stops its readers, and is no gap`(field: Int, value: UInt8) async throws {
    let wounded = try await WoundedQueue.make()
    wounded.forge(wounded.segment(20), try wounded.block(30), at: field, value)
    let bytes = wounded.bytes(wounded.segment(20))
    for _ in 0..<2 {
      let queue = try wounded.fixture.open()
      let consumer = try queue.consumer("archive", kind: .sink)
      let limits = BatchLimits(maxBytes: 1 << 20)
      let batch = try #require(try consumer.read(from: Offset(10), limits: limits))
      #expect(batch.next == Offset(30))
      for _ in 0..<2 {
        let error = #expect(throws: QueueError.self) { try consumer.read(from: batch.next, limits: limits) }
        #expect(error?.code == .newerFormat)
        #expect(error?.description.contains(wounded.segment(20).string) == true)
      }
      #expect(queue.status().consumers.first { $0.name == "archive" }?.lostRecords == 0)
      // Whoever begins behind it has nothing to do with it.
      #expect(try queue.consumer("late", kind: .pull, startAt: .at(40)).drain() == numbered(40..<60).map(Entry.line))
      await queue.close()
    }
    #expect(wounded.bytes(wounded.segment(20)) == bytes, "it was changed")
    #expect(wounded.fixture.notices.messages.filter { $0.contains("damaged") }.isEmpty)
  }

  @Test func `a segment with a block of a newer format is sealed as it is`() async throws {
    let wounded = try await WoundedQueue.make()
    wounded.forge(wounded.segment(20), try wounded.block(30), at: 16, 2)
    let bytes = wounded.bytes(wounded.segment(20))
    let name = "00000000000000000020.gz"
    try wounded.fixture.disk.directory(wounded.segments, create: false).rename(name, to: name + ".active")
    let queue = try wounded.fixture.open()
    try await queue.seal()
    await queue.close()
    #expect(wounded.names[1] == "00000000000000000020.gz")
    #expect(wounded.bytes(wounded.segment(20)) == bytes)
  }

  @Test func `counters go on behind a gap that a damaged block has left, before and after it is sealed`() async throws {
    let wounded = try await WoundedQueue.make()
    wounded.flip(wounded.segment(40), at: try wounded.block(40).bytes.lowerBound + 50)
    for opening in ["active", "sealed"] {
      let queue = try wounded.fixture.open()
      let consumer = try queue.consumer(opening, kind: .pull)
      var place = consumer.cursor
      while place < Offset(50), let batch = try consumer.read(from: place, limits: BatchLimits(maxRecords: 10, maxBytes: 1 << 20)) {
        place = batch.next
      }
      try consumer.commit(place)
      #expect(place == Offset(50))
      #expect(queue.status().consumers.first { $0.name == opening }?.lagRecords == 10, "\(opening)")
      await queue.close()
    }
  }

  @Test func `a reader that begins in a segment whose beginning is unreadable is told just what it misses`() async throws {
    let wounded = try await WoundedQueue.make()
    wounded.zero(wounded.segment(20), 0..<(try wounded.block(20).bytes.upperBound))
    let queue = try wounded.fixture.open()
    let consumer = try queue.consumer("x", kind: .pull, startAt: .at(20))
    let bytes = UInt64(numbered(20..<30).reduce(0) { $0 + $1.utf8.count + 1 })
    #expect(try consumer.drain() == [.gap(.corruptBlock, records: 10, bytes: bytes)] + numbered(30..<60).map(Entry.line))
    await queue.close()
  }

  @Test func `a reader that begins within a damaged block is told the rest of it, before and after it is sealed`() async throws {
    let wounded = try await WoundedQueue.make()
    wounded.flip(wounded.segment(40), at: try wounded.block(40).bytes.lowerBound + 50)
    for opening in ["active", "sealed"] {
      let queue = try wounded.fixture.open()
      let consumer = try queue.consumer(opening, kind: .pull, startAt: .at(45))
      #expect(try consumer.drain() == [.gap(.corruptBlock, records: 5, bytes: 0)] + numbered(50..<60).map(Entry.line), "\(opening)")
      await queue.close()
    }
  }

  @Test func `a queue whose active segment is damaged beyond use goes on counting its openings`() async throws {
    let wounded = try await WoundedQueue.make()
    wounded.zero(wounded.segment(40), 0..<wounded.bytes(wounded.segment(40)).count)
    let queue = try wounded.fixture.open()
    #expect(queue.epoch == 2)
    #expect(queue.status().totalRecords == 60)
    await queue.close()
  }
}
