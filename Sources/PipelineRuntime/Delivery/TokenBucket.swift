/// Holds a consumer to a number of bytes a second. What was taken is paid for afterwards: a batch may go when the ones before it are paid.
///
/// Kept as the moment at which the debt is paid: no tokens to count, no rounding that adds up.
struct TokenBucket {
  /// What a consumer that was late may catch up at once: enough for a late timer, not for a burst.
  static let allowance = Duration.milliseconds(100)

  let bytesPerSecond: UInt64
  private(set) var paidAt: Instant?

  init(bytesPerSecond: UInt64) {
    precondition(bytesPerSecond > 0, "a rate of nothing")
    self.bytesPerSecond = bytesPerSecond
  }

  /// The largest batch: a quarter of a second's worth, but a block, so that not every block is cut.
  var largestBatchBytes: Int { Int(clamping: max(bytesPerSecond / 4, 256 << 10)) }

  /// When the next batch may go, or nil for now.
  func waits(at now: Instant) -> Instant? {
    guard let paidAt, paidAt > now else { return nil }
    return paidAt
  }

  mutating func take(_ bytes: Int, at now: Instant) {
    let from = max(paidAt ?? now, now - Self.allowance)
    paidAt = from + .seconds(Double(bytes) / Double(bytesPerSecond))
  }
}
