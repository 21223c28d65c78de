/// Columns of text with a heading: numbers to the right, words to the left.
struct TextTable {
  enum Alignment { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  init(_ columns: (String, Alignment)...) { self.columns = columns.map { (title: $0.0, alignment: $0.1) } }

  var isEmpty: Bool { rows.isEmpty }

  mutating func add(_ cells: String...) {
    precondition(cells.count == columns.count, "a row has one cell a column")
    rows.append(cells.map(Escaping.escaped))
  }

  /// The heading and the rows, two spaces between columns, each line after `indent`; no spaces at a line's end.
  func text(indent: String = "") -> String {
    let widths = columns.indices.map { column in
      rows.reduce(columns[column].title.count) { max($0, $1[column].count) }
    }
    return ([columns.map(\.title)] + rows).map { cells in
      var line = indent
      for (column, cell) in cells.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += (column == 0 ? "" : "  ") + (columns[column].alignment == .left ? cell + padding : padding + cell)
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
