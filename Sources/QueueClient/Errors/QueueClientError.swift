/// Why a request to a server failed: what happened, where, and what to do.
public struct QueueClientError: Error, Sendable, CustomStringConvertible {
  /// The kinds that a caller may want to treat differently.
  public enum Code: Sendable, Hashable {
    /// The address, the token or the certificate authority can't be used: nothing was sent.
    case configuration
    /// No connection came about.
    case unreachable
    /// The connection broke, or nothing came for too long, before the answer was whole.
    case brokenAnswer
    /// The other side's certificate is not trusted, or TLS failed otherwise.
    case untrusted
    /// What answered doesn't speak as a Sluice server does.
    case notSluice
    /// The server refused; ``QueueClientError/problem`` says why.
    case refused
    /// The caller's task was cancelled.
    case cancelled
  }

  /// What kind it is.
  public let code: Code
  /// What the server said, where it was the server that refused.
  public let problem: Problem?
  /// How long the server asks to wait.
  public let retryAfter: Duration?
  /// What happened and where, with nothing of the token in it; foreign text is not escaped.
  public let sentence: String
  /// What to do about it.
  public let remedy: String

  init(_ code: Code, _ sentence: String, _ remedy: String, problem: Problem? = nil, retryAfter: Duration? = nil) {
    self.code = code
    self.sentence = sentence
    self.remedy = remedy
    self.problem = problem
    self.retryAfter = retryAfter
  }

  /// Sentence and remedy in one.
  public var description: String { remedy.isEmpty ? sentence : "\(sentence); \(remedy)" }

  /// Whether the same request may succeed later without anybody doing something.
  public var isTransient: Bool {
    switch code {
    case .unreachable, .brokenAnswer: true
    case .refused: problem.map { [408, 429, 500, 502, 503, 504].contains($0.status) } ?? false
    case .configuration, .untrusted, .notSluice, .cancelled: false
    }
  }

  /// Whether the request may have been carried out all the same.
  var leavesOutcomeOpen: Bool { code == .brokenAnswer || problem.map { $0.status >= 500 } ?? false }
}
