internal import Glibc

/// The runtime's notion of time, injected so that tests own it.
public protocol PipelineClock: Sendable {
  /// Only goes forward.
  var now: ContinuousClock.Instant { get }
  /// Wall time in whole seconds since 1970, for windows; may jump.
  var unixSeconds: Int64 { get }
  /// Suspends until then; returns early, by throwing, when the task is cancelled.
  func sleep(until instant: ContinuousClock.Instant) async throws
}

/// The machine's clocks.
public struct SystemPipelineClock: PipelineClock {
  /// The machine's clocks.
  public init() {}
  /// The continuous clock.
  public var now: ContinuousClock.Instant { .now }
  /// `CLOCK_REALTIME`.
  public var unixSeconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec)
  }
  /// `Task.sleep`.
  public func sleep(until instant: ContinuousClock.Instant) async throws {
    try await Task.sleep(until: instant, clock: .continuous)
  }
}

/// A moment of the runtime's clock.
typealias Instant = ContinuousClock.Instant

extension Duration {
  /// The duration in seconds.
  var inSeconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
