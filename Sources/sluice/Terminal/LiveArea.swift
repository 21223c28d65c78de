/// Lines at the bottom of a terminal that are drawn over again and again, and the codes that do so. It only makes text: whoever owns it
/// writes that in
/// one piece, so that nothing flickers.
struct LiveArea {
  private var shown: [String] = []

  /// Replaces the lines on view. What doesn't fit into the terminal's width or height is cut.
  mutating func show(_ lines: [String], columns: Int, rows: Int) -> String {
    let fitted = Self.fit(lines, columns: columns, rows: rows)
    guard fitted != shown || fitted.isEmpty == false else { return "" }
    let text = Self.toStart(of: shown, columns: columns) + Self.draw(fitted)
    shown = fitted
    return text
  }

  /// Puts a line above the lines on view, which stay below it.
  func insert(_ line: String, columns: Int) -> String {
    shown.isEmpty ? line + "\n" : Self.toStart(of: shown, columns: columns) + "\u{1B}[J" + line + "\n" + Self.draw(shown)
  }

  /// Takes the lines away.
  mutating func clear(columns: Int) -> String {
    guard !shown.isEmpty else { return "" }
    defer { shown = [] }
    return Self.toStart(of: shown, columns: columns) + "\u{1B}[J"
  }

  /// At most `rows - 1` lines of at most `columns - 1` columns; the last one tells how many are missing.
  static func fit(_ lines: [String], columns: Int, rows: Int) -> [String] {
    var fitted = lines
    let room = max(1, rows - 1)
    if fitted.count > room {
      let hidden = fitted.count - room + 1
      fitted = Array(fitted.prefix(room - 1)) + ["  (\(hidden) more; make the window higher)"]
    }
    return fitted.map { line in
      let room = max(1, columns - 1)
      var taken = 0
      let end = line.indices.first { index in
        taken += width(of: line[index])
        return taken > room
      }
      return String(line[..<(end ?? line.endIndex)])
    }
  }

  /// Columns that a line takes: foreign text in it may be of wide characters, and a line that wraps would leave its beginning behind.
  static func width(of line: String) -> Int { line.reduce(0) { $0 + width(of: $1) } }

  /// 2 for East Asian wide characters and pictures (Unicode Standard Annex 11, roughly), else 1.
  private static func width(of character: Character) -> Int {
    character.unicodeScalars.contains { scalar in
      switch scalar.value {
      case 0x1100...0x115F, 0x231A...0x231B, 0x23E9...0x23F3, 0x25FD...0x27BF, 0x2B1B...0x2B55, 0x2E80...0xA4CF, 0xA960...0xA97F,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE0F...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F000...0x1FAFF, 0x20000...0x3FFFD:
        true
      default: false
      }
    } ? 2 : 1
  }

  /// The cursor stands at the end of the last line; a terminal that has become narrower has wrapped the lines.
  private static func toStart(of lines: [String], columns: Int) -> String {
    guard !lines.isEmpty else { return "" }
    let up = lines.reduce(0) { $0 + max(1, (width(of: $1) + columns - 1) / columns) } - 1
    return up > 0 ? "\r\u{1B}[\(up)A" : "\r"
  }

  private static func draw(_ lines: [String]) -> String {
    lines.map { $0 + "\u{1B}[K" }.joined(separator: "\n") + "\u{1B}[J"
  }
}
