/// How far a long work is: a bar on a terminal, nothing in a pipe.
final class ProgressBar {
  private let output: DiagnosticOutput
  private let title: String
  private let start = ContinuousClock.now
  private var drawn: ContinuousClock.Instant?

  init(_ title: String, output: DiagnosticOutput = .shared) {
    self.title = Escaping.escaped(title)
    self.output = output
  }

  /// Tells how much is done; draws at most ten times a second, so it may be called as often as one likes.
  func update(_ done: Int64, of total: Int64) {
    guard output.canRedraw else { return }
    let now = ContinuousClock.now
    if let drawn, now - drawn < .milliseconds(100), done < total { return }
    drawn = now
    output.show([Self.text(title, done: done, total: total, elapsed: (now - start).seconds)])
  }

  /// Takes the bar away.
  func finish() { output.clear() }

  static func text(_ title: String, done: Int64, total: Int64, elapsed: Double) -> String {
    let share = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 1
    let width = 30
    let filled = Int((share * Double(width)).rounded(.down))
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
    let left = done > 0 && share < 1 ? ", \(HumanText.duration(seconds: elapsed / share - elapsed)) left" : ""
    return "\(title) [\(bar)] \(Int((share * 100).rounded(.down))) %  \(HumanText.bytes(done)) of \(HumanText.bytes(total))\(left)"
  }
}
