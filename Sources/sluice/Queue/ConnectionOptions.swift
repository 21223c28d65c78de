internal import ArgumentParser
internal import Glibc
internal import QueueClient

/// Where the queues are that a command names: `--server` and what goes with it.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A server: http://HOST:PORT, https://HOST:PORT or unix:PATH. QUEUE is then a queue's name there (SLUICE_SERVER).", valueName: "URL"))
  var server: String?

  @Option(
    name: .customLong("token-file"), help: ArgumentHelp("A file with the server's token (SLUICE_TOKEN_FILE).", valueName: "FILE"),
    completion: .file())
  var tokenFile: String?

  @Option(help: ArgumentHelp("A PEM file of the authorities to trust for https.", valueName: "FILE"), completion: .file())
  var ca: String?

  /// The server that the environment names; a command that is given one needs no other word.
  static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value[0] != 0 else { return nil }
    return String(cString: value)
  }

  /// The server to ask, named by option or environment; nil when there is none.
  var address: String? { server ?? Self.environment("SLUICE_SERVER") }

  /// A client of that server.
  func client(_ address: String, retry: RetryPolicy) throws(QueueClientError) -> QueueClient {
    var configuration = QueueClient.Configuration(address: try ServerAddress(address))
    if let file = tokenFile ?? Self.environment("SLUICE_TOKEN_FILE") { configuration.token = try BearerToken(file: file) }
    configuration.certificateAuthorityPath = ca
    return try Self.client(configuration, retry: retry)
  }

  /// A client that tells on standard error what it waits for.
  static func client(_ configuration: QueueClient.Configuration, retry: RetryPolicy) throws(QueueClientError) -> QueueClient {
    var configuration = configuration
    configuration.retry = retry
    configuration.notice = { notice in
      switch notice {
      case .waiting(let error): DiagnosticOutput.shared.line("sluice: \(Escaping.escaped(error.description)); trying again")
      case .recovered: DiagnosticOutput.shared.line("sluice: the server answers again")
      }
    }
    return try QueueClient(configuration)
  }
}

/// A queue at a server.
struct RemoteQueueHandle: Sendable {
  let client: QueueClient
  /// Its name there.
  let queue: String

  /// What it is now.
  func facts() async throws(QueueClientError) -> RemoteQueue { try await client.queue(queue) }
}

extension CommandFailure {
  /// A server's refusal, or what kept us from it.
  init(_ error: QueueClientError) { self.init(ExitCode(error), error.description) }
}

extension ExitCode {
  /// The code for an error of a server.
  init(_ error: QueueClientError) {
    switch error.code {
    case .configuration: self = .usage
    case .refused:
      let wrong = ["unknown_queue", "unknown_consumer", "bad_parameter", "wrong_mode", "unsupported_mode", "bad_body", "stale_epoch"]
      self = error.problem?.code.map { wrong.contains($0) } ?? false ? .usage : .failure
    case .unreachable, .brokenAnswer, .untrusted, .notSluice, .cancelled: self = .failure
    }
  }
}
