internal import Glibc

/// A JSON text as the server's answers are: read whole, looked at by key.
///
/// Bounded in depth, so that no answer exhausts the stack; its length is bounded by what a message may have.
indirect enum JSONTree {
  case object([String: JSONTree])
  case array([JSONTree])
  case string(String)
  /// As written: counts go to 64 bits, which a `Double` doesn't hold.
  case number(String)
  case bool(Bool)
  case null

  private static let deepest = 32

  /// The value that `bytes` are, or nil when they are not one JSON text.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var reader = Reader(bytes: bytes)
    guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
    self = value
  }

  /// A member of an object.
  subscript(key: String) -> JSONTree? {
    guard case .object(let members) = self else { return nil }
    return members[key]
  }

  /// A text.
  var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  /// A whole number.
  func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    guard case .number(let digits) = self else { return nil }
    return T(digits)
  }

  /// `true`; false for all else.
  var isTrue: Bool {
    guard case .bool(let value) = self else { return false }
    return value
  }

  /// An array's texts.
  var texts: [String]? {
    guard case .array(let elements) = self else { return nil }
    return elements.compactMap(\.text)
  }

  /// A text as a JSON string with its quotes.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20: result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private struct Reader {
    let bytes: UnsafeRawBufferPointer
    var position = 0

    var isAtEnd: Bool {
      mutating get {
        skipBlanks()
        return position == bytes.count
      }
    }

    private mutating func skipBlanks() {
      while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
      skipBlanks()
      guard position < bytes.count, bytes[position] == byte else { return false }
      position += 1
      return true
    }

    private mutating func take(word: StaticString) -> Bool {
      let count = word.utf8CodeUnitCount
      guard bytes.count - position >= count, memcmp(bytes.baseAddress! + position, word.utf8Start, count) == 0 else { return false }
      position += count
      return true
    }

    mutating func value(depth: Int) -> JSONTree? {
      skipBlanks()
      guard depth < JSONTree.deepest, position < bytes.count else { return nil }
      switch bytes[position] {
      case UInt8(ascii: "{"): return object(depth: depth)
      case UInt8(ascii: "["): return array(depth: depth)
      case UInt8(ascii: "\""): return string().map(JSONTree.string)
      case UInt8(ascii: "t"): return take(word: "true") ? .bool(true) : nil
      case UInt8(ascii: "f"): return take(word: "false") ? .bool(false) : nil
      case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
      default: return number()
      }
    }

    private mutating func object(depth: Int) -> JSONTree? {
      position += 1
      var members: [String: JSONTree] = [:]
      if take(UInt8(ascii: "}")) { return .object(members) }
      repeat {
        skipBlanks()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\""), let key = string(), take(UInt8(ascii: ":")),
          let value = value(depth: depth + 1)
        else { return nil }
        members[key] = value
      } while take(UInt8(ascii: ","))
      return take(UInt8(ascii: "}")) ? .object(members) : nil
    }

    private mutating func array(depth: Int) -> JSONTree? {
      position += 1
      var elements: [JSONTree] = []
      if take(UInt8(ascii: "]")) { return .array(elements) }
      repeat {
        guard let value = value(depth: depth + 1) else { return nil }
        elements.append(value)
      } while take(UInt8(ascii: ","))
      return take(UInt8(ascii: "]")) ? .array(elements) : nil
    }

    private mutating func number() -> JSONTree? {
      let start = position
      while position < bytes.count, "+-.0123456789Ee".utf8.contains(bytes[position]) { position += 1 }
      return position > start ? .number(String(decoding: bytes[start..<position], as: UTF8.self)) : nil
    }

    private mutating func string() -> String? {
      position += 1
      var text: [UInt8] = []
      var start = position
      while position < bytes.count {
        let byte = bytes[position]
        if byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
          position += 1
          continue
        }
        text.append(contentsOf: bytes[start..<position])
        position += 1
        if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
        guard let escaped = escape() else { return nil }
        text.append(contentsOf: String(Character(escaped)).utf8)
        start = position
      }
      return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
      guard position < bytes.count else { return nil }
      defer { position += 1 }
      switch bytes[position] {
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "f"): return "\u{C}"
      case UInt8(ascii: "u"):
        guard bytes.count - position > 4, let code = UInt32(String(decoding: bytes[position + 1...position + 4], as: UTF8.self), radix: 16)
        else { return nil }
        position += 4
        // Halves of a pair stand for characters that no answer of interest has.
        return Unicode.Scalar(code) ?? "\u{FFFD}"
      case let byte: return Unicode.Scalar(byte)
      }
    }
  }
}
