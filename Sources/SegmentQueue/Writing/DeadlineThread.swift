/// The one thread of the process that ends waits whose deadlines have come, for all queues. Their own threads may be writing or syncing
/// for longer than a wait may take.
///
/// It looks at a queue at most once in ``step``: deadlines are met that much late, and ten thousand of them cost no more than a few looks.
final class DeadlineThread: Sendable {
  static let shared = DeadlineThread()

  /// See above.
  static let step = Duration.milliseconds(20)

  private struct Appointment {
    weak let queue: SegmentQueue?
    var at: ContinuousClock.Instant
  }

  private let appointments = Monitor<[ObjectIdentifier: Appointment]>([:])
  private let changed = Condition()

  private init() {
    startThread("queue-deadline") { [self] in
      while true {
        for queue in due() { queue.endDueWaits() }
      }
    }
  }

  /// Has `queue` looked at when `deadline` has come, or up to ``step`` later.
  func look(at queue: SegmentQueue, when deadline: ContinuousClock.Instant) {
    let at = max(deadline, .now + Self.step)
    let isNext = appointments.withLock { appointments in
      if let known = appointments[ObjectIdentifier(queue)], known.queue === queue, known.at <= at { return false }
      let isNext = appointments.values.allSatisfy { at < $0.at }
      appointments[ObjectIdentifier(queue)] = Appointment(queue: queue, at: at)
      return isNext
    }
    if isNext { changed.signal() }
  }

  /// Waits for the next appointment, and takes all that are due.
  private func due() -> [SegmentQueue] {
    appointments.wait(for: changed) { appointments, patience in
      let now = ContinuousClock.now
      let due = appointments.filter { $0.value.at <= now }
      guard !due.isEmpty else {
        patience = appointments.values.map(\.at).min().map { (now.duration(to: $0)).nanosecondsClamped }
        return nil
      }
      for key in due.keys { appointments[key] = nil }
      return due.values.compactMap(\.queue)
    }
  }
}
