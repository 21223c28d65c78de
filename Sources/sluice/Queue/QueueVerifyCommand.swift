internal import ArgumentParser
internal import SegmentQueue

/// `sluice queue verify`.
struct QueueVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Read every byte of a queue and check it; changes nothing.",
    discussion: "Exit code \(ExitCode.damaged.rawValue) when there is damage. Records that were lost earlier, as gaps tell, are no damage.")

  @OptionGroup var queue: QueueArgument
  @OptionGroup var output: OutputOptions

  func run() throws {
    try queue.needsDirectory(for: "sluice queue verify")
    let files = try queue.files()
    let bar = ProgressBar("verifying \(queue.name)")
    var findings: [QueueFiles.Finding] = []
    let summary = try files.verify(progress: { bar.update($0, of: $1) }, finding: { findings.append($0) })
    bar.finish()
    try output.print(facts(findings, summary), text: text(findings, summary))
    if findings.contains(where: \.isDamage) { throw CommandFailure(.damaged, "") }
  }

  private func facts(_ findings: [QueueFiles.Finding], _ summary: QueueFiles.Summary) -> JSONValue {
    .object([
      ("queue", .string(queue.name)), ("damaged", .bool(findings.contains(where: \.isDamage))), ("blocks", .integer(summary.blocks)),
      ("records", .integer(summary.records)), ("bytes", .integer(summary.bytes)), ("gaps", .integer(summary.gaps)),
      ("lost_records", .integer(summary.lostRecords)), ("unreadable_offsets", .integer(summary.unreadableOffsets)),
      (
        "findings",
        .array(
          findings.map {
            .object([
              ("segment", .string($0.segment)), ("position", .integer($0.position)), ("message", .string($0.message)),
              ("damage", .bool($0.isDamage)),
            ])
          })
      ),
    ])
  }

  private func text(_ findings: [QueueFiles.Finding], _ summary: QueueFiles.Summary) -> String {
    let damages = findings.count { $0.isDamage }
    var text = findings.map { "\($0.isDamage ? "damage" : "note  ")  \($0.segment): \(Escaping.escaped($0.message))\n" }.joined()
    text +=
      "\(HumanText.count(summary.records, "record")) (\(HumanText.bytes(summary.bytes)) of lines) in \(HumanText.count(summary.blocks, "block"))"
    if summary.gaps > 0 {
      text += ", \(HumanText.count(summary.gaps, "gap")) telling of \(HumanText.count(summary.lostRecords, "lost record"))"
    }
    text += damages == 0 ? ": sound\n" : ": \(HumanText.count(damages, "damaged place"))\n"
    if damages > 0 { text += "'sluice run' serves what is sound and tells the rest as a gap; nothing needs to be deleted.\n" }
    return text
  }
}
