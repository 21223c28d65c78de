internal import ArgumentParser
internal import PipelineConfiguration

/// `sluice check`.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check pipeline files and print them with every default filled in; opens nothing.",
    discussion:
      "Tells every mistake with file, line and column. Secrets are not printed. Exit code \(ExitCode.usage.rawValue) when there is a mistake."
  )

  @Argument(
    help: ArgumentHelp("Pipeline files, all those that one process will run.", valueName: "FILE"),
    completion: .file(extensions: ["yaml", "yml"]))
  var files: [String]

  @Flag(
    help:
      "Connect to the NATS clusters of jetstream sinks and sources instead, and tell how their streams differ; changes nothing there. Exit code 1 when one can't be used."
  )
  var connect = false

  @OptionGroup var output: OutputOptions

  func run() throws {
    let pipelines = try PipelineFiles.load(files)
    if connect { return try checkConnections(pipelines) }
    try StandardOutput.write(output.format == .json ? ResolvedPipelines.json(of: pipelines) : ResolvedPipelines.text(of: pipelines))
  }

  private func checkConnections(_ pipelines: [PipelineDefinition]) throws {
    let reports = try checkStreams(pipelines)
    let lines = reports.flatMap { report in report.findings.map { (report.isFine, "\(report.file): \(report.part): \($0)") } }
    for (isFine, line) in lines where !isFine { DiagnosticOutput.shared.line(Escaping.escaped(line)) }
    let fine = lines.filter(\.0).map { Escaping.escaped($0.1) + "\n" }.joined()
    try output.print(
      .array(
        reports.map { report in
          .object([
            ("file", .string(report.file)), ("part", .string(report.part)), ("usable", .bool(report.isFine)),
            ("findings", .array(report.findings.map { .string($0) })),
          ])
        }), text: reports.isEmpty ? "no sink or source of type jetstream\n" : fine)
    if reports.contains(where: { !$0.isFine }) { throw CommandFailure(.failure, "") }
  }
}
