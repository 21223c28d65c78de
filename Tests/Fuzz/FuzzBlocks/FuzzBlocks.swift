// A segment's bytes, as anyone may have written them: the scanner, headers, members, lines.
import CBlockCodec
import DurableFiles
import RecordBlocks
import SystemPackage

@testable import SegmentQueue

private let queueID = QueueID(high: 0x1122_3344_5566_7788, low: 0x99AA_BBCC_DDEE_FF00)

/// The first byte chooses: 1 mends checksums, without which no mutation gets far; 2 looks at headers only; 4 takes the file for longer than it is; 8 knows
/// the offset that is due.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count > 0 else { return 0 }
  let choice = start[0]
  var bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
  if choice & 1 != 0 { mend(&bytes) }
  let end = Int64(bytes.count) + (choice & 4 != 0 ? 5000 : 0)
  var scanner = BlockScanner(
    BytesFile(bytes), queueID: queueID, range: 0..<end, expecting: choice & 8 != 0 ? .zero : nil, headersOnly: choice & 2 != 0)
  var items = 0
  var position: Int64 = 0
  var due = Offset.zero
  var blocks: [StoredBlock] = []
  do {
    while let item = try scanner.next() {
      items += 1
      precondition(items <= 2 * bytes.count + 2, "the scanner goes on for ever")
      switch item {
      case .block(let block, let place):
        precondition(place == position && block.header.base >= due, "a block is not where the one before it ends")
        position += Int64(block.header.memberByteCount)
        due = block.header.end
        check(block)
        blocks.append(block)
      case .header(let header, let place):
        precondition(place == position && header.base >= due, "a header is not where the block before it ends")
        position += Int64(header.memberByteCount)
        due = header.end
      case .damage(let range, let first, let resumes, _):
        precondition(range.lowerBound == position && range.upperBound <= end, "damage is not where the block before it ends")
        precondition(first >= due && (resumes?.base ?? first) >= first, "damage goes back in the queue")
        position = range.upperBound
      }
      precondition(position == scanner.position)
    }
  } catch {
    preconditionFailure("a file in memory fails: \(error)")
  }
  precondition(position == end, "the scanner stopped before the end")
  checkJoined(blocks)
  return 0
}

/// What the writer of a segment may rely on: an accepted block can be written again under another header, and says the same.
private func check(_ block: StoredBlock) {
  let header = block.header
  precondition(header.lineByteCount <= BlockHeader.maximumLineBytes)
  precondition(block.member.count == header.memberByteCount)
  let (before, after) = (Tally(before: header), Tally(after: header))
  precondition(after.records >= before.records && after.bytes >= before.bytes && after.lost >= before.lost, "counters go back")
  guard header.kind == .lines else {
    let again = decode(StoredBlock(lineless: header))
    precondition(again.header.entries == header.entries && again.header.gap == header.gap, "entries changed on the way")
    return
  }
  let again = decode(StoredBlock(header, copying: block.deflated))
  var expected = header
  expected.memberByteCount = again.header.memberByteCount
  precondition(again.header.entries == expected.entries && again.header.end == expected.end, "a header changed on the way")
  let lines = try? block.lines()
  let others = try? block.lines(zlib)
  precondition(lines?.array == others?.array || lines == nil || others == nil, "two libraries inflate differently")
  guard let lines else { return }
  precondition(lines.count == header.lineByteCount, "more or fewer lines than were declared")
  precondition((try? again.lines())?.array == lines.array, "lines changed on the way")
  // A reader may draw any part of a block.
  guard header.recordCount > 1 else { return }
  let middle = header.base + header.recordCount / 2
  guard let one = try? BlockSlice(block, header.base..<middle).lines().array,
    let other = try? BlockSlice(block, middle..<header.end).lines().array
  else { return }
  precondition(lines.array.starts(with: one + other), "two halves aren't the whole")
}

private let zlib = BlockCodec(.zlib)!

private func decode(_ block: StoredBlock) -> StoredBlock {
  do {
    let header = try block.member.withUnsafeBytes { bytes throws(BlockDamage) in try BlockHeader(decoding: bytes) }
    return try StoredBlock(header, member: block.member)
  } catch {
    preconditionFailure("a block that was just written isn't one: \(error)")
  }
}

/// Blocks joined without recompression are one gzip member of all their lines.
private func checkJoined(_ blocks: [StoredBlock]) {
  let whole = blocks.filter { (try? $0.lines()) != nil }
  let lines = whole.flatMap { (try? $0.lines().array) ?? [] }
  // A member's data that others may follow ends in a flush; that isn't checked when a block is read.
  let isFlushed = whole.allSatisfy { $0.header.lineByteCount == 0 || $0.deflated.data.array.suffix(4) == [0, 0, 0xFF, 0xFF] }
  guard lines.count <= 1 << 20, isFlushed else { return }
  let member = GzipMember(joining: whole.map(\.deflated)).pieces.flatMap(\.array)
  guard let reader = gzip_reader_create() else { preconditionFailure("out of memory") }
  defer { gzip_reader_destroy(reader) }
  var output = [UInt8](repeating: 0, count: lines.count + 1)
  var taken = member.count
  var given = output.count
  let result = gzip_reader_read(reader, member, &taken, &output, &given)
  precondition(result == 1 && taken == member.count && output[..<given] == lines[...], "joined blocks aren't their lines")
}

/// Sets lengths and checksums right wherever a header may begin.
private func mend(_ bytes: inout [UInt8]) {
  var start = 0
  while let found = bytes.withUnsafeBytes({ BlockHeader.firstCandidate(in: $0, from: start) }) {
    start = found + 1
    guard found + 148 <= bytes.count else { return }
    let length = max(148, (Int(bytes[found + 14]) | Int(bytes[found + 15]) << 8) + 16)
    guard found + length <= bytes.count else { continue }
    func put(_ value: Int, _ count: Int, at place: Int) {
      for index in 0..<count { bytes[found + place + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }
    put(length - 12, 2, at: 10)
    put(length - 16, 2, at: 14)
    (bytes[found + 12], bytes[found + 13], bytes[found + 16]) = (0x53, 0x4C, 1)
    put(0, 2, at: 20)
    func integer(at place: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[found + place + $1]) << (8 * $1) } }
    let member = integer(at: 44)
    if member >= length + 10, found + member <= bytes.count {
      let lineByteCount = integer(at: 64)
      (bytes[found + member - 10], bytes[found + member - 9]) = (3, 0)
      put(lineByteCount, 4, at: member - 4)
      let data = Array(bytes[found + length..<found + member - 8])
      if lineByteCount <= 1 << 20, let codec = block_codec_create(0) {
        var lines = [UInt8](repeating: 0, count: max(1, lineByteCount))
        if block_codec_inflate(codec, data, data.count, &lines, lineByteCount) == 0 {
          put(Int(block_codec_crc32(0, lines, lineByteCount)), 4, at: member - 8)
        }
        block_codec_destroy(codec)
      }
      let body = Array(bytes[found + length..<found + member])
      put(Int(block_codec_crc32(0, body, body.count)), 4, at: 100)
    }
    let header = Array(bytes[found..<found + length - 4])
    put(Int(block_codec_crc32(0, header, header.count)), 4, at: length - 4)
  }
}

/// A file of bytes in memory that is only read.
private final class BytesFile: File {
  let path = FilePath("segment")
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(FileError) -> Int {
    precondition(position >= 0, "a read before the file's beginning")
    let part = bytes[min(bytes.count, Int(position))...].prefix(buffer.count)
    buffer.copyBytes(from: part)
    return part.count
  }

  func status() throws(FileError) -> FileStatus { FileStatus(kind: .regular, size: Int64(bytes.count), device: 0, inode: 0) }
  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileError) { preconditionFailure("only read") }
  func truncate(to size: Int64) throws(FileError) { preconditionFailure("only read") }
  func sync() throws(FileError) { preconditionFailure("only read") }
  func lock() throws(FileError) -> Bool { preconditionFailure("only read") }
}
