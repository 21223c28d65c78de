internal import ArgumentParser
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import SegmentQueue
internal import SystemPackage

/// `sluice serve`.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve queues over HTTP that no pipeline runs.",
    discussion: """
      The queues must be idle, and are held until SIGTERM or SIGINT. Nothing is deleted because of limits but with --max-size, which is the pipeline files' to set \
      otherwise: consumed records stay for --keep.

        sluice serve data/app
        sluice serve data/app data/audit --listen 0.0.0.0:7171 --tokens tokens --tls-certificate cert.pem --tls-key key.pem
        sluice serve data/inbox --create --max-size 10GiB

      \(ExitCode.table)
      """)

  @Argument(help: ArgumentHelp("Queue directories.", valueName: "DIRECTORY"), completion: .directory)
  var directories: [String]

  @OptionGroup var server: ServerOptions

  @Flag(help: "Make the queues that aren't there.")
  var create = false

  @Option(
    help: ArgumentHelp(
      "The most bytes that a queue may take on the disk; consumed records go for it, then pushes are answered with 429.", valueName: "SIZE")
  )
  var maxSize: SizeArgument?

  @Option(help: ArgumentHelp("How long consumed records stay (default: for ever, or 24h with --max-size).", valueName: "DURATION"))
  var keep: DurationArgument?

  @Option(help: ArgumentHelp("How log lines look; they go to standard error.", valueName: "text|json"))
  var logFormat: LogFormat = .text

  @Option(help: ArgumentHelp("The least level that is logged.", valueName: "LEVEL"))
  var logLevel: LogLevel = .info

  func run() async throws {
    let log = ProcessLog(format: logFormat)
    let logger = log.logger("sluice", level: logLevel.level)
    let host = try ServerHost(try server.definition(or: ServerDefinition()), logger: logger)
    try await host.listen()
    var queues: [SegmentQueue] = []
    // They run nothing: they know the queues' dead letters, and how long things may go on as they do.
    var runners: [PipelineRunner] = []
    do {
      for directory in directories {
        let queue = try open(directory, logger)
        queues.append(queue)
        if let other = queues.dropLast().first(where: { $0.name == queue.name }) {
          throw CommandFailure(.usage, "\(other.path) and \(queue.path) have the same name; serve them by two processes")
        }
        let runner = PipelineRunner(
          queue: queue, sources: [], sinks: [],
          deadLetters: { create in
            try DeadLetters.open(for: queue, create: create, notify: logger.notices(of: queue.name + DeadLetters.suffix))
          },
          logger: logger)
        runners.append(runner)
        _ = try await runner.deadLetters.facts()
        host.serve(queue, runner)
        logger.info("queue is served", metadata: ["queue.name": "\(queue.name)", "queue.path": "\(queue.path)"])
      }
      await host.open(queues)
      let (stops, stop) = AsyncStream<String>.makeStream()
      let signals = StopSignals(stop: { stop.yield($0) })
      for await signal in stops {
        logger.notice("stopping; a second signal stops at once", metadata: ["signal": "\(signal)"])
        break
      }
      withExtendedLifetime(signals) {}
    } catch {
      await close(host, runners, queues)
      throw error
    }
    await close(host, runners, queues)
    log.tellRepeated(all: true)
  }

  private func close(_ host: ServerHost, _ runners: [PipelineRunner], _ queues: [SegmentQueue]) async {
    await host.stop()
    for runner in runners { await runner.deadLetters.close() }
    for queue in queues { await queue.close() }
  }

  private func open(_ directory: String, _ logger: Logger) throws(CommandFailure) -> SegmentQueue {
    let ever = Duration.seconds(100 * 365 * 86_400)
    var options = QueueOptions()
    options.maxSize = maxSize.map { UInt64($0.bytes) } ?? 1 << 60
    if maxSize == nil { options.segmentSize = 64 << 20 }
    options.keep = keep?.duration ?? (maxSize == nil ? ever : .seconds(24 * 3600))
    options.consumerExpiry = maxSize == nil ? ever : options.consumerExpiry
    let path = FilePath(Process.absolute(directory)).lexicallyNormalized()
    let name = path.lastComponent?.string ?? directory
    do {
      return try SegmentQueue.open(path, name: name, options: options, create: create, notify: logger.notices(of: name))
    } catch {
      if error.code == .held {
        throw CommandFailure(.held, "\(error.description); a queue that a pipeline runs is served by 'sluice run --listen'")
      }
      throw CommandFailure(error)
    }
  }
}
