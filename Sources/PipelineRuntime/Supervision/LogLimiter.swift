/// Lets a repeated log line through at once, then at most once in an interval, and counts what it held back.
struct LogLimiter {
  static let interval = Duration.seconds(10)
  private var last: Instant?
  private var heldBack = 0

  /// Nil to say nothing; else how many like it were held back since the last.
  mutating func pass(at now: Instant) -> Int? {
    if let last, now < last + Self.interval {
      heldBack += 1
      return nil
    }
    defer { heldBack = 0 }
    last = now
    return heldBack
  }
}
