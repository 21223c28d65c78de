import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// A small queue whose process was killed: 60 lines, all acknowledged, in blocks of ten. Two sealed segments (0 and 20) and the active one
/// (40) have two blocks each; the consumer `archive` was committed at 5 and then at 10.
struct WoundedQueue {
  static let bases = [0, 20, 40]
  let fixture: QueueFixture

  static func make() async throws -> WoundedQueue {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .sink)
    for start in stride(from: 0, to: 60, by: 10) {
      try await writer.writeDurably(numbered(start..<start + 10), upTo: start + 10)
      if start == 10 || start == 30 { try await queue.seal() }
    }
    try consumer.commit(Offset(5))
    try consumer.commit(Offset(10))
    let killed = WoundedQueue(fixture: QueueFixture(fixture.disk.crash(.everythingKept)))
    await queue.close()
    #expect(killed.names == ["00000000000000000000.gz", "00000000000000000020.gz", "00000000000000000040.gz.active"])
    return killed
  }

  /// The same queue, to be damaged by itself.
  func copy() -> WoundedQueue { WoundedQueue(fixture: QueueFixture(fixture.disk.crash(.everythingKept))) }

  var names: [String] { fixture.disk.names(segments) ?? [] }
  var segments: FilePath { fixture.path.appending("segments") }
  var cursor: FilePath { fixture.path.appending("consumers").appending("archive") }
  var identity: FilePath { fixture.path.appending("queue.json") }
  var lock: FilePath { fixture.path.appending("lock") }

  /// The file of the segment that begins at `base`.
  func segment(_ base: Int) -> FilePath {
    let digits = SegmentName.digits(Offset(UInt64(base)))
    return segments.appending(names.first { $0.hasPrefix(digits) }!)
  }

  func bytes(_ path: FilePath) -> [UInt8] { fixture.disk.contents(path)! }

  /// Where the blocks of a segment begin and end: the snapshot, a mark in the first one, and two of lines.
  func blocks(_ base: Int) throws -> [(header: BlockHeader, bytes: Range<Int>)] {
    let bytes = bytes(segment(base))
    var found: [(header: BlockHeader, bytes: Range<Int>)] = []
    var position = 0
    while position < bytes.count {
      let header = try bytes[position...].withUnsafeBytes { try BlockHeader(decoding: $0) }
      found.append((header, position..<position + header.memberByteCount))
      position += header.memberByteCount
    }
    return found
  }

  /// The block whose first record is `offset`.
  func block(_ offset: Int) throws -> (header: BlockHeader, bytes: Range<Int>) {
    try blocks(offset / 20 * 20).first { $0.header.kind == .lines && Int($0.header.base.rawValue) == offset }!
  }

  func remove(_ path: FilePath) throws {
    try fixture.disk.directory(path.removingLastComponent(), create: false).unlink(path.lastComponent!.string)
  }

  func truncate(_ path: FilePath, to count: Int) throws {
    try fixture.disk.directory(path.removingLastComponent(), create: false).open(path.lastComponent!.string, .update)
      .truncate(to: Int64(count))
  }

  func flip(_ path: FilePath, at position: Int, _ mask: UInt8 = 0x5A) {
    fixture.disk.overwrite(path, with: [bytes(path)[position] ^ mask], at: position)
  }

  /// Zeroes a part of a file.
  func zero(_ path: FilePath, _ range: Range<Int>) {
    fixture.disk.overwrite(path, with: [UInt8](repeating: 0, count: range.count), at: range.lowerBound)
  }

  /// Changes a header under a checksum that is right again.
  func forge(_ path: FilePath, _ block: (header: BlockHeader, bytes: Range<Int>), at field: Int, _ value: UInt8) {
    var header = Array(bytes(path)[block.bytes.lowerBound..<block.bytes.lowerBound + block.header.byteCount])
    header[field] = value
    let sum = header.dropLast(4).withUnsafeBytes { BlockCodec.checksum($0) }
    withUnsafeBytes(of: sum.littleEndian) { header.replaceSubrange(header.count - 4..<header.count, with: $0) }
    fixture.disk.overwrite(path, with: header, at: block.bytes.lowerBound)
  }

  /// What an opening finds.
  struct Found: Equatable {
    var entries: [Entry] = []
    var checkpoint = 0
    var archive: [Entry]?
    var lines: [String] { entries.compactMap { if case .line(let line) = $0 { line } else { nil } } }
    var gaps: [Entry] { entries.filter { if case .gap = $0 { true } else { false } } }
    var lost: UInt64 { entries.reduce(0) { if case .gap(_, let records, _) = $1 { $0 + records } else { $0 } } }
  }

  /// Opens, reads as a new consumer and as `archive`, and closes.
  func find() async throws -> Found {
    let queue = try fixture.open()
    var found = Found()
    do {
      // What a consumer reads with, without the work of making one.
      let reader = queue.makeReader()
      var place = queue.startOffset
      while let batch = try reader.read(from: place, limits: BatchLimits(maxBytes: 1 << 20)) {
        #expect(batch.first == place && batch.next > place, "reading goes forward")
        found.entries += try batch.entries
        place = batch.next
      }
      #expect(place == queue.durableEnd, "reading stopped before the end")
      found.checkpoint = try queue.writer(source: "app").count
      found.archive = try? queue.consumer("archive", kind: .sink).drain()
    } catch {
      await queue.close()
      throw error
    }
    await queue.close()
    return found
  }
}
