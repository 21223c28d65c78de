internal import Glibc

/// The times that a file tail goes by; a test has its own.
protocol TailClock: Sendable {
  /// Time that passes evenly, from any beginning.
  func now() -> Duration
  /// The time of day, since 1970.
  func wallTime() -> (seconds: Int64, nanoseconds: Int64)
}

/// The machine's clocks.
struct SystemTailClock: TailClock {
  func now() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
  }

  func wallTime() -> (seconds: Int64, nanoseconds: Int64) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return (Int64(time.tv_sec), Int64(time.tv_nsec))
  }
}
