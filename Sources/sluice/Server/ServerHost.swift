internal import Glibc
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import QueueServer
internal import SegmentQueue
internal import Synchronization
internal import SystemPackage

/// The HTTP side of a process: an address, if one is asked for, and for each queue a Unix socket in its directory, through which this
/// machine's commands reach a queue that the process holds.
final class ServerHost: Sendable {
  /// In the queue's directory, which only its owner may enter.
  static let socketName = "server.sock"

  private let definition: ServerDefinition?
  private let server: QueueServer
  private let tls: TLSContexts?
  private let runners: SharedRunners
  private let logger: Logger
  /// Paths of the Unix sockets that it made.
  private let sockets = Mutex<[String]>([])

  /// - Throws: what is wrong with the tokens, or with where it should listen; nothing was opened.
  convenience init(_ definition: ServerDefinition?, logger: Logger) throws(CommandFailure) {
    var configuration = QueueServer.Configuration(version: VersionCommand.version, logger: logger)
    if let definition {
      switch ListenRule(definition).verdict {
      case .allowed: break
      case .warned(let sentence): logger.warning("\(sentence)", metadata: ["server.listen": "\(definition.listen)"])
      case .refused(let sentence): throw CommandFailure(.usage, sentence)
      }
      configuration.limits.connections = ConnectionLimits(definition.limits)
      // Half of the process's descriptors stay for queues, sources and sinks.
      configuration.limits.connections.maxConnections = min(definition.limits.maxConnections, Process.fileLimit / 2)
      configuration.limits.requestsPerSecond = definition.limits.requestsPerSecond
      if let tls = definition.tls {
        do { configuration.tls = try TLSContexts(files: TLSFiles(tls), logger: logger) } catch {
          throw CommandFailure(.usage, error.description)
        }
      }
      if let file = definition.tokensFile {
        do { configuration.tokens = try AccessTokens(file: file, logger: logger) } catch {
          throw CommandFailure(.usage, lines: error.lines)
        }
      }
    }
    self.init(definition, configuration, logger)
  }

  private init(_ definition: ServerDefinition?, _ configuration: QueueServer.Configuration, _ logger: Logger) {
    self.definition = definition
    tls = configuration.tls
    self.logger = logger
    let known = SharedRunners()
    var configuration = configuration
    configuration.checks = { PipelineReport.checks(known.all) }
    configuration.moreMetrics = { PipelineReport.write(known.all, to: &$0) }
    server = QueueServer(configuration)
    runners = known
  }

  /// Listens at the address that was asked for; requests are answered with 503 until ``open()``.
  func listen() async throws(CommandFailure) {
    guard let definition else { return }
    do throws(ListenError) {
      let address = try await server.listen(on: definition.listen)
      if case .unix(let path) = definition.listen { own(path) }
      logger.info(
        "listening",
        metadata: [
          "server.address": "\(address)", "tls": "\(definition.tls != nil)", "tokens": "\(definition.tokensFile != nil)",
        ])
    } catch {
      throw CommandFailure(.failure, error.description)
    }
  }

  /// Serves a queue, with what its pipeline's runner knows of it.
  /// - Parameter parts: the pipeline's parts; nil where none runs.
  func serve(_ queue: SegmentQueue, _ runner: PipelineRunner, _ parts: PipelineParts? = nil) {
    runners.add(runner)
    var attachments = Attachments()
    attachments.forecasts = { PipelineReport.forecasts(runner.status()) }
    attachments.activity = { PipelineReport.activity(runner.status(), parts, now: .now) }
    attachments.deadLetterQueue = { runner.deadLetters.queue }
    attachments.deadLetterFacts = {
      try await runner.deadLetters.facts().sinks.map { Attachments.DeadLetterFacts(sink: $0.name, kept: $0.kept, pending: $0.putBack) }
    }
    attachments.leaseLetters = LeaseLetters(runner.deadLetters, queue)
    attachments.putBack = { try await runner.deadLetters.putBack(sink: $0) }
    server.serve(queue, attachments)
  }

  /// All queues are there. Listens on their Unix sockets and answers from now on.
  func open(_ queues: [SegmentQueue]) async {
    server.becomeReady()
    for queue in queues {
      let path = queue.path.appending(Self.socketName).string
      guard path.utf8.count <= ServerAddress.maximumPathBytes else {
        logger.info(
          "the queue's path is too long for a Unix socket in it: commands that change the queue need it idle, or the server's address",
          metadata: ["queue.name": "\(queue.name)", "path": "\(path)"])
        continue
      }
      do throws(ListenError) {
        try await server.listen(on: .unix(path: path))
        own(path)
      } catch {
        logger.warning("commands can't reach this queue while it is held", metadata: ["queue.name": "\(queue.name)", "error": "\(error)"])
      }
    }
  }

  /// The socket is for this user only, and goes with the server.
  private func own(_ path: String) {
    chmod(path, 0o600)
    sockets.withLock { $0.append(path) }
  }

  /// Reads certificates again at once: SIGHUP.
  func reload() { tls?.reload() }

  /// Answers who waits, finishes what is on its way, listens no more.
  func stop() async {
    await server.stop()
    // A process that is killed leaves them; the next one takes their place.
    for path in sockets.withLock({ $0 }) { unlink(path) }
  }
}

/// The runners that the server tells of: they come after it.
private final class SharedRunners: Sendable {
  private let runners = Mutex<[PipelineRunner]>([])
  var all: [PipelineRunner] { runners.withLock { $0 } }
  func add(_ runner: PipelineRunner) { runners.withLock { $0.append(runner) } }
}
