/// A pipeline file's text, with places in it as the YAML parser counts them.
struct YAMLText {
  /// Larger files are no pipeline files.
  static let maximumBytes = 1 << 20

  let string: String

  /// The text of `bytes`, or why they are none, with line and column.
  static func checked(_ bytes: [UInt8]) -> Result<YAMLText, Flaw> {
    guard let string = String(validating: bytes, as: UTF8.self) else {
      var end = 0
      while let length = utf8SequenceLength(bytes, at: end) { end += length }
      let place = YAMLText(string: String(decoding: bytes[..<end], as: UTF8.self)).endPlace
      return .failure(Flaw(line: place.line, column: place.column, message: "not UTF-8: the byte \(hex(bytes[end])) can't stand here"))
    }
    let text = YAMLText(string: string)
    if let bad = string.unicodeScalars.firstIndex(where: { !isAllowed($0) }) {
      let place = YAMLText(string: String(string[..<bad])).endPlace
      let code = hex(string.unicodeScalars[bad].value)
      return .failure(
        Flaw(line: place.line, column: place.column, message: "the control character \(code) can't stand in a pipeline file; remove it"))
    }
    return .success(text)
  }

  /// A mistake with its place.
  struct Flaw: Error {
    var line: Int
    var column: Int
    var message: String
  }

  /// Where the scalar at line and column (both from 1, columns in scalars) begins; nil past the line's end.
  func index(line: Int, column: Int) -> String.Index? {
    let scalars = string.unicodeScalars
    var index = string.startIndex
    var currentLine = 1
    while currentLine < line {
      guard let lineBreak = scalars[index...].firstIndex(where: Self.isLineBreak) else { return nil }
      index = afterLineBreak(lineBreak)
      currentLine += 1
    }
    for _ in 1..<max(1, column) {
      guard index < string.endIndex, !Self.isLineBreak(scalars[index]) else { return nil }
      index = scalars.index(after: index)
    }
    return index < string.endIndex ? index : nil
  }

  /// The scalar there.
  func scalar(line: Int, column: Int) -> Unicode.Scalar? { index(line: line, column: column).map { string.unicodeScalars[$0] } }

  /// The line's text; empty past the end.
  func line(_ line: Int) -> Substring {
    guard let start = index(line: line, column: 1) else { return "" }
    let scalars = string.unicodeScalars
    return string[start..<(scalars[start...].firstIndex(where: Self.isLineBreak) ?? string.endIndex)]
  }

  /// Line and column of the place after the text.
  var endPlace: (line: Int, column: Int) {
    let scalars = string.unicodeScalars
    var line = 1
    var lineStart = string.startIndex
    while let lineBreak = scalars[lineStart...].firstIndex(where: Self.isLineBreak) {
      lineStart = afterLineBreak(lineBreak)
      line += 1
    }
    return (line, scalars.distance(from: lineStart, to: string.endIndex) + 1)
  }

  private func afterLineBreak(_ index: String.Index) -> String.Index {
    let scalars = string.unicodeScalars
    let next = scalars.index(after: index)
    return scalars[index] == "\r" && next < string.endIndex && scalars[next] == "\n" ? scalars.index(after: next) : next
  }

  /// YAML 1.1's line breaks.
  private static func isLineBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0A, 0x0D, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0..<0xFFFE, 0x1_0000...: true
    default: false
    }
  }

  /// The length of the UTF-8 sequence at `start`; nil at the end or when it is none.
  private static func utf8SequenceLength(_ bytes: [UInt8], at start: Int) -> Int? {
    guard start < bytes.count else { return nil }
    let length = bytes[start] < 0x80 ? 1 : bytes[start] < 0xE0 ? 2 : bytes[start] < 0xF0 ? 3 : 4
    guard start + length <= bytes.count, String(validating: bytes[start..<start + length], as: UTF8.self) != nil else { return nil }
    return length
  }

  private static func hex(_ value: some BinaryInteger) -> String { "0x" + (value < 16 ? "0" : "") + String(value, radix: 16) }
}
