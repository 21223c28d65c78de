internal import AsyncHTTPClient
internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// A Sluice server's queues, from another process or another machine.
///
/// Every request may be sent again: pulls change nothing until they commit, commits and seeks name an absolute place, and a push carries an
/// `Idempotency-Key`. So a failure that passes (a server that restarts, a connection that breaks, `429`) is waited out as
/// ``Configuration/retry`` says, and what comes back as an error is either lasting or has outlasted that.
public final class QueueClient: Sendable {
  /// How a server is reached.
  public struct Configuration: Sendable {
    /// Where it listens.
    public var address: ServerAddress
    /// The token that it asks for.
    public var token: BearerToken?
    /// A PEM file of the authorities to trust instead of the machine's own.
    public var certificateAuthorityPath: String?
    /// How long a connection may take to come about.
    public var connectTimeout: Duration = .seconds(10)
    /// How long nothing may come from the server, beyond what a pull asks it to wait.
    public var answerTimeout: Duration = .seconds(30)
    /// The most bytes that one record alone may have; batches of several are bounded by their request.
    public var maximumRecordBytes = 256 << 20
    /// When a request is sent again.
    public var retry: RetryPolicy = .brief
    /// Times the waits between tries.
    public var clock: any Clock<Duration> = ContinuousClock()
    /// Hears of waits; called from the task of the request.
    public var notice: @Sendable (RetryNotice) -> Void = { _ in }

    /// A server at `address`.
    public init(address: ServerAddress, token: BearerToken? = nil) {
      self.address = address
      self.token = token
    }
  }

  /// The longest that a server lets a pull wait.
  public static let longestWait = Duration.seconds(55)

  let configuration: Configuration
  let http: HTTPClient
  private let state = Mutex(State())

  private struct State {
    var hasAnswered = false
    var isWaiting = false
  }

  /// A client; connects to nothing yet. Reads the certificate authority.
  public init(_ configuration: Configuration) throws(QueueClientError) {
    self.configuration = configuration
    var client = HTTPClient.Configuration(
      redirectConfiguration: .disallow,
      timeout: .init(
        connect: TimeAmount(configuration.connectTimeout), read: TimeAmount(Self.longestWait + configuration.answerTimeout),
        write: TimeAmount(configuration.answerTimeout)))
    client.httpVersion = .http1Only
    client.connectionPool.idleTimeout = .seconds(30)
    // One attempt a request: the backoff here is the only one.
    client.connectionPool.retryConnectionEstablishment = false
    // Each open stream keeps one: other requests must not wait for them.
    client.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1000
    if configuration.address.usesTLS, let path = configuration.certificateAuthorityPath {
      var tls = TLSConfiguration.makeClientConfiguration()
      do {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(try SmallFile.read(path, limit: 16 << 20)))
      } catch {
        throw QueueClientError(
          .configuration, "\(path) can't be read as PEM certificates", "check that it is there, readable, and such a file")
      }
      client.tlsConfiguration = tls
    }
    http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: client)
  }

  deinit {
    // Never blocks: connections end by themselves.
    http.shutdown { _ in }
  }

  /// What tries that failed one after the other have come to.
  struct Tries {
    fileprivate var failures = 0
    fileprivate var waited = Duration.zero
  }

  /// Does `attempt`, again and again while it fails for a passing reason and the policy allows it.
  func persist<Answer: Sendable>(
    _ attempt: (_ earlierFailure: QueueClientError?) async throws(QueueClientError) -> Answer
  ) async throws(QueueClientError) -> Answer {
    var tries = Tries()
    var last: QueueClientError?
    while true {
      do throws(QueueClientError) {
        let answer = try await attempt(last)
        noteAnswer()
        return answer
      } catch {
        try await waitOut(error, &tries)
        last = error
      }
    }
  }

  /// Waits until it is time to try again after `error`; throws that when there is no point in it, or no patience left.
  func waitOut(_ error: QueueClientError, _ tries: inout Tries) async throws(QueueClientError) {
    let policy = configuration.retry
    let hasAnswered = state.withLock { state in
      // An answer that broke off came from somebody.
      if error.code != .unreachable { state.hasAnswered = true }
      return state.hasAnswered
    }
    guard error.isTransient, hasAnswered || policy.includesFirstContact, policy.patience.map({ tries.waited < $0 }) ?? true else {
      throw error
    }
    tries.failures += 1
    let isNews = state.withLock { state in
      defer { state.isWaiting = true }
      return !state.isWaiting
    }
    if isNews { configuration.notice(.waiting(error)) }
    let wait = policy.wait(failures: tries.failures, retryAfter: error.retryAfter, random: Double.random(in: 0..<1))
    do { try await configuration.clock.sleep(for: wait) } catch { throw .cancelled(at: configuration.address) }
    tries.waited += wait
  }

  /// The server does what it is asked.
  func noteAnswer() {
    let hasRecovered = state.withLock { state in
      state.hasAnswered = true
      defer { state.isWaiting = false }
      return state.isWaiting
    }
    if hasRecovered { configuration.notice(.recovered) }
  }
}

extension TimeAmount {
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
}
