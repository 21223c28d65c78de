internal import Synchronization

/// Lets a pull that follows be stopped while it waits, and only then: what was drawn is still made safe and committed.
final class PullStop: Sendable {
  private struct State {
    var isStopping = false
    var cancel: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  /// A stop was asked for.
  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Asks for the stop.
  func stop() {
    let cancel = state.withLock { state in
      state.isStopping = true
      return state.cancel
    }
    cancel?()
  }

  /// Runs `body`, whose task is cancelled when a stop is asked for.
  func stoppable<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    let task = Task { try await body() }
    let isStopping = state.withLock { state in
      state.cancel = { task.cancel() }
      return state.isStopping
    }
    if isStopping { task.cancel() }
    defer { state.withLock { $0.cancel = nil } }
    return try await task.value
  }
}
