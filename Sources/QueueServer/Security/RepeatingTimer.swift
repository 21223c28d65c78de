internal import Dispatch

/// Calls a function again and again, one call at a time, on a thread that may block. Ends with the value.
final class RepeatingTimer: Sendable {
  /// Touched by `init` and `deinit` only; libdispatch has its own locks.
  private nonisolated(unsafe) let source: any DispatchSourceTimer

  private let queue: DispatchQueue
  private let call: @Sendable () -> Void

  init(label: String, interval: Duration, _ call: @escaping @Sendable () -> Void) {
    let (seconds, attoseconds) = interval.components
    let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
    queue = DispatchQueue(label: label, qos: .utility)
    self.call = call
    source = DispatchSource.makeTimerSource(queue: queue)
    source.schedule(
      deadline: .now() + .nanoseconds(nanoseconds), repeating: .nanoseconds(nanoseconds), leeway: .nanoseconds(nanoseconds / 10))
    source.setEventHandler(handler: call)
    source.activate()
  }

  /// Calls it once more, soon; returns at once.
  func callSoon() { queue.async(execute: call) }

  deinit { source.cancel() }
}
