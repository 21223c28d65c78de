internal import AsyncHTTPClient
public import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
public import PipelineCore
public import RecordBlocks
internal import Synchronization

/// Posts records to an HTTP endpoint: one request a delivery, one after the other, over a connection that is kept.
///
/// A delivery has succeeded when the answer is 2xx, came whole, and the whole body had been sent. Everything else is a ``DeliveryError``,
/// whose advice
/// says what may help; nothing is tried again here. An answer that is lost leaves open what became of the records, so the same range is
/// sent again under the same `Idempotency-Key`: the receiver that remembers keys gets each record once.
///
/// Each request has `Content-Type`, `Content-Length`, `User-Agent`, `Idempotency-Key`, `Sluice-First-Offset`, `Sluice-Next-Offset` (the
/// offset after the
/// last record), `Content-Encoding: gzip` where that is asked for, and `Sluice-Replaced-Records` when JSON made it necessary to replace
/// bytes
/// that aren't UTF-8 in that many records. HTTP/1.1 only: with one request at a time HTTP/2 would gain nothing.
public final class HTTPSink: Sink {
  /// What was sent since the sink was made; the records themselves are counted by who delivers them.
  public struct Counters: Sendable, Hashable {
    /// Requests begun.
    public var requests: UInt64 = 0
    /// Bytes of the bodies of those that succeeded.
    public var deliveredBodyBytes: UInt64 = 0
    /// Gaps passed over: there is nothing to send for them.
    public var gaps: UInt64 = 0
    /// Records of delivered bodies in which bytes were replaced because JSON can't have them.
    public var replacedRecords: UInt64 = 0
  }

  private struct State {
    var client: HTTPClient?
    var counters = Counters()
    var longAnswerWasLogged = false
    /// The memory of the last body, for the next one: fresh memory costs more than what is done with it.
    var spare = ByteBuffer()
  }

  /// A larger body's memory isn't kept.
  private static let maximumSpareBytes = 8 << 20

  private let configuration: Configuration
  private let endpoint: Endpoint
  private let headers: HTTPHeaders
  private let secrets: Secrets
  private let name: String
  private let logger: Logger
  /// All of a sink happens on one event loop: with more than one the end of a body is handed over between threads, and an answer can
  /// overtake it.
  private let eventLoop = HTTPClient.defaultEventLoopGroup.next()
  private let state = Mutex(State())

  /// HTTP can't be taken back.
  public var recovery: SinkRecovery { .repeatsRange }
  /// See ``Counters``.
  public var counters: Counters { state.withLock { $0.counters } }

  /// A sink that opens nothing yet.
  /// - Parameters:
  ///   - name: the sink's name in its pipeline, for log metadata.
  ///   - logger: gets no secrets and, for each delivery that succeeds, nothing.
  public init(_ configuration: Configuration, name: String, logger: Logger) throws(ConfigurationError) {
    try configuration.check()
    let endpoint = try Endpoint(configuration.url, shownAs: configuration.shownURL)
    var headers = HTTPHeaders(configuration.headers.map { ($0.name, $0.value) })
    if !headers.contains(name: "User-Agent") { headers.add(name: "User-Agent", value: configuration.userAgent) }
    if !headers.contains(name: "Content-Type") {
      headers.add(name: "Content-Type", value: configuration.format == .lines ? RequestBody.linesType : RequestBody.arrayType)
    }
    var hidden = configuration.headers.map(\.value) + endpoint.secrets
    if let credentials = endpoint.credentials {
      let encoded = Text.base64(credentials)
      if !headers.contains(name: "Authorization") { headers.add(name: "Authorization", value: "Basic \(encoded)") }
      hidden.append(encoded)
      let decoded = String(decoding: credentials, as: UTF8.self)
      hidden.append(decoded)
      if let colon = decoded.firstIndex(of: ":") { hidden.append(String(decoded[decoded.index(after: colon)...])) }
    }
    self.configuration = configuration
    self.endpoint = endpoint
    self.headers = headers
    secrets = Secrets(hidden)
    self.name = name
    self.logger = logger
  }

  deinit {
    // Never blocks: the client ends by itself.
    state.withLock { $0.client }?.shutdown { _ in }
  }

  /// Reads the certificate authority and makes the client. Connects to nothing: a destination that is down is a matter of deliveries.
  public func open(_ start: SinkStart) async throws(DeliveryError) {
    replaceClient(with: try makeClient())
  }

  /// Sends one request and waits for its answer, at most `timeout`. A gap sends nothing.
  public func deliver(_ delivery: Delivery) async throws(DeliveryError) -> Offset {
    switch delivery.content {
    case .gap(let gap):
      state.withLock { $0.counters.gaps += 1 }
      logger.notice(
        "a gap: nothing to send for it",
        metadata: [
          "sink.name": "\(name)", "queue.first": "\(delivery.first)", "queue.next": "\(delivery.next)", "gap.reason": "\(gap.reason.name)",
          "gap.records": "\(gap.records)",
        ])
    case .records(let slices):
      if !slices.isEmpty { try await send(slices, of: delivery) }
    }
    return delivery.next
  }

  /// Nothing is held back, so there is nothing to do and nothing to remember.
  public func sync() async throws(DeliveryError) -> SinkState { SinkState() }

  /// Ends the client; waits at most two seconds for its connections to close.
  public func close() async {
    guard let client = state.withLock({ $0.client.take() }) else { return }
    let (ended, end) = AsyncStream<Never>.makeStream()
    client.shutdown { _ in end.finish() }
    let timer = eventLoop.scheduleTask(in: .seconds(2)) { end.finish() }
    for await _ in ended {}
    timer.cancel()
  }

  private func send(_ slices: [BlockSlice], of delivery: Delivery) async throws(DeliveryError) {
    let body: RequestBody
    do {
      let spare = state.withLock { state in
        var spare = ByteBuffer()
        swap(&spare, &state.spare)
        return spare
      }
      body = try RequestBody(slices, format: configuration.format, compression: configuration.compression, in: spare)
    } catch {
      let unreadable = slices.first { slice in
        (try? RequestBody([slice], format: configuration.format, compression: configuration.compression)) == nil
      }
      let range = unreadable?.range ?? delivery.first..<delivery.next
      throw DeliveryError(
        .unreadable(range),
        "records \(range.lowerBound)..<\(range.upperBound) can't be read from their block (\(error)); run 'sluice queue verify' on the queue"
      )
    }
    defer { if body.bytes.capacity <= Self.maximumSpareBytes { state.withLock { $0.spare = body.bytes } } }
    let client = state.withLock { state in
      state.counters.requests += 1
      return state.client
    }
    guard let client else { preconditionFailure("deliver needs an open sink") }
    let exchange = await Exchange.run(
      try request(body, for: delivery), with: client, on: eventLoop, deadline: .now() + TimeAmount(configuration.timeout),
      keptBytes: configuration.keptAnswerBytes, maximumBytes: configuration.maximumAnswerBytes)
    if exchange.spoilsConnection { replaceClient(with: try makeClient()) }
    let complaint = Complaint(delivery, to: endpoint, configuration: configuration, secrets: secrets)
    switch exchange.outcome {
    case .answered(let answer) where answer.isSuccess: succeed(body, answer)
    case .answered(let answer): throw complaint.refused(answer, isCompressed: body.contentEncoding != nil)
    case .unproven(let answer, let error): throw complaint.unproven(answer, error)
    case .failed(let error): throw complaint.failed(error)
    case .cancelled: throw complaint.cancelled()
    }
  }

  private func succeed(_ body: RequestBody, _ answer: Answer) {
    let isLong = answer.bodyByteCount > configuration.maximumAnswerBytes
    let logs = state.withLock { state in
      state.counters.deliveredBodyBytes += UInt64(body.bytes.readableBytes)
      state.counters.replacedRecords += UInt64(body.replacedCount)
      defer { if isLong { state.longAnswerWasLogged = true } }
      return isLong && !state.longAnswerWasLogged
    }
    guard logs else { return }
    logger.notice(
      "the destination answers at great length: each such answer costs a connection (told once)",
      metadata: ["sink.name": "\(name)", "sink.url": "\(endpoint.shown)", "sink.answer_bytes_read": "\(answer.bodyByteCount)"])
  }

  private func request(_ body: RequestBody, for delivery: Delivery) throws(DeliveryError) -> HTTPClient.Request {
    var headers = headers
    if let encoding = body.contentEncoding { headers.add(name: "Content-Encoding", value: encoding) }
    headers.add(name: "Idempotency-Key", value: delivery.idempotencyKey)
    headers.add(name: "Sluice-First-Offset", value: delivery.first.description)
    headers.add(name: "Sluice-Next-Offset", value: delivery.next.description)
    if body.replacedCount > 0 { headers.add(name: "Sluice-Replaced-Records", value: String(body.replacedCount)) }
    do {
      return try HTTPClient.Request(url: endpoint.url, method: .POST, headers: headers, body: .byteBuffer(body.bytes))
    } catch {
      throw DeliveryError(.waitForOperator, "\(endpoint.shown) is not a URL that a request can be made for; correct 'url'")
    }
  }

  private func replaceClient(with client: HTTPClient) {
    let old = state.withLock { state in
      defer { state.client = client }
      return state.client.take()
    }
    old?.shutdown { _ in }
  }

  private func makeClient() throws(DeliveryError) -> HTTPClient {
    var client = HTTPClient.Configuration(
      redirectConfiguration: .disallow, timeout: .init(connect: TimeAmount(configuration.connectTimeout)))
    client.httpVersion = .http1Only
    // Shorter than what common servers and balancers allow (60 to 75 s), so that it is mostly we who close an idle connection.
    client.connectionPool.idleTimeout = .seconds(30)
    // One attempt a request: the runtime's backoff is the only one, and its messages tell each failure.
    client.connectionPool.retryConnectionEstablishment = false
    var tls = TLSConfiguration.makeClientConfiguration()
    if endpoint.usesTLS, let path = configuration.certificateAuthorityPath {
      do {
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(try CertificateFile.read(path)))
      } catch {
        throw DeliveryError(
          .waitForOperator,
          "'\(Text.printable(path))' (tls.ca) can't be read as PEM certificates; check that it is there, readable, and such a file")
      }
    }
    client.tlsConfiguration = tls
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: client)
  }
}
