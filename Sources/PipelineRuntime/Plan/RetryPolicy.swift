/// How failed deliveries are repeated: exponential backoff with full jitter.
public struct RetryPolicy: Sendable, Hashable {
  /// A destination's own `Retry-After` is honoured up to this.
  public static let longestRetryAfter = Duration.seconds(600)

  /// The bound of the first wait; it doubles with each attempt.
  public var initial = Duration.seconds(1)
  /// The bound of any wait.
  public var max = Duration.seconds(60)
  /// Attempts after which a batch counts as rejected; nil for never.
  public var attempts: Int?

  /// The defaults of a pipeline file.
  public init(initial: Duration = .seconds(1), max: Duration = .seconds(60), attempts: Int? = nil) {
    self.initial = initial
    self.max = max
    self.attempts = attempts
  }

  /// How long to wait after the `failures`-th failure in a row (1 for the first).
  ///
  /// Full jitter: anything from nothing to the bound, so that many clients of a destination that comes back don't arrive together. A longer
  /// `retryAfter` wins, because it is the destination's word.
  /// - Parameter jitter: a random number in 0...1.
  func delay(after failures: Int, retryAfter: Duration?, jitter: Double) -> Duration {
    precondition(failures >= 1 && (0...1).contains(jitter), "no failure to wait after, or jitter outside 0...1")
    let bound = Swift.min(max, initial * (1 << Swift.min(failures - 1, 30)))
    let wait = bound * jitter
    guard let retryAfter else { return wait }
    return Swift.max(wait, Swift.min(retryAfter, Self.longestRetryAfter))
  }
}
