internal import ArgumentParser
internal import PipelineConfiguration
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
        sluice run pipelines/app-logs.yaml --listen 127.0.0.1:7171

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

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let pipelines = try PipelineFiles.load(files)
    let log = ProcessLog(format: logFormat)
    let ending: RunEnding = drain.map { .drained(timeout: $0.timeout) } ?? .sourcesEnd
    let server = try ServerHost(
      try server.definition(or: pipelines.compactMap(\.server).first), logger: log.logger("sluice", level: logLevel.level))
    let host = PipelineHost(once: once, ending: ending, server: server, log: log, level: logLevel.level)
    // The address first, as all sockets: a port in use is an error before the first queue is touched.
    try await server.listen()
    try host.open(pipelines)
    try await host.run(showsStatus: !noStatus && logFormat == .text)
  }
}
