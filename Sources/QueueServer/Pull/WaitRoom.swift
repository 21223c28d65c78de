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

  /// A place in the room that somebody keeps who waits again and again: it is theirs as long as they refer to it.
  final class Seat: Sendable {
    private let room: WaitRoom
    private let queue: ObjectIdentifier

    fileprivate init(_ room: WaitRoom, _ queue: ObjectIdentifier) { (self.room, self.queue) = (room, queue) }

    deinit { room.leave(queue) }
  }

  /// A consumer of a queue, as which somebody waits.
  struct Reader: Hashable, Sendable {
    private let consumer: String
    private let queue: ObjectIdentifier

    init(consumer: String, of queue: SegmentQueue) { (self.consumer, self.queue) = (consumer, ObjectIdentifier(queue)) }
  }

  private struct State {
    var waits: [UInt64: (task: Task<Void, Never>, reader: Reader?)] = [:]
    var perQueue: [ObjectIdentifier: Int] = [:]
    var next: UInt64 = 0
    /// How often a consumer's waits were ended.
    var wakes: UInt64 = 0
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

  /// The server stops: nobody waits any more.
  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Taken before a look and given to ``wait(for:beyond:until:connection:in:as:since:)``: what ends a consumer's waits in between isn't missed.
  var wakes: UInt64 { state.withLock { $0.wakes } }

  /// Takes a place among those who wait for `queue`.
  /// - Throws: ``Problem`` `too_many_waiters`.
  func seat(for queue: SegmentQueue) throws -> Seat {
    let key = ObjectIdentifier(queue)
    try state.withLock { state in try enter(key, &state) }
    return Seat(self, key)
  }

  /// Waits until `queue` has a durable record at or behind `offset`, `deadline` has come, `reader` is woken, the client is gone, or the
  /// server stops. `seat` is the caller's place when it has one.
  /// - Throws: ``Problem`` `too_many_waiters`.
  func wait(
    for queue: SegmentQueue, beyond offset: RecordBlocks.Offset, until deadline: ContinuousClock.Instant, connection: ObjectIdentifier,
    in seat: Seat? = nil, as reader: Reader? = nil, since wakes: UInt64? = nil
  )
    async throws -> Outcome
  {
    try await wait(for: queue, connection: connection, in: seat, as: reader, since: wakes) {
      _ = await queue.waitForRecords(beyond: offset, until: deadline)
    }
  }

  /// The same for whatever may end the wait: `body` returns early when its task is cancelled.
  func wait(
    for queue: SegmentQueue, connection: ObjectIdentifier, in seat: Seat? = nil, as reader: Reader? = nil, since wakes: UInt64? = nil,
    _ body: @escaping @Sendable () async -> Void
  ) async throws -> Outcome {
    let key = ObjectIdentifier(queue)
    let entered: (id: UInt64, task: Task<Void, Never>)? = try state.withLock { state in
      if state.isStopping { return nil }
      if seat == nil { try enter(key, &state) }
      state.next += 1
      let task = Task { await body() }
      state.waits[state.next] = (task, reader)
      if reader != nil, let wakes, wakes != state.wakes { task.cancel() }
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
      if seat == nil { state.perQueue[key, default: 1] -= 1 }
      return state.isStopping
    }
    if isGone { return .clientGone }
    return isStopping || Task.isCancelled ? .stopping : .recordsOrTime
  }

  /// Ends the waits of a consumer, which is gone or stands elsewhere: who waited looks again.
  func wake(_ reader: Reader) {
    let waits = state.withLock { state in
      state.wakes += 1
      return state.waits.values.filter { $0.reader == reader }
    }
    for wait in waits { wait.task.cancel() }
  }

  /// Ends all waits, now and from now on.
  func stop() {
    let waits = state.withLock { state in
      state.isStopping = true
      return Array(state.waits.values)
    }
    for wait in waits { wait.task.cancel() }
  }

  private func enter(_ queue: ObjectIdentifier, _ state: inout State) throws {
    guard state.perQueue[queue, default: 0] < limit else {
      throw Problem(
        .tooManyRequests, "too_many_waiters",
        "\(limit) requests wait for this queue already, which is the limit; ask again in a moment, or without 'wait'", retryAfter: 1)
    }
    state.perQueue[queue, default: 0] += 1
  }

  private func leave(_ queue: ObjectIdentifier) { state.withLock { $0.perQueue[queue, default: 1] -= 1 } }
}
