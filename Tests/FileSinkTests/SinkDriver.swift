import PipelineCore
import RecordBlocks

/// Does with a sink what the runtime does: delivers, syncs, commits, and opens again after an error. Remembers every commit.
final class SinkDriver {
  struct Commit {
    var cursor: Offset
    var state: SinkState?
    /// What `clock` told when it was made.
    var time: Int
  }

  /// The sink gave up, or the test's bound of tries was met.
  struct Stopped: Error { let error: DeliveryError }

  let queue: TestQueue
  private(set) var commits: [Commit]
  private(set) var errors: [DeliveryError] = []
  private(set) var rejected: [Range<Offset>] = []
  /// How many records a delivery has at most.
  var maxRecords = Int.max
  /// How many deliveries come before a commit.
  var deliveriesPerCommit = 1
  /// How many errors are answered by opening again.
  var triesLeft = 0
  var queueHoldsCursor = true
  private let clock: () -> Int

  var committed: Commit { commits.last! }

  init(_ queue: TestQueue, from commit: Commit = Commit(cursor: .zero, state: nil, time: 0), clock: @escaping () -> Int = { 0 }) {
    self.queue = queue
    self.clock = clock
    commits = [commit]
  }

  /// Opens the sink and delivers all there is.
  func run(_ sink: any Sink) async throws {
    while true {
      do throws(DeliveryError) {
        try await sink.open(SinkStart(state: committed.state, cursor: committed.cursor, queueHoldsCursor: queueHoldsCursor))
        return try await drain(sink)
      } catch {
        errors.append(error)
        guard triesLeft > 0 else { throw Stopped(error: error) }
        triesLeft -= 1
      }
    }
  }

  private func drain(_ sink: any Sink) async throws(DeliveryError) {
    var next = committed.cursor
    var deliveries = 0
    var turnsWithoutProgress = 0
    while let delivery = queue.delivery(from: next, maxRecords: maxRecords) {
      let reached = try await sink.deliver(delivery)
      precondition(reached >= delivery.first && reached <= delivery.next, "an offset outside the delivery")
      turnsWithoutProgress = reached > next ? 0 : turnsWithoutProgress + 1
      precondition(turnsWithoutProgress < 3, "the sink changes files for ever")
      next = reached
      deliveries += 1
      if reached < delivery.next || deliveries % deliveriesPerCommit == 0 { try await commit(sink, next) }
    }
    try await commit(sink, next)
  }

  private func commit(_ sink: any Sink, _ cursor: Offset) async throws(DeliveryError) {
    let state = try await sink.sync()
    commits.append(Commit(cursor: cursor, state: state, time: clock()))
  }
}
