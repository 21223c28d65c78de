/// Says whether a record is one JSON value that may stand in an array as it is.
///
/// RFC 8259 without leniency, since one bad element makes a receiver refuse the whole array: well-formed UTF-8, no lone surrogates
/// (`\ud800`, which many parsers refuse), no control characters in strings, no byte order mark, at most ``maximumDepth`` levels. Numbers
/// of any size are
/// values. Allocates nothing and doesn't recurse: open brackets are bits of one integer.
public struct JSONValidator {
  /// Most parsers' own bound (serde_json's, for one); a record that is nested deeper is written as a string.
  public static let maximumDepth = 128

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var depth = 0
  /// The lowest bit is the innermost bracket: 1 for an object, 0 for an array.
  private var brackets: UInt128 = 0

  /// Whether `bytes` is exactly one value, blanks around it allowed.
  public static func isValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var validator = JSONValidator(bytes: bytes)
    return validator.run()
  }

  private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private mutating func run() -> Bool {
    guard beginValue() else { return false }
    // Just after a value, or after an opening bracket that its closing one follows.
    while depth > 0 {
      skipBlanks()
      guard let byte = next() else { return false }
      let isObject = brackets & 1 == 1
      switch byte {
      case UInt8(ascii: "}") where isObject, UInt8(ascii: "]") where !isObject:
        brackets >>= 1
        depth -= 1
      case UInt8(ascii: ","):
        if isObject, !key() { return false }
        guard beginValue() else { return false }
      default: return false
      }
    }
    skipBlanks()
    return position == bytes.count
  }

  /// Reads a whole scalar, or opening brackets up to the first scalar or empty bracket.
  private mutating func beginValue() -> Bool {
    while true {
      skipBlanks()
      guard let byte = next() else { return false }
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        let isObject = byte == UInt8(ascii: "{")
        guard depth < Self.maximumDepth else { return false }
        brackets = brackets << 1 | (isObject ? 1 : 0)
        depth += 1
        skipBlanks()
        if peek() == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return true }
        if isObject, !key() { return false }
      case UInt8(ascii: "\""): return string()
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number(byte)
      case UInt8(ascii: "t"): return literal("rue")
      case UInt8(ascii: "f"): return literal("alse")
      case UInt8(ascii: "n"): return literal("ull")
      default: return false
      }
    }
  }

  private mutating func key() -> Bool {
    skipBlanks()
    guard next() == UInt8(ascii: "\""), string() else { return false }
    skipBlanks()
    return next() == UInt8(ascii: ":")
  }

  /// The rest of a string whose first quotation mark is read.
  private mutating func string() -> Bool {
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return true
      case UInt8(ascii: "\\"):
        position += 1
        guard escape() else { return false }
      case 0..<0x20: return false
      case 0x20..<0x80: position += 1
      default:
        let length = UTF8Sequence.length(in: bytes, at: position)
        guard length > 0 else { return false }
        position += length
      }
    }
    return false
  }

  private mutating func escape() -> Bool {
    guard let byte = next() else { return false }
    guard byte == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(byte) }
    guard let unit = codeUnit() else { return false }
    switch unit {
    case 0xD800..<0xDC00:
      guard next() == UInt8(ascii: "\\"), next() == UInt8(ascii: "u"), let low = codeUnit() else { return false }
      return (0xDC00..<0xE000).contains(low)
    case 0xDC00..<0xE000: return false
    default: return true
    }
  }

  private mutating func codeUnit() -> UInt16? {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = next() else { return nil }
      switch byte {
      case 0x30...0x39: unit = unit << 4 | UInt16(byte - 0x30)
      case 0x41...0x46: unit = unit << 4 | UInt16(byte - 0x41 + 10)
      case 0x61...0x66: unit = unit << 4 | UInt16(byte - 0x61 + 10)
      default: return nil
      }
    }
    return unit
  }

  private mutating func number(_ first: UInt8) -> Bool {
    var first = first
    if first == UInt8(ascii: "-") {
      guard let digit = next(), isDigit(digit) else { return false }
      first = digit
    }
    if first != UInt8(ascii: "0") { skipDigits() }
    if peek() == UInt8(ascii: ".") {
      position += 1
      guard skipDigits() else { return false }
    }
    if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
      position += 1
      if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
      guard skipDigits() else { return false }
    }
    return true
  }

  private mutating func literal(_ rest: StaticString) -> Bool {
    for index in 0..<rest.utf8CodeUnitCount where next() != rest.utf8Start[index] { return false }
    return true
  }

  @discardableResult
  private mutating func skipDigits() -> Bool {
    let start = position
    while let byte = peek(), isDigit(byte) { position += 1 }
    return position > start
  }

  private mutating func skipBlanks() {
    while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A { position += 1 }
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func next() -> UInt8? {
    guard position < bytes.count else { return nil }
    defer { position += 1 }
    return bytes[position]
  }
}
