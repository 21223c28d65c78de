internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Synchronization

/// What all requests share.
final class ServerCore: Sendable {
  let shelf = QueueShelf()
  let clients = ClientPresence()
  let connections = ConnectionCounts()
  let metrics = ServerMetrics()
  let pool: BlockingPool
  let budget: ResponseBudget
  let waits: WaitRoom
  let events = StreamEventCache()
  let status: StatusFeed
  let limits: ServerLimits
  let tokens: AccessTokens?
  let peers: PeerLimiter?
  let tls: TLSContexts?
  let version: String
  /// Seconds since 1970.
  let startTime: Double
  let logger: Logger
  let checks: @Sendable () -> [HealthCheck]
  let moreMetrics: @Sendable (inout MetricsText) -> Void
  private let ready = Mutex(false)

  init(_ configuration: QueueServer.Configuration, startTime: Double) {
    limits = configuration.limits
    tokens = configuration.tokens
    peers = configuration.limits.requestsPerSecond.map { PeerLimiter(requestsPerSecond: $0) }
    tls = configuration.tls
    version = configuration.version
    logger = configuration.logger
    checks = configuration.checks
    moreMetrics = configuration.moreMetrics
    self.startTime = startTime
    pool = BlockingPool(threads: configuration.limits.fileThreads)
    budget = ResponseBudget(total: configuration.limits.responseBytes)
    waits = WaitRoom(limit: configuration.limits.waiters, clients: clients)
    status = StatusFeed(limit: configuration.limits.statusListeners)
  }

  /// All queues are open.
  var isReady: Bool { ready.withLock { $0 } }
  func becomeReady() { ready.withLock { $0 = true } }
}
