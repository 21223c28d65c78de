/// A way to ask for what has come.
enum PullingWay: Sendable {
  /// Each so often, whatever the last answer was.
  case fixed(Duration)
  /// After a guess that adapts to the answers.
  case adaptive(shortest: Duration, longest: Duration)
  /// At once, and the server waits for the next record before it answers.
  case longPoll(wait: Duration)

  /// As tables and plots name it.
  var name: String {
    switch self {
    case .fixed(let interval): "every \(HumanText.duration(interval))"
    case .adaptive(let shortest, let longest): "adaptive, \(HumanText.duration(shortest)) to \(HumanText.duration(longest))"
    case .longPoll(let wait): "long poll, \(HumanText.duration(wait))"
    }
  }

  /// As JSON names it.
  var kind: String {
    switch self {
    case .fixed: "fixed"
    case .adaptive: "adaptive"
    case .longPoll: "long_poll"
    }
  }

  /// The same way in a time that goes `scale` times as fast.
  func played(_ scale: Double) -> PullingWay {
    switch self {
    case .fixed(let interval): .fixed(interval / scale)
    case .adaptive(let shortest, let longest): .adaptive(shortest: shortest / scale, longest: longest / scale)
    case .longPoll(let wait): .longPoll(wait: wait / scale)
    }
  }

  /// Asks for a consumer's records in this way until `end`.
  func pull(_ consumer: DemoConsumer, until end: ContinuousClock.Instant) async throws {
    switch self {
    case .fixed(let interval):
      var due = ContinuousClock.now
      while true {
        due += interval
        guard due < end else { return }
        try await Task.sleep(until: due, tolerance: .zero, clock: .continuous)
        _ = try await consumer.pull()
      }
    case .adaptive(let shortest, let longest):
      var interval = AdaptiveInterval(shortest: shortest, longest: longest)
      while true {
        let due = ContinuousClock.now + interval.current
        guard due < end else { return }
        try await Task.sleep(until: due, tolerance: .zero, clock: .continuous)
        interval.note(foundRecords: try await consumer.pull() != .nothing)
      }
    case .longPoll(let wait):
      while case let left = end - .now, left >= .milliseconds(1) { _ = try await consumer.pull(wait: min(wait, left)) }
    }
  }
}
