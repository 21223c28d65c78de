/// How much the server takes on. Each bound has the name that it has in a pipeline file's `server: { limits: … }`.
public struct ServerLimits: Sendable, Equatable {
  /// `waiters`: the most requests that may wait for records of one queue; more are answered with 429.
  public var waiters = 12_000
  /// `response_memory`: bytes of answers that clients have not read yet, all together; when half is in use answers become smaller.
  public var responseBytes = 256 << 20
  /// `body`: the most bytes of lines that a pushed body may have without a key.
  public var bodyBytes = 64 << 20
  /// What one connection may take, and how many there may be.
  public var connections = ConnectionLimits()
  /// `requests_per_second`: of one address; nil for as many as come.
  public var requestsPerSecond: Int?
  /// The most clients that may listen to the status. Not for pipeline files: it is a bound for mistakes, more than people look at.
  public var statusListeners = 64
  /// Threads for files. Not for pipeline files: it bounds memory together with the largest answer.
  public var fileThreads = 4

  /// The defaults.
  public init() {}
}
