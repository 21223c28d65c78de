internal import CNATS
internal import RecordBlocks

/// One connection to one server of a cluster.
///
/// Never repaired: what was sent over a connection that broke has an unknown fate, and whoever sent it must ask the stream before anything
/// goes out again. So libnats's own reconnecting, which sends what it has buffered, is off; a new connection is made instead, to whichever
/// server answers.
///
/// Every wait is in steps of a quarter of a second, so that a cancelled task is heard.
final class NATSConnection: @unchecked Sendable {  // libnats locks its connection; the rest is the owner's, one thread at a time
  private static let step = Int64(250)

  private let connection: OpaquePointer
  private let inbox: String
  private let answers: OpaquePointer
  private var lastRequest: UInt64 = 0
  private let timeout: Duration
  /// The server, as messages name it.
  let server: String

  private init(_ connection: OpaquePointer, answers: OpaquePointer, inbox: String, server: String, timeout: Duration) {
    self.connection = connection
    self.answers = answers
    self.inbox = inbox
    self.server = server
    self.timeout = timeout
  }

  deinit {
    natsSubscription_Destroy(answers)
    natsConnection_Destroy(connection)
  }

  /// Connects to the first server that answers, in random order.
  /// - Parameter name: what the servers' monitoring shows.
  static func connect(_ settings: ConnectionSettings, name: String) throws(JetStreamFailure) -> NATSConnection {
    var complaints: [String] = []
    var refusal: String?
    for server in settings.servers.shuffled() {
      if Task.isCancelled { throw .cancelled }
      do throws(JetStreamFailure) {
        return try connect(to: server, settings, name: name)
      } catch {
        switch error {
        case .unauthorized(let text): refusal = text
        case .unreachable(let text): complaints.append(text)
        default: throw error
        }
      }
    }
    if let refusal { throw .unauthorized(refusal) }
    throw .unreachable("no NATS server can be connected to: \(complaints.joined(separator: "; ")); they are tried again")
  }

  private static func connect(
    to server: ConnectionSettings.Server, _ settings: ConnectionSettings, name: String
  ) throws(JetStreamFailure) -> NATSConnection {
    var created: OpaquePointer?
    guard natsOptions_Create(&created) == NATS_OK, let options = created else { throw .unreachable("out of memory") }
    defer { natsOptions_Destroy(options) }
    guard natsOptions_SetURL(options, server.url) == NATS_OK else {
      throw .badFile("'\(server)' is not a URL that NATS's client takes; correct 'servers'")
    }
    natsOptions_SetName(options, name)
    natsOptions_SetAllowReconnect(options, false)
    natsOptions_SetTimeout(options, settings.connectTimeout.wholeMilliseconds)
    natsOptions_SetSendAsap(options, true)
    // A server that hangs is noticed after two of these.
    natsOptions_SetPingInterval(options, 2000)
    natsOptions_SetMaxPingsOut(options, 2)
    natsOptions_SetFailRequestsOnDisconnect(options, true)
    try identify(options, settings, server)
    var opened: OpaquePointer?
    let status = natsConnection_Connect(&opened, options)
    guard status == NATS_OK, let connection = opened else { throw failure(of: status, connectingTo: server) }
    let inbox = "_INBOX.sluice.\(randomName())"
    var subscribed: OpaquePointer?
    guard natsConnection_SubscribeSync(&subscribed, connection, "\(inbox).*") == NATS_OK, let answers = subscribed else {
      natsConnection_Destroy(connection)
      throw .unreachable("\(server) broke the connection")
    }
    return NATSConnection(connection, answers: answers, inbox: inbox, server: server.description, timeout: settings.timeout)
  }

  private static func identify(
    _ options: OpaquePointer, _ settings: ConnectionSettings, _ server: ConnectionSettings.Server
  ) throws(JetStreamFailure) {
    switch settings.identity {
    case .none: break
    case .credentials(let file):
      guard natsOptions_SetUserCredentialsFromFiles(options, file, nil) == NATS_OK else {
        throw .badFile("'\(file)' (credentials) can't be used: \(lastError); check that it is there, readable, and a NATS credentials file")
      }
    case .token(let token): natsOptions_SetToken(options, token)
    case .user(let user, let password): natsOptions_SetUserInfo(options, user, password)
    }
    guard server.usesTLS else { return }
    natsOptions_SetSecure(options, true)
    if let file = settings.tls.authorityFile, natsOptions_LoadCATrustedCertificates(options, file) != NATS_OK {
      throw .badFile("'\(file)' (tls.ca) can't be read as PEM certificates; check that it is there, readable, and such a file")
    }
    if let certificate = settings.tls.certificateFile, let key = settings.tls.keyFile,
      natsOptions_LoadCertificatesChain(options, certificate, key) != NATS_OK
    {
      throw .badFile("'\(certificate)' and '\(key)' (tls) can't be used as a certificate and its key: \(lastError)")
    }
  }

  private static func failure(of status: natsStatus, connectingTo server: ConnectionSettings.Server) -> JetStreamFailure {
    let text = "\(server): \(lastError.isEmpty ? String(cString: natsStatus_GetText(status)) : lastError)"
    switch status {
    case NATS_CONNECTION_AUTH_FAILED, NATS_NOT_PERMITTED:
      return .unauthorized("\(text); the server refuses these credentials: correct 'credentials', 'token' or 'user' and 'password'")
    case NATS_SECURE_CONNECTION_REQUIRED: return .unauthorized("\(text); the server asks for TLS: write tls:// in 'servers'")
    case NATS_SECURE_CONNECTION_WANTED: return .unauthorized("\(text); the server has no TLS: write nats:// in 'servers'")
    case NATS_SSL_ERROR:
      return .unauthorized("\(text); the server's certificate isn't trusted, or it refuses ours: correct 'tls'")
    case NATS_PROTOCOL_ERROR where server.usesTLS, NATS_CONNECTION_CLOSED where server.usesTLS, NATS_IO_ERROR where server.usesTLS:
      return .unreachable("\(text) (a server that asks for a client's certificate ends the connection so: see 'tls')")
    default: return .unreachable(text)
    }
  }

  /// libnats's own words about the calling thread's last failure.
  private static var lastError: String {
    var status = NATS_OK
    return nats_GetLastError(&status).map { String(cString: $0) } ?? ""
  }

  /// A name that no other process has.
  static func randomName() -> String { String(UInt64.random(in: 1 << 60 ... .max), radix: 36) }

  // MARK: Use

  /// The connection has broken, or the server has ended it.
  var isClosed: Bool { natsConnection_IsClosed(connection) }
  /// The most bytes of a message's headers and payload that the server takes.
  var maxPayload: Int { Int(natsConnection_GetMaxPayload(connection)) }

  /// Sends a request and waits for its answer.
  func request(
    _ subject: String, headers: [(name: String, value: String)] = [], _ payload: UnsafeRawBufferPointer
  ) throws(JetStreamFailure) -> NATSMessage {
    lastRequest += 1
    let reply = "\(inbox).\(lastRequest)"
    try publish(subject, reply: reply, headers: headers, payload)
    let deadline = ContinuousClock.now + timeout
    while true {
      guard let answer = try next(of: answers) else {
        if ContinuousClock.now < deadline { continue }
        throw .noAnswer(
          "\(server) gave no answer to a request on \(subject) within \(timeout.wholeMilliseconds) ms\(complaint); its cluster may have no leader"
        )
      }
      // What answers an earlier request, which was given up, has come too late.
      guard answer.subject == reply else { continue }
      return answer
    }
  }

  /// The same, with a text.
  func request(_ subject: String, _ text: String) throws(JetStreamFailure) -> NATSMessage {
    let bytes = SharedBytes(copying: Array(text.utf8))
    return try bytes.withUnsafeBytes { payload throws(JetStreamFailure) in try request(subject, payload) }
  }

  /// Hands a text to the kernel, whose answers come to `reply`.
  func publish(_ subject: String, reply: String, _ text: String) throws(JetStreamFailure) {
    let bytes = SharedBytes(copying: Array(text.utf8))
    try bytes.withUnsafeBytes { payload throws(JetStreamFailure) in try publish(subject, reply: reply, payload) }
  }

  /// Hands a message to the kernel.
  func publish(
    _ subject: String, reply: String? = nil, headers: [(name: String, value: String)] = [], _ payload: UnsafeRawBufferPointer
  ) throws(JetStreamFailure) {
    var created: OpaquePointer?
    let bytes = payload.baseAddress?.assumingMemoryBound(to: CChar.self)
    var status = natsMsg_Create(&created, subject, reply, bytes, Int32(payload.count))
    guard status == NATS_OK, let message = created else { throw .nonsense("'\(subject)' can't be published on: \(Self.lastError)") }
    defer { natsMsg_Destroy(message) }
    for header in headers where status == NATS_OK { status = natsMsgHeader_Set(message, header.name, header.value) }
    if status == NATS_OK { status = natsConnection_PublishMsg(connection, message) }
    guard status == NATS_OK else { throw .disconnected("\(server): \(String(cString: natsStatus_GetText(status)))\(complaint)") }
  }

  /// Subscribes to what comes for `subject`; the caller bounds how much that is.
  func subscribe(_ subject: String) throws(JetStreamFailure) -> NATSSubscription {
    var created: OpaquePointer?
    guard natsConnection_SubscribeSync(&created, connection, subject) == NATS_OK, let subscription = created else {
      throw .disconnected("\(server): can't subscribe\(complaint)")
    }
    natsSubscription_SetPendingLimits(subscription, -1, -1)
    return NATSSubscription(subscription, of: self)
  }

  /// A subject of ours for ``subscribe(_:)``.
  func newInbox() -> String { "_INBOX.sluice.\(Self.randomName())" }

  /// The next message; nil when none came within a quarter of a second.
  func next(of subscription: OpaquePointer) throws(JetStreamFailure) -> NATSMessage? {
    if Task.isCancelled { throw .cancelled }
    var received: OpaquePointer?
    let status = natsSubscription_NextMsg(&received, subscription, Self.step)
    switch status {
    case NATS_OK: return received.map { NATSMessage($0) }
    case NATS_TIMEOUT where !isClosed: return nil
    case NATS_NO_RESPONDERS: throw .noResponders("\(server): nobody serves the subject of a request\(complaint)")
    default: throw .disconnected("the connection to \(server) has broken: \(String(cString: natsStatus_GetText(status)))\(complaint)")
    }
  }

  /// What the server last complained of on this connection (a missing permission, say).
  private var complaint: String {
    var text: UnsafePointer<CChar>?
    guard natsConnection_GetLastError(connection, &text) != NATS_OK, let text else { return "" }
    let words = String(cString: text)
    return words.isEmpty ? "" : " (\(words))"
  }
}

/// A subscription, which ends with this object.
final class NATSSubscription: @unchecked Sendable {  // libnats locks its subscription
  private let subscription: OpaquePointer
  private let connection: NATSConnection

  init(_ subscription: OpaquePointer, of connection: NATSConnection) {
    self.subscription = subscription
    self.connection = connection
  }

  deinit { natsSubscription_Destroy(subscription) }

  /// The next message; nil when none came within a quarter of a second.
  func next() throws(JetStreamFailure) -> NATSMessage? { try connection.next(of: subscription) }
}
