internal import Glibc
public import RecordBlocks

/// Writes records as the elements of one JSON array.
///
/// A record that is a JSON value by itself (see ``JSONValidator``) stands as it is; any other, raw text mostly, becomes a string, in
/// which each
/// ill-formed part of UTF-8 is U+FFFD. Both may stand in one array.
public struct JSONArrayWriter: Sendable {
  /// The array, whole after ``finish()``.
  public private(set) var bytes: [UInt8] = []
  /// How many records had bytes replaced by U+FFFD.
  public private(set) var replacedCount = 0
  private var isFirst = true

  /// An array for about `lineBytes` bytes of lines.
  public init(lineBytes: Int) {
    bytes.reserveCapacity(lineBytes + lineBytes / 16 + 64)
    bytes.append(UInt8(ascii: "["))
  }

  /// Appends the records of `lines`, each ended by a line feed.
  public mutating func append(_ lines: SharedBytes) {
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
  public mutating func finish() { bytes.append(UInt8(ascii: "]")) }

  private mutating func append(record: UnsafeRawBufferPointer) {
    // One element a line, so that a person (or `grep`) can read a body.
    if !isFirst { bytes.append(contentsOf: ",\n".utf8) }
    isFirst = false
    if JSONValidator.isValue(record) {
      bytes.append(contentsOf: record)
    } else {
      appendString(record)
    }
  }

  private mutating func appendString(_ text: UnsafeRawBufferPointer) {
    bytes.append(UInt8(ascii: "\""))
    var clean = 0
    var position = 0
    var isReplaced = false
    while position < text.count {
      let byte = text[position]
      if byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
        position += 1
        continue
      }
      let length = UTF8Sequence.length(in: text, at: position)
      if byte >= 0x80, length > 0 {
        position += length
        continue
      }
      bytes.append(contentsOf: text[clean..<position])
      if length < 0 {
        bytes.append(contentsOf: "\u{FFFD}".utf8)
        isReplaced = true
      } else {
        appendEscaped(byte)
      }
      position += abs(length)
      clean = position
    }
    bytes.append(contentsOf: text[clean...])
    bytes.append(UInt8(ascii: "\""))
    if isReplaced { replacedCount += 1 }
  }

  private mutating func appendEscaped(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
    case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
    case 0x08: bytes.append(contentsOf: "\\b".utf8)
    case 0x09: bytes.append(contentsOf: "\\t".utf8)
    case 0x0C: bytes.append(contentsOf: "\\f".utf8)
    case 0x0D: bytes.append(contentsOf: "\\r".utf8)
    default:
      let digits = Array("0123456789abcdef".utf8)
      bytes.append(contentsOf: "\\u00".utf8)
      bytes.append(digits[Int(byte >> 4)])
      bytes.append(digits[Int(byte & 15)])
    }
  }
}
