import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// A named damage to a ``WoundedQueue``, and exactly what must come out after it.
struct Wound: Sendable, CustomTestStringConvertible {
  let name: String
  /// The lines that survive, in the order in which they are given.
  var lines: [Range<Int>] = [0..<60]
  /// The gaps told, in order: reason and records.
  var gaps: [(reason: Gap.Reason, records: UInt64)] = []
  var checkpoint = 60
  /// Where `archive` goes on; nil when its file can't be used.
  var archive: Int? = 10
  /// Where the log ends: what is missing before it is told to `archive`, record by record.
  var end = 60
  /// The queue is refused with this code, and nothing is changed.
  var refusal: QueueError.Code?
  /// A word of the notice that must be given.
  var notice: String?
  let inflict: @Sendable (WoundedQueue) throws -> Void

  var testDescription: String { name }

  /// Every field of a block's header, by its place in the format's table.
  private static let fields: [(String, Int)] = [
    ("gzip's magic", 0), ("gzip's flags", 3), ("gzip's system", 9), ("XLEN", 10), ("the subfield's name", 12),
    ("the subfield's length", 14),
    ("version", 16), ("kind", 17), ("compatible flags", 18), ("incompatible flags", 20), ("reserved bytes", 22), ("identity", 24),
    ("salt", 40), ("the member's length", 44), ("base", 48), ("offset count", 56), ("the lines' length", 64), ("source", 68),
    ("first time", 72), ("last time", 80), ("open age", 88), ("epoch", 96), ("the body's checksum", 100), ("records before", 104),
    ("bytes before", 112), ("losses before", 120), ("durable end", 128), ("reserved end", 136), ("an entry", 144),
  ]

  /// The block of the lines 20 to 29 in the sealed segment.
  private static func block20(_ name: String, _ inflict: @escaping @Sendable (WoundedQueue, FilePath, Range<Int>, Int) throws -> Void)
    -> Wound
  {
    Wound(name: name, lines: [0..<20, 30..<60], gaps: [(.corruptBlock, 10)]) { queue in
      let block = try queue.block(20)
      try inflict(queue, queue.segment(20), block.bytes, block.header.byteCount)
    }
  }

  /// The block of the lines 50 to 59, the last of the active segment, cut so that `left` of its bytes stay.
  private static func torn(_ name: String, _ left: @escaping @Sendable (Int) -> Int) -> Wound {
    Wound(name: name, lines: [0..<50], gaps: [(.lostTail, 10)], checkpoint: 50) { queue in
      let block = try queue.block(50).bytes
      try queue.truncate(queue.segment(40), to: block.lowerBound + left(block.count))
    }
  }

  static let all: [Wound] =
    fields.map { field in
      block20("sealed block: \(field.0) garbled") { queue, path, bytes, _ in queue.flip(path, at: bytes.lowerBound + field.1) }
    }
    + fields.map { field in
      Wound(name: "active block: \(field.0) garbled", lines: [0..<40, 50..<60], gaps: [(.corruptBlock, 10)], notice: "damaged") { queue in
        queue.flip(queue.segment(40), at: try queue.block(40).bytes.lowerBound + field.1)
      }
    }
    + [
      block20("sealed block: header checksum garbled") { $0.flip($1, at: $2.lowerBound + $3 - 1) },
      block20("sealed block: first compressed byte garbled") { $0.flip($1, at: $2.lowerBound + $3) },
      block20("sealed block: gzip's checksum garbled") { queue, path, bytes, _ in queue.flip(path, at: bytes.upperBound - 8) },
      block20("sealed block: gzip's length garbled") { queue, path, bytes, _ in queue.flip(path, at: bytes.upperBound - 1) },
      block20("sealed block: header zeroed") { $0.zero($1, $2.lowerBound..<$2.lowerBound + $3) },
      block20("sealed block: body zeroed") { $0.zero($1, $2.lowerBound + $3..<$2.upperBound) },
      block20("sealed block: zeroed whole") { queue, path, bytes, _ in queue.zero(path, bytes) },
      torn("tail torn before its first byte") { _ in 0 },
      torn("tail torn after a byte") { _ in 1 },
      torn("tail torn in the magic") { _ in 9 },
      torn("tail torn in the header") { _ in 100 },
      torn("tail torn in the middle") { $0 / 2 },
      torn("tail torn before its last byte") { $0 - 1 },
      Wound(name: "garbage behind the tail", notice: "torn tail") { queue in
        let end = queue.bytes(queue.segment(40)).count
        queue.fixture.disk.overwrite(queue.segment(40), with: [UInt8](repeating: 0xA5, count: 700), at: end)
      },
      Wound(name: "zeroes behind the tail", notice: "torn tail") { queue in
        queue.zero(queue.segment(40), queue.bytes(queue.segment(40)).count..<queue.bytes(queue.segment(40)).count + 4096)
      },
      Wound(name: "sealed segment cut in its last block", lines: [0..<30, 40..<60], gaps: [(.corruptBlock, 10)]) { queue in
        try queue.truncate(queue.segment(20), to: queue.bytes(queue.segment(20)).count - 20)
      },
      Wound(name: "the oldest segment missing", lines: [20..<60]) { queue in try queue.remove(queue.segment(0)) },
      Wound(name: "a segment in the middle missing", lines: [0..<20, 40..<60], gaps: [(.corruptBlock, 20)]) { queue in
        try queue.remove(queue.segment(20))
      },
      Wound(name: "the active segment missing", lines: [0..<40], gaps: [(.corruptBlock, 20)], checkpoint: 40) { queue in
        try queue.remove(queue.segment(40))
      },
      Wound(name: "all segments missing", lines: [], checkpoint: 0) { queue in
        for base in WoundedQueue.bases { try queue.remove(queue.segment(base)) }
      },
      Wound(name: "an empty sealed segment", lines: [0..<20, 40..<60], gaps: [(.corruptBlock, 20)]) { queue in
        try queue.truncate(queue.segment(20), to: 0)
      },
      Wound(name: "an empty active segment", lines: [0..<40], gaps: [(.corruptBlock, 20)], checkpoint: 40) { queue in
        try queue.truncate(queue.segment(40), to: 0)
      },
      Wound(name: "an empty active segment, and nothing tells of more", lines: [0..<40], checkpoint: 40, end: 40) { queue in
        try queue.truncate(queue.segment(40), to: 0)
        try queue.remove(queue.lock)
      },
      Wound(
        name: "a last sealed segment that is empty, and nothing tells of more", lines: [0..<20], gaps: [(.corruptBlock, 1)], checkpoint: 20,
        end: 21
      ) { queue in
        try queue.remove(queue.segment(40))
        try queue.truncate(queue.segment(20), to: 0)
        try queue.remove(queue.lock)
      },
      Wound(name: "the first two blocks of a segment zeroed", lines: [0..<20, 30..<60], gaps: [(.corruptBlock, 10)]) { queue in
        queue.zero(queue.segment(20), 0..<(try queue.block(20).bytes.upperBound))
      },
      Wound(name: "an active segment without a complete snapshot", lines: [0..<40], checkpoint: 40, end: 40) { queue in
        try queue.truncate(queue.segment(40), to: try queue.blocks(40)[0].bytes.upperBound - 1)
        try queue.remove(queue.lock)
      },
      Wound(name: "the active segment's snapshot garbled") { queue in queue.flip(queue.segment(40), at: 60) },
      Wound(name: "the active segment zeroed", lines: [0..<40], gaps: [(.corruptBlock, 20)], checkpoint: 40) { queue in
        queue.zero(queue.segment(40), 0..<queue.bytes(queue.segment(40)).count)
      },
      Wound(name: "two segments swapped", lines: [40..<60], gaps: [(.corruptBlock, 20), (.corruptBlock, 20)]) { queue in
        let (first, second) = (queue.bytes(queue.segment(0)), queue.bytes(queue.segment(20)))
        queue.fixture.disk.plantFile(queue.segment(0), second)
        queue.fixture.disk.plantFile(queue.segment(20), first)
      },
      Wound(name: "a segment's copy in the place of its successor", lines: [0..<20, 40..<60], gaps: [(.corruptBlock, 20)]) { queue in
        queue.fixture.disk.plantFile(queue.segment(20), queue.bytes(queue.segment(0)))
      },
      Wound(name: "both names of a base, ending alike") { queue in
        let digits = SegmentName.digits(Offset(40))
        queue.fixture.disk.plantFile(queue.segments.appending(digits + ".gz"), queue.bytes(queue.segment(40)))
      },
      Wound(name: "both names of a base, ending differently", refusal: .damaged) { queue in
        let digits = SegmentName.digits(Offset(40))
        let bytes = queue.bytes(queue.segment(40)).prefix(try queue.block(50).bytes.lowerBound)
        queue.fixture.disk.plantFile(queue.segments.appending(digits + ".gz"), Array(bytes))
      },
      Wound(name: "both names of a base, the sealed one damaged inside", refusal: .damaged) { queue in
        var bytes = queue.bytes(queue.segment(40))
        bytes[try queue.block(40).bytes.upperBound - 20] ^= 0x5A
        queue.fixture.disk.plantFile(queue.segments.appending(SegmentName.digits(Offset(40)) + ".gz"), bytes)
      },
      Wound(name: "queue.json lost", notice: "queue.json") { queue in try queue.remove(queue.identity) },
      Wound(name: "queue.json empty", notice: "queue.json") { queue in try queue.truncate(queue.identity, to: 0) },
      Wound(name: "queue.json garbled", notice: "queue.json") { queue in
        queue.fixture.disk.plantFile(queue.identity, [UInt8](repeating: 0xEE, count: 80))
      },
      Wound(name: "queue.json of another queue", notice: "queue.json") { queue in
        queue.fixture.disk.plantFile(queue.identity, Array(QueueIdentity(id: .random(), created: 1).text.utf8))
      },
      Wound(name: "queue.json and lock lost", notice: "queue.json") { queue in
        try queue.remove(queue.identity)
        try queue.remove(queue.lock)
      },
      Wound(name: "lock garbled") { queue in queue.zero(queue.lock, 0..<32) },
      Wound(name: "a newer format in queue.json", refusal: .newerFormat) { queue in
        queue.fixture.disk.plantFile(queue.identity, Array("{\"format\": 9, \"id\": \"x\"}".utf8))
      },
      Wound(name: "a newer version in a block of the active segment", refusal: .newerFormat) { queue in
        queue.forge(queue.segment(40), try queue.block(40), at: 16, 2)
      },
      Wound(name: "an unknown kind in a block of the active segment", refusal: .newerFormat) { queue in
        queue.forge(queue.segment(40), try queue.block(50), at: 17, 9)
      },
      Wound(name: "an incompatible flag in a block of the active segment", refusal: .newerFormat) { queue in
        queue.forge(queue.segment(40), try queue.block(50), at: 20, 1)
      },
      Wound(name: "a compatible flag and reserved bytes that are unknown") { queue in
        queue.forge(queue.segment(20), try queue.block(20), at: 19, 0x80)
        queue.forge(queue.segment(40), try queue.block(40), at: 23, 0x80)
      },
      Wound(name: "another queue's block under a right checksum", lines: [0..<20, 30..<60], gaps: [(.corruptBlock, 10)]) { queue in
        queue.forge(queue.segment(20), try queue.block(20), at: 24, 0x77)
      },
      Wound(name: "the newer cursor slot garbled", archive: 5) { queue in
        let newer = try #require(queue.newerSlot)
        queue.flip(queue.cursor, at: newer * CursorRecord.slotByteCount + 40)
      },
      Wound(name: "the older cursor slot garbled") { queue in
        let newer = try #require(queue.newerSlot)
        queue.flip(queue.cursor, at: (1 - newer) * CursorRecord.slotByteCount + 40)
      },
      Wound(name: "both cursor slots garbled", archive: nil) { queue in
        queue.flip(queue.cursor, at: 40)
        queue.flip(queue.cursor, at: CursorRecord.slotByteCount + 40)
      },
      Wound(name: "cursor file empty", archive: nil) { queue in try queue.truncate(queue.cursor, to: 0) },
      Wound(name: "cursor file cut to one slot") { queue in
        let newer = try #require(queue.newerSlot)
        if newer == 1 {
          let slots = queue.bytes(queue.cursor)
          queue.fixture.disk.overwrite(queue.cursor, with: Array(slots.suffix(CursorRecord.slotByteCount)), at: 0)
        }
        try queue.truncate(queue.cursor, to: CursorRecord.slotByteCount)
      },
      Wound(name: "cursor file lost", archive: 0) { queue in try queue.remove(queue.cursor) },
    ]
}

extension WoundedQueue {
  /// The slot that was written last.
  var newerSlot: Int? {
    let bytes = bytes(cursor)
    let slots = [0, 1].map { index in
      bytes[index * CursorRecord.slotByteCount..<(index + 1) * CursorRecord.slotByteCount].withUnsafeBytes { CursorRecord.decode($0) }
    }
    guard let first = slots[0], let second = slots[1] else { return nil }
    return first.generation > second.generation ? 0 : 1
  }
}
