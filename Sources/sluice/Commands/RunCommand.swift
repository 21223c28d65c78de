internal import ArgumentParser
internal import PipelineRuntime

/// `sluice run`.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run pipelines: sources into queues, queues into sinks.",
    discussion: """
      Ends when all sources have ended and everything is on the disk; tailed files and syslog never end by themselves. SIGTERM and SIGINT end it within five \
      seconds; a second one ends it at once. Nothing needs a clean end to be right: the next run goes on where this one was, however it ended.

        sluice run pipelines/app-logs.yaml
        sluice run pipelines/quickstart.yaml --once --drain

      \(ExitCode.table)
      """)

  @Argument(
    help: ArgumentHelp("Pipeline files; each has a queue of its own.", valueName: "FILE"), completion: .file(extensions: ["yaml", "yml"]))
  var files: [String]

  @Flag(help: "Take tailed files as ended at their present end, a last line without line feed included.")
  var once = false

  @Option(
    help: ArgumentHelp(
      "--drain[=DURATION]: also wait, at most that long, until the sinks have delivered everything. Their windows and periods are ignored for it.",
      valueName: "DURATION"))
  var drain: DrainArgument?

  @Option(help: ArgumentHelp("How log lines look; they go to standard error.", valueName: "text|json"))
  var logFormat: LogFormat = .text

  @Option(help: ArgumentHelp("The least level that is logged.", valueName: "LEVEL"))
  var logLevel: LogLevel = .info

  @Flag(help: "No live status, even when standard error is a terminal.")
  var noStatus = false

  @Option(help: .hidden)
  var listen: String?

  func validate() throws {
    if listen != nil { throw ValidationError("--listen: " + QueueArgument.noServer) }
  }

  func run() async throws {
    let pipelines = try PipelineFiles.load(files)
    let log = ProcessLog(format: logFormat)
    let ending: RunEnding = drain.map { .drained(timeout: $0.timeout) } ?? .sourcesEnd
    let host = PipelineHost(once: once, ending: ending, log: log, level: logLevel.level)
    try host.open(pipelines)
    try await host.run(showsStatus: !noStatus && logFormat == .text)
  }
}
