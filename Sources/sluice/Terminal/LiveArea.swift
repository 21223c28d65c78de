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

  /// At most `rows - 1` lines of at most `columns - 1` characters; the last one tells how many are missing.
  static func fit(_ lines: [String], columns: Int, rows: Int) -> [String] {
    var fitted = lines
    let room = max(1, rows - 1)
    if fitted.count > room {
      let hidden = fitted.count - room + 1
      fitted = Array(fitted.prefix(room - 1)) + ["  (\(hidden) more; make the window higher)"]
    }
    return fitted.map { line in
      let width = max(1, columns - 1)
      return line.count <= width ? line : String(line.prefix(width))
    }
  }

  /// The cursor stands at the end of the last line; a terminal that has become narrower has wrapped the lines.
  private static func toStart(of lines: [String], columns: Int) -> String {
    guard !lines.isEmpty else { return "" }
    let up = lines.reduce(0) { $0 + max(1, ($1.count + columns - 1) / columns) } - 1
    return up > 0 ? "\r\u{1B}[\(up)A" : "\r"
  }

  private static func draw(_ lines: [String]) -> String {
    lines.map { $0 + "\u{1B}[K" }.joined(separator: "\n") + "\u{1B}[J"
  }
}
