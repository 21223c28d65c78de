internal import Synchronization

/// Lets a pull that follows be stopped while it waits, and only then: what was drawn is still made safe and committed. Several may wait.
final class PullStop: Sendable {
  private struct State {
    var isStopping = false
    var cancels: [UInt64: @Sendable () -> Void] = [:]
    var next: UInt64 = 0
  }

  private let state = Mutex(State())

  /// A stop was asked for.
  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Asks for the stop.
  func stop() {
    let cancels = state.withLock { state in
      state.isStopping = true
      return state.cancels.values
    }
    for cancel in cancels { cancel() }
  }

  /// Runs `body`, whose task is cancelled when a stop is asked for.
  func stoppable<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    let task = Task { try await body() }
    let (id, isStopping) = state.withLock { state in
      state.next += 1
      state.cancels[state.next] = { task.cancel() }
      return (state.next, state.isStopping)
    }
    if isStopping { task.cancel() }
    defer { state.withLock { $0.cancels[id] = nil } }
    return try await task.value
  }
}
