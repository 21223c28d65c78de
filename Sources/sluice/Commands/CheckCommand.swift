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

  @OptionGroup var output: OutputOptions

  func run() throws {
    let pipelines = try PipelineFiles.load(files)
    try StandardOutput.write(output.format == .json ? ResolvedPipelines.json(of: pipelines) : ResolvedPipelines.text(of: pipelines))
  }
}
