internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import PipelineRuntime
internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// `POST …/leases`: lends a range of records to one of a consumer's workers, or waits for one.
struct LeaseHandler: Sendable {
  private enum Look: Sendable {
    case answer(Response)
    case setAside(LeaseID, deliveries: Int)
    case keepAgain(Range<RecordBlocks.Offset>, deliveries: Int)
    case wait(LeaseWait)
  }

  static let durations = Duration.seconds(1)...Duration.seconds(12 * 3600)
  /// After this what couldn't be set aside is tried again.
  private static let setAsideAgain = Duration.seconds(5)

  private let call: Call
  private let served: ServedQueue
  private let name: String
  private let limits: BatchLimits
  private let wait: Duration
  private let duration: Duration
  private let format: PullParameters.Format
  private let acceptsGzip: Bool

  init(_ call: Call) throws {
    self.call = call
    served = try call.queue()
    name = try call.variable("consumer")
    limits = try PullParameters.limits(call.query)
    wait = try call.query.duration("wait", upTo: PullParameters.longestWait) ?? .zero
    duration = try Self.duration(call.query)
    format = try PullParameters.format(call.query)
    acceptsGzip = AcceptedEncodings(call.request.headers[values: .acceptEncoding]).hasGzip
  }

  /// For how long something is lent.
  static func duration(_ query: Query) throws -> Duration {
    let duration = try query.duration("duration", upTo: durations.upperBound) ?? .seconds(30)
    guard duration >= durations.lowerBound else { throw Problem.badParameter("duration: a lease lasts 1s at least, and 12h at most") }
    return duration
  }

  func respond() async throws -> Response {
    let deadline = ContinuousClock.now + wait
    var isLast = wait == .zero
    let server = call.server
    while true {
      let look = try await server.pool.run {
        try translating { try self.look(within: try server.budget.share(of: limits.maxBytes)) }
      }
      switch look {
      case .answer(let response): return response
      case .setAside(let lease, let deliveries): try await setAside(lease, deliveries: deliveries)
      case .keepAgain(let range, let deliveries):
        try await translating { try await served.attachments.leaseLetters?.keepAgain(range, of: name, deliveries: deliveries) }
      case .wait(let until):
        if isLast { return Response(status: .noContent) }
        let consumer = try await server.pool.run { try served.leaseConsumer(name) }
        switch try await server.waits.wait(
          for: served.queue, connection: call.context.connection, { await consumer.waitForLease(until, until: deadline) })
        {
        case .clientGone: return Response(status: .noContent)
        case .stopping: isLast = true
        case .recordsOrTime: isLast = deadline <= .now
        }
      }
    }
  }

  /// Blocking.
  private func look(within share: ResponseBudget.Share) throws -> Look {
    let consumer = try served.leaseConsumer(name)
    var limits = limits
    limits.maxBytes = share.byteCount
    let maxDeliveries = consumer.status().leases?.maxDeliveries ?? 0
    switch try served.attachments.leaseLetters?.lend(to: name, limits, maxDeliveries: maxDeliveries) ?? .nothing {
    case .nothing: break
    case .granted(let batch): return .answer(try answer(batch, share))
    case .exhausted(let range, let deliveries): return .keepAgain(range, deliveries: deliveries)
    }
    switch try consumer.lease(limits, for: duration) {
    case .granted(let batch): return .answer(try answer(batch, consumer, share))
    case .exhausted(let lease, let deliveries): return .setAside(lease, deliveries: deliveries)
    case .nothing(let wait): return .wait(wait)
    }
  }

  private func setAside(_ lease: LeaseID, deliveries: Int) async throws {
    let consumer = try await call.server.pool.run { try served.leaseConsumer(name) }
    do {
      guard let letters = served.attachments.leaseLetters else { return consumer.postpone(lease, by: Self.setAsideAgain) }
      let count = try await letters.setAside(lease, deliveries: deliveries, of: consumer)
      call.server.metrics.setAside(records: Int(count), of: served.name)
      call.server.logger.warning(
        "records that no worker acknowledged went to the dead-letter queue",
        metadata: [
          "queue.name": "\(served.name)", "consumer.name": "\(name)", "range": "\(lease.range)", "deliveries": "\(deliveries)",
          "records": "\(count)",
        ])
    } catch {
      consumer.postpone(lease, by: Self.setAsideAgain)
      call.server.logger.error(
        "records that no worker acknowledged can't be put into the dead-letter queue; it is tried again",
        metadata: ["queue.name": "\(served.name)", "consumer.name": "\(name)", "range": "\(lease.range)", "error": "\(error)"])
    }
  }

  // MARK: Answering

  private func answer(_ batch: LeasedBatch, _ consumer: QueueConsumer, _ share: ResponseBudget.Share) throws -> Response {
    var lease = batch.lease
    var range = PulledBatch.Range(first: lease.range.lowerBound, next: lease.range.upperBound, lag: batch.lag)
    (range.gap, range.gapEnd) = (batch.gap?.content, batch.gap?.end)
    (range.slices, range.recordCount, range.byteCount) = (batch.slices, batch.recordCount, batch.byteCount)
    let pulled: PulledBatch
    do { pulled = try PulledBatch(range, format: format, gzip: acceptsGzip) } catch {
      range.endAtDamage()
      pulled = try PulledBatch(range, format: format, gzip: acceptsGzip)
      lease = try consumer.shorten(lease, to: range.next)
    }
    let (duration, pool) = (duration, call.server.pool)
    let loan = Loan(
      begin: { [lease] in consumer.started(lease, for: duration) },
      end: { [lease] in _ = try? await pool.run { try consumer.takeBack(lease) } })
    return response(pulled, served.queue, lease: "\(lease)", batch.deliveries, share, loan)
  }

  private func answer(_ batch: LeaseLetters.Batch, _ share: ResponseBudget.Share) throws -> Response {
    var range = PulledBatch.Range(first: batch.range.lowerBound, next: batch.range.upperBound, lag: (0, 0))
    range.slices = batch.slices
    (range.recordCount, range.byteCount) = (batch.range.upperBound - batch.range.lowerBound, batch.byteCount)
    let (letters, name, duration) = (served.attachments.leaseLetters, name, duration)
    let loan = Loan(
      begin: { try? letters?.started(batch.lease, of: name, for: duration) }, end: { try? letters?.release(batch.lease, of: name) })
    var response = response(
      try PulledBatch(range, format: format, gzip: acceptsGzip), batch.queue, lease: batch.lease, batch.deliveries, share, loan)
    response.headers[.deadLetters] = batch.queue.name
    return response
  }

  private func response(
    _ batch: PulledBatch, _ queue: SegmentQueue, lease: String, _ deliveries: Int, _ share: ResponseBudget.Share, _ loan: Loan
  ) -> Response {
    share.resize(to: AnswerBody.memoryByteCount(of: batch.pieces))
    call.server.metrics.delivered(records: batch.range.recordCount, bytes: batch.range.byteCount, of: served.name)
    call.server.metrics.lent(isAgain: deliveries > 1, of: served.name)
    var headers = batch.headers(of: queue)
    headers[.lease] = lease
    headers[.deliveries] = "\(deliveries)"
    return Response(status: .ok, headers: headers, body: AnswerBody.of(batch.pieces, share, sent: { loan.wasSent() }))
  }

  private func translating<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as QueueError { throw Problem(error, of: served.name) }
  }

  private func translating(_ body: () async throws -> Void) async throws {
    do { try await body() } catch let error as QueueError { throw Problem(error, of: served.name) }
  }
}

/// A lease on its way to its worker: it begins when its last byte was sent, and is taken back when nobody sends it any more.
private final class Loan: Sendable {
  private let begin: @Sendable () -> Void
  private let end: @Sendable () async -> Void
  private let isBegun = Atomic(false)

  init(begin: @escaping @Sendable () -> Void, end: @escaping @Sendable () async -> Void) {
    (self.begin, self.end) = (begin, end)
  }

  func wasSent() {
    isBegun.store(true, ordering: .relaxed)
    begin()
  }

  deinit {
    guard !isBegun.load(ordering: .relaxed) else { return }
    Task { [end] in await end() }
  }
}
