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
