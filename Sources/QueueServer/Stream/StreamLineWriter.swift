internal import Glibc
internal import NIOCore
internal import PipelineCore
internal import RecordBlocks

/// Writes lines as JSON strings with commas between them.
struct StreamLineWriter {
  /// A string is written in parts of about so many bytes, since the room for each must be there for the worst case.
  private static let partBytes = 16 << 10

  /// Lines in which bytes were replaced by U+FFFD.
  private(set) var replacedCount = 0
  private var isFirst = true

  /// Writes the records of `lines`, each ended by a line feed.
  mutating func write(_ lines: SharedBytes, to text: inout ByteBuffer) {
    lines.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let found = memchr(bytes.baseAddress! + start, 0x0A, bytes.count - start)
        let end = found.map { UnsafeRawPointer($0) - bytes.baseAddress! } ?? bytes.count
        write(record: UnsafeRawBufferPointer(rebasing: bytes[start..<end]), to: &text)
        start = end + 1
      }
    }
  }

  private mutating func write(record: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
    var start = 0
    var isReplaced = false
    var opening = isFirst ? "\"" as StaticString : ",\""
    isFirst = false
    repeat {
      let end = Self.partEnd(record, from: start)
      let part = UnsafeRawBufferPointer(rebasing: record[start..<end])
      // Three more: the comma and the quotes.
      text.writeWithUnsafeMutableBytes(minimumWritableBytes: JSONText.capacity(forEscaping: part.count) + 3) { output in
        let base = output.baseAddress!
        base.copyMemory(from: opening.utf8Start, byteCount: opening.utf8CodeUnitCount)
        var count = opening.utf8CodeUnitCount
        let escaped = JSONText.escape(part, into: base + count)
        count += escaped.count
        if escaped.replaced { isReplaced = true }
        if end == record.count {
          base.storeBytes(of: UInt8(ascii: "\""), toByteOffset: count, as: UInt8.self)
          count += 1
        }
        return count
      }
      opening = ""
      start = end
    } while start < record.count
    if isReplaced { replacedCount += 1 }
  }

  /// Where a part ends that begins at `start`: not inside a character, of which no more than three bytes can come behind the first.
  private static func partEnd(_ record: UnsafeRawBufferPointer, from start: Int) -> Int {
    guard record.count - start > partBytes else { return record.count }
    let end = start + partBytes
    return (end - 3...end).last { record[$0] & 0xC0 != 0x80 } ?? end
  }
}
