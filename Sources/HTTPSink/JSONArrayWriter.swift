internal import Glibc
internal import NIOCore
internal import RecordBlocks

/// Writes records as the elements of one JSON array.
///
/// A record that is a JSON value by itself (see ``JSONValidator``) stands as it is; any other, raw text mostly, becomes a string, in
/// which each
/// ill-formed part of UTF-8 is U+FFFD. Both may stand in one array.
struct JSONArrayWriter {
  /// The array, whole after ``finish()``.
  private(set) var buffer: ByteBuffer
  /// How many records had bytes replaced by U+FFFD.
  private(set) var replacedCount = 0
  private var isFirst = true

  /// An array for about `lineBytes` bytes of lines.
  init(lineBytes: Int) {
    buffer = ByteBufferAllocator().buffer(capacity: lineBytes + lineBytes / 16 + 64)
    buffer.writeInteger(UInt8(ascii: "["))
  }

  /// Appends the records of `lines`, each ended by a line feed.
  mutating func append(_ lines: SharedBytes) {
    lines.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let found = memchr(bytes.baseAddress! + start, 0x0A, bytes.count - start)
        let end = found.map { UnsafeRawPointer($0) - bytes.baseAddress! } ?? bytes.count
        append(record: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        start = end + 1
      }
    }
  }

  /// Closes the array.
  mutating func finish() { buffer.writeInteger(UInt8(ascii: "]")) }

  private mutating func append(record: UnsafeRawBufferPointer) {
    // One element a line, so that a person (or `grep`) can read a body.
    if !isFirst { buffer.writeStaticString(",\n") }
    isFirst = false
    if JSONValidator.isValue(record) {
      buffer.writeBytes(record)
    } else {
      appendString(record)
    }
  }

  private mutating func appendString(_ bytes: UnsafeRawBufferPointer) {
    buffer.writeInteger(UInt8(ascii: "\""))
    var clean = 0
    var position = 0
    var isReplaced = false
    while position < bytes.count {
      let byte = bytes[position]
      if byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
        position += 1
        continue
      }
      let length = UTF8Sequence.length(in: bytes, at: position)
      if byte >= 0x80, length > 0 {
        position += length
        continue
      }
      buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[clean..<position]))
      if length < 0 {
        buffer.writeStaticString("\u{FFFD}")
        isReplaced = true
      } else {
        appendEscaped(byte)
      }
      position += abs(length)
      clean = position
    }
    buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[clean...]))
    buffer.writeInteger(UInt8(ascii: "\""))
    if isReplaced { replacedCount += 1 }
  }

  private mutating func appendEscaped(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
    case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
    case 0x08: buffer.writeStaticString("\\b")
    case 0x09: buffer.writeStaticString("\\t")
    case 0x0C: buffer.writeStaticString("\\f")
    case 0x0D: buffer.writeStaticString("\\r")
    default:
      let digits: StaticString = "0123456789abcdef"
      buffer.writeStaticString("\\u00")
      buffer.writeInteger(digits.utf8Start[Int(byte >> 4)])
      buffer.writeInteger(digits.utf8Start[Int(byte & 15)])
    }
  }
}
