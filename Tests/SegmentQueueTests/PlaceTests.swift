import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Places that clients keep: offsets with their epoch, and times.
@Suite(.timeLimit(.minutes(2))) struct PlaceTests {
  @Test func `a place is two decimal numbers and nothing else`() {
    #expect(EpochOffset("7-12") == EpochOffset(epoch: 7, offset: Offset(12)))
    #expect(EpochOffset("0-0") == EpochOffset(epoch: 0, offset: .zero))
    #expect(EpochOffset("4294967295-9223372036854775807")?.description == "4294967295-9223372036854775807")
    for text in [
      "", "-", "1", "1-", "-1", "1-2-3", "01-2", "1-02", "+1-2", "1-+2", "1--2", " 1-2", "1-2 ", "1 -2", "1-2\n", "1-٣", "a-1", "1-0x2",
      "4294967296-0", "1-9223372036854775808", "1-18446744073709551616", "1-99999999999999999999999999", "18446744073709551617-1",
    ] {
      #expect(EpochOffset(text) == nil, "'\(text)'")
    }
  }

  @Test func `a place of an earlier opening is admitted up to where the next one began`() async throws {
    let fixture = QueueFixture()
    for count in [3, 4] {
      let queue = try fixture.open()
      try await queue.writer(source: "app").writeDurably(numbered(0..<count))
      #expect(queue.admits(queue.place(queue.durableEnd)))
      await queue.close()
    }
    let queue = try fixture.open()
    #expect(queue.epoch == 3 && queue.place(Offset(5)).description == "3-5")
    for (place, isAdmitted) in [
      ("1-0", true), ("1-3", true), ("1-4", false), ("2-7", true), ("2-8", false), ("3-7", true), ("3-900", true), ("4-0", false),
      ("0-0", false), ("4294967295-0", false),
    ] {
      #expect(queue.admits(try #require(EpochOffset(place))) == isAdmitted, "\(place)")
    }
    await queue.close()
  }

  @Test func `the last thousand epochs are told by each snapshot`() {
    var table = CheckpointTable()
    for number in 1...1005 { table.apply([.epoch(number: UInt32(number), first: Offset(UInt64(number)))]) }
    #expect(table.epochs.map(\.number) == Array(6...1005))
    var again = CheckpointTable()
    for part in table.snapshotParts() { again.apply(part) }
    #expect(again.epochs == table.epochs)
  }

  @Test func `epochs are known also after the segments that told of them are gone`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    for count in 0..<4 {
      try await queue.writer(source: "app").writeDurably(numbered(count..<count + 1))
      await queue.close()
      queue = try fixture.open()
    }
    try await queue.seal()
    #expect(try queue.trim(before: Offset(4)) == Offset(4))
    await queue.close()
    // Recovery reads the last segment only.
    queue = try fixture.open()
    for (place, isAdmitted) in [("1-1", true), ("1-2", false), ("4-4", true), ("4-5", false), ("6-4", true), ("7-4", false)] {
      #expect(queue.admits(try #require(EpochOffset(place))) == isAdmitted, "\(place)")
    }
    await queue.close()
  }

  // MARK: Times

  /// Writes one line at each time, told in seconds from the clock's start; a new segment before those that are marked.
  private func write(_ queue: SegmentQueue, _ fixture: QueueFixture, _ times: [(seconds: Int64, isNew: Bool)], from start: Int64)
    async throws
  {
    let writer = try queue.writer(source: "app")
    for (seconds, isNew) in times {
      fixture.clock.setWall(start + seconds * 1_000_000_000)
      if isNew { try await queue.seal() }
      try await writer.writeDurably(["at \(seconds)"])
    }
  }

  @Test func `a time is found at the first block that was still written then`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let start = fixture.clock.wall()
    #expect(try queue.offset(appendedAt: start) == .zero, "an empty queue: its end")
    try await write(queue, fixture, [(0, false), (100, false), (200, true), (300, false), (400, true), (500, false)], from: start)
    func found(_ seconds: Int64) throws -> UInt64 { try queue.offset(appendedAt: start + seconds * 1_000_000_000).rawValue }
    for (seconds, offset) in [(-1000, 0), (0, 0), (1, 1), (100, 1), (150, 2), (200, 2), (301, 4), (400, 4), (500, 5)] {
      #expect(try found(Int64(seconds)) == UInt64(offset), "\(seconds)")
    }
    #expect(try found(501) == 6, "later than all: the end")
    #expect(try queue.offset(appendedAt: .min) == .zero && queue.offset(appendedAt: .max) == Offset(6))
    _ = try queue.trim(before: Offset(2))
    #expect(try found(0) == 2, "what is gone is passed over")
    await queue.close()
  }

  @Test func `a time that came twice is found at its earlier place when the clock was set back by up to a minute`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let start = fixture.clock.wall()
    // Set back by 50 s over a segment's end, and by an hour in a segment.
    try await write(
      queue, fixture, [(0, false), (100, false), (50, true), (120, false), (7200, false), (3600, true), (3700, false)], from: start)
    func found(_ seconds: Int64) throws -> UInt64 { try queue.offset(appendedAt: start + seconds * 1_000_000_000).rawValue }
    #expect(try found(60) == 1, "not the place of 120")
    #expect(try found(110) == 3)
    #expect(try found(3620) == 4, "the segment that was left at 3600 is looked at, and has it")
    #expect(try found(3690) == 6, "the clock was set back by more: the later place")
    await queue.close()
  }
}
