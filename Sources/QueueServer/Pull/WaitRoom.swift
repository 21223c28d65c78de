internal import HTTPTypes
internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// The requests that wait for records: how many may, and what ends their waits.
///
/// A wait holds no thread and no buffer: a task, its place in the queue's table of waiters, and its connection.
final class WaitRoom: Sendable {
  /// Why a wait is over.
  enum Outcome: Sendable { case recordsOrTime, stopping, clientGone }

  private struct State {
    var waits: [UInt64: Task<Void, Never>] = [:]
    var perQueue: [ObjectIdentifier: Int] = [:]
    var next: UInt64 = 0
    var isStopping = false
  }

  private let limit: Int
  private let clients: ClientPresence
  private let state = Mutex(State())

  /// - Parameter limit: the most requests that may wait for one queue.
  init(limit: Int, clients: ClientPresence) {
    self.limit = limit
    self.clients = clients
  }

  /// How many requests wait.
  var count: Int { state.withLock { $0.waits.count } }

  /// Waits until `queue` has a durable record at or behind `offset`, `deadline` has come, the client is gone, or the server stops.
  /// - Throws: ``Problem`` `too_many_waiters`.
  func wait(
    for queue: SegmentQueue, beyond offset: RecordBlocks.Offset, until deadline: ContinuousClock.Instant, connection: ObjectIdentifier
  )
    async throws -> Outcome
  {
    try await wait(for: queue, connection: connection) { _ = await queue.waitForRecords(beyond: offset, until: deadline) }
  }

  /// The same for whatever may end the wait: `body` returns early when its task is cancelled.
  func wait(for queue: SegmentQueue, connection: ObjectIdentifier, _ body: @escaping @Sendable () async -> Void) async throws -> Outcome {
    let key = ObjectIdentifier(queue)
    let entered: (id: UInt64, task: Task<Void, Never>)? = try state.withLock { state in
      if state.isStopping { return nil }
      guard state.perQueue[key, default: 0] < limit else {
        throw Problem(
          .tooManyRequests, "too_many_waiters",
          "\(limit) requests wait for this queue already, which is the limit; ask again in a moment, or without 'wait'", retryAfter: 1)
      }
      state.perQueue[key, default: 0] += 1
      state.next += 1
      let task = Task { await body() }
      state.waits[state.next] = task
      return (state.next, task)
    }
    guard let (id, task) = entered else { return .stopping }
    let isHere = clients.whenClosed(connection) { task.cancel() }
    if !isHere { task.cancel() }
    await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      task.cancel()
    }
    let isGone = !isHere || !clients.forgetClosing(connection)
    let isStopping = state.withLock { state in
      state.waits[id] = nil
      state.perQueue[key, default: 1] -= 1
      return state.isStopping
    }
    if isGone { return .clientGone }
    return isStopping || Task.isCancelled ? .stopping : .recordsOrTime
  }

  /// Ends all waits, now and from now on.
  func stop() {
    let waits = state.withLock { state in
      state.isStopping = true
      return Array(state.waits.values)
    }
    for wait in waits { wait.cancel() }
  }
}
