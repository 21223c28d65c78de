/// When a request that failed for a passing reason is sent again.
///
/// Waits grow from ``initial`` to ``longest`` with full jitter: each is chosen evenly between nothing and the bound of its turn, so that
/// many clients don't come back in step. A server's `Retry-After` is the least.
public struct RetryPolicy: Sendable, Hashable {
  /// The bound of the first wait.
  public var initial: Duration
  /// The bound of every wait.
  public var longest: Duration
  /// How long it goes on after the first failure; nil for ever.
  public var patience: Duration?
  /// Whether it also goes on when the server has never answered: mostly a wrong address, which is better told at once.
  public var includesFirstContact: Bool

  /// A policy of these times.
  public init(initial: Duration = .seconds(1), longest: Duration = .seconds(60), patience: Duration?, includesFirstContact: Bool = false) {
    self.initial = initial
    self.longest = longest
    self.patience = patience
    self.includesFirstContact = includesFirstContact
  }

  /// For half a minute: long enough for a server's restart.
  public static let brief = RetryPolicy(patience: .seconds(30))
  /// For ever, once the server has answered.
  public static let persistent = RetryPolicy(patience: nil)
  /// For ever.
  public static let unlimited = RetryPolicy(patience: nil, includesFirstContact: true)

  /// The wait before the next try.
  /// - Parameters:
  ///   - failures: how many tries have failed, one after the other; at least 1.
  ///   - random: from 0 up to and not including 1.
  func wait(failures: Int, retryAfter: Duration?, random: Double) -> Duration {
    var bound = initial
    for _ in 1..<max(1, min(failures, 32)) { bound = min(bound * 2, longest) }
    bound = min(bound, longest)
    guard let retryAfter else { return bound * random }
    // Not all of those that were told the same time in the same moment.
    return retryAfter + min(initial, bound) * random
  }
}

/// What a client tells while it waits to send a request again.
public enum RetryNotice: Sendable {
  /// A request failed for a passing reason; told once until one succeeds.
  case waiting(QueueClientError)
  /// The server answers again.
  case recovered
}
