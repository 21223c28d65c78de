internal import CLinux
internal import Glibc

/// The queue's notion of time, injected so that tests own it.
public protocol QueueClock: Sendable {
  /// Nanoseconds that only go forward while the process lives.
  func monotonic() -> UInt64
  /// Nanoseconds since 1970, for display and templates; may jump.
  func wall() -> Int64
  /// The kernel says that the wall clock is synchronised: only then does time while the queue was closed count as age.
  func wallIsSynchronised() -> Bool
}

/// The machine's clocks.
public struct SystemQueueClock: QueueClock {
  /// The machine's clocks.
  public init() {}
  /// `CLOCK_MONOTONIC`.
  public func monotonic() -> UInt64 { UInt64(read(CLOCK_MONOTONIC)) }
  /// `CLOCK_REALTIME`.
  public func wall() -> Int64 { read(CLOCK_REALTIME) }
  /// `adjtimex`.
  public func wallIsSynchronised() -> Bool { linux_clock_is_synchronised() == 1 }

  private func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

extension Duration {
  /// Whole nanoseconds, at least 0, at most what fits.
  var nanosecondsClamped: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max / 2 : min(product + UInt64(attoseconds / 1_000_000_000), .max / 2)
  }
}
