internal import RecordBlocks

/// Writes dead letters as JSON: `{"reason", "status", "consumer", "offset", "bytes"}`, the record's bytes in base64, since they may be
/// anything.
struct DeadLetterRecord: Sendable {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  /// Everything before the offset.
  private let head: [UInt8]

  /// Dead letters of one consumer for one reason.
  init(consumer: String, reason: String, status: String) {
    head = Array(
      "{\"reason\":\(Self.quoted(reason)),\"status\":\(Self.quoted(status)),\"consumer\":\(Self.quoted(consumer)),\"offset\":".utf8)
  }

  /// Appends one record, without its line feed, as a line of `batch`.
  func append(_ record: SharedBytes, offset: Offset, to batch: inout RecordBatch) {
    var line = head
    line.reserveCapacity(head.count + record.count * 4 / 3 + 48)
    line.append(contentsOf: "\(offset),\"bytes\":\"".utf8)
    record.withUnsafeBytes { Self.appendBase64($0, to: &line) }
    line.append(contentsOf: "\"}".utf8)
    line.withUnsafeBytes { batch.append($0) }
  }

  private static func appendBase64(_ bytes: UnsafeRawBufferPointer, to line: inout [UInt8]) {
    var position = 0
    while position < bytes.count {
      let left = bytes.count - position
      let word =
        UInt32(bytes[position]) << 16 | (left > 1 ? UInt32(bytes[position + 1]) << 8 : 0) | (left > 2 ? UInt32(bytes[position + 2]) : 0)
      line.append(digits[Int(word >> 18)])
      line.append(digits[Int(word >> 12 & 63)])
      line.append(left > 1 ? digits[Int(word >> 6 & 63)] : UInt8(ascii: "="))
      line.append(left > 2 ? digits[Int(word & 63)] : UInt8(ascii: "="))
      position += 3
    }
  }

  /// A JSON string.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{0}"..<" ", "\u{7F}"..<"\u{A0}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
