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
  private static let pieceBytes = 256 << 10

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
  }

  /// All queues are open.
  var isReady: Bool { ready.withLock { $0 } }
  func becomeReady() { ready.withLock { $0 = true } }

  /// A body that counts against the memory for answers until it is written, or given up.
  func budgeted(_ body: ByteBuffer) -> ResponseBody {
    // What goes to the kernel at once needs no account, and goes out with its head in one piece.
    if body.readableBytes <= 32 << 10 { return ResponseBody(byteBuffer: body) }
    let account = BudgetedBytes(body, budget)
    return ResponseBody(contentLength: body.readableBytes) { writer in
      // Written in pieces, since a write waits only for the pieces before it. Copied, since a piece keeps the memory of its whole: so the
      // answer's own goes, and its account is closed, when all but the last pieces are with the kernel.
      var rest = account.bytes
      while rest.readableBytes > 0, let piece = rest.readSlice(length: min(Self.pieceBytes, rest.readableBytes)) {
        try await writer.write(ByteBuffer(bytes: piece.readableBytesView))
      }
      try await writer.finish(nil)
    }
  }
}

/// Bytes of an answer, counted as long as they are there.
private final class BudgetedBytes: Sendable {
  let bytes: ByteBuffer
  private let budget: ResponseBudget

  init(_ bytes: ByteBuffer, _ budget: ResponseBudget) {
    self.bytes = bytes
    self.budget = budget
    budget.take(bytes.readableBytes)
  }

  deinit { budget.giveBack(bytes.readableBytes) }
}
