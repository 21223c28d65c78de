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
