/// What came of a request to the servers, other than its answer.
enum JetStreamFailure: Error, CustomStringConvertible {
  /// No server could be connected to; each with what it said.
  case unreachable(String)
  /// A server answers, and refuses who asks.
  case unauthorized(String)
  /// A file of the configuration can't be used.
  case badFile(String)
  /// The connection broke: whether the request was carried out is unknown.
  case disconnected(String)
  /// No answer in time: whether the request was carried out is unknown.
  case noAnswer(String)
  /// Nobody serves the subject: JetStream is off, no stream takes it, or what served it has gone.
  case noResponders(String)
  /// JetStream's own refusal, by its error code.
  case refused(code: Int, String)
  /// The stream isn't as it is configured, or somebody else publishes on the subject: someone must act.
  case unusable(String)
  /// The answer isn't what the protocol says.
  case nonsense(String)
  /// The task was cancelled meanwhile.
  case cancelled

  var description: String {
    switch self {
    case .unreachable(let text), .unauthorized(let text), .badFile(let text), .disconnected(let text), .noAnswer(let text),
      .noResponders(let text), .unusable(let text), .nonsense(let text):
      text
    case .refused(let code, let text): "\(text) (JetStream error \(code))"
    case .cancelled: "cancelled"
    }
  }

  /// JetStream's codes, as `nats-server`'s `errors.json` lists them.
  enum Code {
    static let streamNotFound = 10_059
    static let messageNotFound = 10_037
    static let wrongLastSequence = 10_071
    /// The same, since 2.11, without the number.
    static let wrongLastSequenceConstant = 10_164
    static let storeFailed = 10_077
    static let noPeers = 10_005
    static let insufficientResources = 10_023
    static let storageExceeded = 10_047
    static let replicasNotSupported = 10_074
    static let subjectsOverlap = 10_065
  }

  /// Our message wasn't the next one of its subject.
  var isWrongSequence: Bool {
    guard case .refused(let code, _) = self else { return false }
    return code == Code.wrongLastSequence || code == Code.wrongLastSequenceConstant
  }
}
