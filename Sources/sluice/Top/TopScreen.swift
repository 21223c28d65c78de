internal import QueueClient

/// What `sluice top` shows at a moment, and how: the status with a head line, from the line on to which it was scrolled. It only makes text.
struct TopScreen {
  /// Takes the whole window, without its cursor; what was there before comes back with ``leave``.
  static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[H\u{1B}[J"
  static let leave = "\u{1B}[?25h\u{1B}[?1049l"

  let address: String
  /// The newest status; nil before the first.
  private var status: RemoteStatus?
  /// Why there is no newer one.
  private var trouble: String?
  private var firstLine = 0

  init(address: String) { self.address = address }

  mutating func update(_ status: RemoteStatus) { (self.status, trouble) = (status, nil) }
  mutating func update(trouble: String) { self.trouble = trouble }
  mutating func scroll(by lines: Int) { firstLine = max(0, firstLine + lines) }

  /// The codes and lines that draw it anew over itself.
  mutating func text(columns: Int, rows: Int) -> String {
    let body = status.map { TopText.lines($0) } ?? []
    let room = max(1, rows - 2)
    firstLine = max(0, min(firstLine, body.count - room))
    let shown = body.dropFirst(firstLine).prefix(room)
    var head = "sluice top \(Escaping.escaped(address))"
    if let status { head += "  \(status.time.split(separator: "T").last.map { Escaping.escaped(String($0.prefix(8))) } ?? "") UTC" }
    if let trouble { head += "  STALE: \(Escaping.escaped(trouble)); trying again" }
    var foot = "q quits"
    if body.count > room { foot += "  ↑ ↓ scroll  lines \(firstLine + 1) to \(firstLine + shown.count) of \(body.count)" }
    let fitted = LiveArea.fit([head] + shown + [foot], columns: columns, rows: rows + 1)
    return "\u{1B}[H" + fitted.map { $0 + "\u{1B}[K" }.joined(separator: "\n") + "\u{1B}[J"
  }
}

/// A key of the terminal that means something here.
enum TopKey: Equatable {
  case quit
  case scroll(Int)

  /// The keys in what a terminal sent at once.
  static func keys(in bytes: [UInt8]) -> [TopKey] {
    switch bytes {
    case [0x1B, 0x5B, 0x41], [0x1B, 0x4F, 0x41]: return [.scroll(-1)]
    case [0x1B, 0x5B, 0x42], [0x1B, 0x4F, 0x42]: return [.scroll(1)]
    case [0x1B, 0x5B, 0x35, 0x7E]: return [.scroll(-10)]
    case [0x1B, 0x5B, 0x36, 0x7E]: return [.scroll(10)]
    default:
      return bytes.compactMap { byte in
        switch byte {
        // Ctrl-C is a byte when the terminal makes no signal of it.
        case UInt8(ascii: "q"), UInt8(ascii: "Q"), 0x03: .quit
        case UInt8(ascii: "k"): .scroll(-1)
        case UInt8(ascii: "j"): .scroll(1)
        default: nil
        }
      }
    }
  }
}
