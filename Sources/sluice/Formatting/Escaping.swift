/// Foreign text made safe to print: names of files, answers of servers and lines of logs may hold bytes that a terminal obeys.
enum Escaping {
  /// Control characters, and those that turn the direction of text, become `\n`, `\t`, `\r` or `\u{…}`; a backslash is doubled.
  static func escaped(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: needsEscape) else { return text }
    var result = ""
    result.reserveCapacity(text.utf8.count + 16)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case "\\": result += "\\\\"
      case _ where needsEscape(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Like ``escaped(_:)``, but lines stay lines: only for what has no foreign text in it that could hold a line feed.
  static func lines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { escaped(String($0)) }.joined(separator: "\n")
  }

  /// A value of `key=value`: escaped, and in quotes when it would not read as one word.
  static func word(_ text: String) -> String {
    let needsQuotes = text.isEmpty || text.unicodeScalars.contains { $0 == " " || $0 == "\"" || $0 == "=" || needsEscape($0) }
    guard needsQuotes else { return text }
    return "\"" + escaped(text).replacing("\"", with: "\\\"") + "\""
  }

  private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool { scalar == "\\" || isHazard(scalar) }

  /// Control characters (C0, DEL, C1), line and paragraph separators, and what can't be seen or turns the direction of text: joiners,
  /// marks, overrides, isolates, tags.
  static func isHazard(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0: true
    case 0xAD, 0x61C, 0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F: true
    default: false
    }
  }
}
