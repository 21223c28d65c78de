import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// What fuzzing (`Tests/Fuzz`) has found: bytes with right checksums that no writer of ours wrote.
@Suite struct `Bytes that someone else wrote` {
  private let id = QueueID(high: 1, low: 2)

  private func cursor(_ change: (inout CursorRecord) -> Void) -> [UInt8] {
    var record = CursorRecord(kind: .pull, queueID: id, cursor: Offset(5))
    change(&record)
    return record.encode()
  }

  /// The slot with other bytes at `position` under a right checksum.
  private func patched(_ slot: [UInt8], _ bytes: [UInt8], at position: Int) -> [UInt8] {
    var slot = slot
    slot.replaceSubrange(position..<position + bytes.count, with: bytes)
    slot.removeLast(4)
    slot.appendInteger(slot.withUnsafeBytes { BlockCodec.checksum($0) })
    return slot
  }

  private func isRead(_ slot: [UInt8]) -> Bool { slot.withUnsafeBytes { CursorRecord.decode($0) } != nil }

  @Test func `a file that was cut under the scanner ends in damage`() throws {
    let directory = try SimulatedFileSystem().directory("/", create: true)
    let file = try directory.open("segment", .create)
    for size in [0, 5, 16, 17, 4000] {
      try file.truncate(to: 0)
      try file.write([UInt8](repeating: 7, count: size), at: 0)
      var scanner = BlockScanner(file, queueID: id, range: 0..<3_000_000, expecting: .zero)
      guard case .damage(0..<3_000_000, _, nil, _) = try scanner.next() else {
        Issue.record("\(size) bytes")
        continue
      }
      #expect(try scanner.next() == nil)
    }
  }

  @Test func `counters near their end are added up without a trap`() {
    var header = BlockHeader(
      kind: .lines, queueID: id, salt: 1, base: .zero, offsetCount: 3, lineByteCount: 3, firstTime: 0, lastTime: 0, openAge: 0, epoch: 1,
      cumulativeRecords: .max, cumulativeBytes: .max, cumulativeLost: .max, durableEnd: .zero)
    #expect(Tally(after: header).records == .max)
    #expect(Tally(after: header).bytes == .max)
    header.kind = .gap
    for reason in Gap.Reason.allCases {
      header.entries = [.gap(Gap(reason: reason, records: .max, bytes: .max, firstTime: 0, lastTime: 0))]
      #expect(Tally(after: header).lost == .max)
    }
  }

  @Test func `a consumer's losses near their end are added up without a trap`() {
    var record = CursorRecord(kind: .pull, queueID: id, cursor: Offset(5))
    record.loss = .init(end: Offset(9), reason: .retention)
    record.lostRecords = 7
    record.lostBytes = .max
    var end = Tally()
    (end.records, end.bytes) = (.max, .max)
    let standing = record.standing(at: end) { _ in end }
    #expect(standing.lostRecords == .max)
    #expect(standing.lostBytes == .max)
    end.lost = .max
    record.loss?.gapBytes = .max
    let gap = record.loss?.gap(from: Tally(), to: end)
    #expect(gap?.records == .max)
    #expect(gap?.bytes == .max)
  }

  /// A queue whose newest segment ends with a gap of `count` offsets and these other numbers, under right checksums.
  private func forgedEnd(count: UInt64, epoch: UInt32 = 1, age: UInt64 = 1, durableEnd: UInt64 = 60) async throws -> WoundedQueue {
    let wounded = try await WoundedQueue.make()
    var header = try wounded.block(50).header
    (header.kind, header.base, header.offsetCount, header.lineByteCount) = (.gap, Offset(60), count, 0)
    (header.epoch, header.openAge, header.durableEnd) = (epoch, age, Offset(durableEnd))
    header.entries = [.gap(Gap(reason: .dropped, records: count, bytes: 1, firstTime: 0, lastTime: 0))]
    let member = StoredBlock(lineless: header).member.withUnsafeBytes { Array($0) }
    wounded.fixture.disk.plantFile(wounded.segment(40), wounded.bytes(wounded.segment(40)) + member)
    return wounded
  }

  @Test func `numbers that no queue gets to are refused by whoever would go on counting`() async throws {
    let most = UInt64(Int64.max)
    for wounded in [
      try await forgedEnd(count: most - 60), try await forgedEnd(count: most / 2 + 2), try await forgedEnd(count: 1, epoch: .max),
      try await forgedEnd(count: 1, age: .max), try await forgedEnd(count: 1, durableEnd: most),
    ] {
      let before = wounded.names.map { wounded.bytes(wounded.segments.appending($0)) }
      let error = #expect(throws: QueueError.self) { try wounded.fixture.open() }
      #expect(error?.code == .damaged)
      #expect(wounded.names.map { wounded.bytes(wounded.segments.appending($0)) } == before, "nothing was changed")
      // Who only looks is shown what is there.
      let files = try QueueFiles.open(wounded.fixture.path, fileSystem: wounded.fixture.disk)
      #expect(try files.verify(progress: { _, _ in }, finding: { _ in }).records == 60)
    }
  }

  @Test func `a gap that spans almost all offsets is read and sealed anew in an older segment`() async throws {
    for end in [UInt64(Int64.max), 1 << 62] {
      let wounded = try await forgedEnd(count: end - 60)
      // The next segment begins right behind the lines: the gap counts for nothing.
      var header = try wounded.block(40).header
      (header.kind, header.flags, header.base, header.offsetCount, header.lineByteCount) = (.snapshot, .snapshotComplete, Offset(60), 0, 0)
      header.entries = []
      wounded.fixture.disk.plantFile(
        wounded.segments.appending("00000000000000000060.gz.active"), StoredBlock(lineless: header).member.withUnsafeBytes { Array($0) })
      let queue = try wounded.fixture.open()
      #expect(try queue.consumer("all", kind: .pull).drain() == numbered(0..<60).map(Entry.line))
      await queue.close()
      #expect(wounded.names.contains("00000000000000000040.gz"))
    }
  }

  @Test func `a header whose offsets or durable end leave their range is no header`() async throws {
    let wounded = try await forgedEnd(count: UInt64(Int64.max) - 60)
    let blocks = try wounded.blocks(40)
    let forged = try #require(blocks.last)
    func decodes(at field: Int, _ value: UInt8) throws -> Bool {
      let copy = wounded.copy()
      copy.forge(copy.segment(40), forged, at: field, value)
      let bytes = copy.bytes(copy.segment(40))[forged.bytes]
      return (try? bytes.withUnsafeBytes { bytes throws(BlockDamage) in try BlockHeader(decoding: bytes) }) != nil
    }
    #expect(try decodes(at: 48, 60))
    #expect(try !decodes(at: 48, 61), "base and count are 2^63 together")
    #expect(try !decodes(at: 55, 0x80), "the base")
    #expect(try !decodes(at: 63, 0x80), "the count")
    #expect(try !decodes(at: 135, 0x80), "the durable end")
    #expect(SegmentName("09223372036854775807.gz") != nil)
    #expect(SegmentName("09223372036854775808.gz") == nil)
  }

  @Test func `a cursor's numbers that nobody can have counted to are no cursor`() {
    #expect(isRead(cursor { _ in }))
    for position in [8, 32, 48] {
      #expect(!isRead(patched(cursor { _ in }, [UInt8](repeating: 0xFF, count: 8), at: position)), "byte \(position)")
    }
  }

  @Test func `a slot that would be written otherwise is no cursor`() {
    let slot = cursor { $0.hold = .share(percent: 50) }
    #expect(isRead(slot))
    #expect(!isRead(patched(slot, [9], at: 56)), "an unknown hold")
    #expect(!isRead(patched(slot, [101], at: 57)), "more than all of the disk")
    #expect(!isRead(patched(slot, [4], at: 113)), "a reason without a loss")
    #expect(!isRead(patched(cursor { $0.loss = .init(end: Offset(9), reason: .retention) }, [0], at: 113)), "a loss without a reason")
    #expect(!isRead(patched(cursor { $0.state = [1, 2, 3] }, [2, 0], at: 122)), "bytes behind the sink's state")
  }
}
