/// A way to ask for what has come.
enum PullingWay: Sendable {
  /// Each so often, whatever the last answer was.
  case fixed(Duration)
  /// After a guess that adapts to the answers.
  case adaptive(shortest: Duration, longest: Duration)
  /// At once, and the server waits for the next record before it answers.
  case longPoll(wait: Duration)
  /// Not at all: the server pushes over one answer that goes on. What came is committed each so often, by a request of its own.
  case stream(commitEvery: Duration, heartbeat: Duration)

  /// As tables and plots name it.
  var name: String {
    switch self {
    case .fixed(let interval): "every \(HumanText.duration(interval))"
    case .adaptive(let shortest, let longest): "adaptive, \(HumanText.duration(shortest)) to \(HumanText.duration(longest))"
    case .longPoll(let wait): "long poll, \(HumanText.duration(wait))"
    case .stream(let interval, _): "stream, commits every \(HumanText.duration(interval))"
    }
  }

  /// As JSON names it.
  var kind: String {
    switch self {
    case .fixed: "fixed"
    case .adaptive: "adaptive"
    case .longPoll: "long_poll"
    case .stream: "stream"
    }
  }

  /// The same way in a time that goes `scale` times as fast.
  func played(_ scale: Double) -> PullingWay {
    switch self {
    case .fixed(let interval): .fixed(interval / scale)
    case .adaptive(let shortest, let longest): .adaptive(shortest: shortest / scale, longest: longest / scale)
    case .longPoll(let wait): .longPoll(wait: wait / scale)
    case .stream(let interval, let heartbeat): .stream(commitEvery: interval / scale, heartbeat: heartbeat / scale)
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
    case .stream(let interval, let heartbeat):
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await consumer.follow(commitEvery: interval, heartbeat: heartbeat) }
        group.addTask { try await Task.sleep(until: end, clock: .continuous) }
        // The stream has no end of its own: the time has.
        try await group.next()
        group.cancelAll()
      }
    }
  }
}
