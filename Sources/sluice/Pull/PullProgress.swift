internal import Glibc
internal import QueueClient

/// How far a pull is: a line on a terminal, nothing in a pipe, nor when the lines themselves go to a terminal.
final class PullProgress {
  private let output: DiagnosticOutput?
  private let title: String
  private let start = ContinuousClock.now
  private var drawn: ContinuousClock.Instant?
  private var records = 0
  private var bytes = 0

  init(_ title: String, output: DiagnosticOutput = .shared, linesGoToTerminal: Bool = isatty(STDOUT_FILENO) == 1) {
    self.title = Escaping.escaped(title)
    self.output = output.canRedraw && !linesGoToTerminal ? output : nil
  }

  func add(_ batch: PulledBatch) {
    records += batch.records
    bytes += batch.byteCount
    guard let output else { return }
    let now = ContinuousClock.now
    if let drawn, now - drawn < .milliseconds(100), batch.lagRecords > 0 { return }
    drawn = now
    output.show([
      Self.text(
        title, records: records, bytes: bytes, elapsed: (now - start).seconds, lagRecords: batch.lagRecords, lagBytes: batch.lagBytes)
    ])
  }

  func finish() { output?.clear() }

  static func text(_ title: String, records: Int, bytes: Int, elapsed: Double, lagRecords: UInt64, lagBytes: UInt64) -> String {
    let rate = elapsed > 0 ? ", \(HumanText.byteRate(Double(bytes) / elapsed))" : ""
    let lag = lagRecords == 0 ? "nothing left" : "\(HumanText.count(lagRecords, "record")) left (\(HumanText.bytes(lagBytes)))"
    return "\(title)  \(HumanText.count(records, "record")), \(HumanText.bytes(bytes))\(rate); \(lag)"
  }
}
