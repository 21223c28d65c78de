// A consumer's file, both its slots, as anyone may have written them.
import CBlockCodec
import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport

@testable import SegmentQueue

/// The first byte chooses: 1 mends the first slot's checksum, 2 the second's. The second slot begins behind the first one's length, so that inputs stay
/// small; in the file each has its 16 KiB.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count > 8 else { return 0 }
  let input = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
  let split = min(input.count, max(128, Int(input[4]) | Int(input[5]) << 8))
  let parts = [Array(input[..<split]), Array(input[split...])]
  var bytes = [UInt8](repeating: 0, count: 2 * CursorRecord.slotByteCount)
  for index in 0..<2 {
    var slot = Array(parts[index].prefix(CursorRecord.slotByteCount))
    if start[0] & UInt8(1 << index) != 0 { mend(&slot) }
    check(slot)
    bytes.replaceSubrange(index * CursorRecord.slotByteCount..<index * CursorRecord.slotByteCount + slot.count, with: slot)
  }
  do { try checkFile(bytes) } catch { preconditionFailure("a file in memory fails: \(error)") }
  return 0
}

/// A slot that is read means just its bytes, unless they say what no version 1 or 2 writes.
private func check(_ slot: [UInt8]) {
  guard let record = slot.withUnsafeBytes({ CursorRecord.decode($0) }) else { return }
  let encoded = record.encode()
  let again = encoded.withUnsafeBytes { CursorRecord.decode($0) }
  precondition(again == record, "a record changed on the way")
  let length = Int(slot[4]) | Int(slot[5]) << 8
  if length == encoded.count {
    precondition(encoded[...] == slot.prefix(length), "a slot that was read is written otherwise")
  } else {
    // One of the first versions: without the fields of the loss, which are 0 then, before the checksum.
    let (fields, lossFields) = (6..<length - 4, length - 4..<length + 20)
    precondition(length == encoded.count - 24, "a slot of this length is nobody's")
    precondition(encoded[fields] == slot[fields], "an old slot that was read is written otherwise")
    precondition(encoded[lossFields].allSatisfy { $0 == 0 }, "an old slot told of a loss what it can't know")
  }
  var end = Tally()
  end.records = .max
  let standing = record.standing(at: end) { _ in end }
  precondition(standing.lostRecords >= record.lostRecords)
}

/// A file that opens can be committed to, and has the commit when it is opened again.
private func checkFile(_ bytes: [UInt8]) throws {
  let directory = try SimulatedFileSystem().directory("/", create: true)
  try directory.open("consumer", .createNew).write(bytes, at: 0)
  let records = [0, 1].map { index in
    bytes[index * CursorRecord.slotByteCount..<(index + 1) * CursorRecord.slotByteCount].withUnsafeBytes { CursorRecord.decode($0) }
  }
  guard let id = records.lazy.compactMap({ $0 }).first?.queueID else { return }
  guard var file = try? CursorFile(opening: "consumer", in: directory, queueID: id) else { return }
  for _ in 0..<3 {
    let before = file.current
    try file.commit { $0.lastCallAge ^= 1 }
    precondition(file.current.generation == before.generation + 1)
    let opened = try CursorFile(opening: "consumer", in: directory, queueID: id)
    precondition(opened?.current == file.current, "a commit isn't there after an opening")
  }
}

private func mend(_ slot: inout [UInt8]) {
  guard slot.count >= 128 else { return }
  let length = min(slot.count, max(128, Int(slot[4]) | Int(slot[5]) << 8))
  (slot[4], slot[5]) = (UInt8(truncatingIfNeeded: length), UInt8(truncatingIfNeeded: length >> 8))
  let checksum = block_codec_crc32(0, slot, length - 4)
  for index in 0..<4 { slot[length - 4 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
}
