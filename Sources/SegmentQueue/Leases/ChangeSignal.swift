/// Something changes, and tasks wait for it.
final class ChangeSignal: Sendable {
  private struct State {
    var version: UInt64 = 0
    var nextWaiter: UInt64 = 0
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
  }

  private let state = Monitor(State())

  /// How often it has changed.
  var version: UInt64 { state.withLock { $0.version } }

  func signal() {
    let waiters = state.withLock { state in
      state.version += 1
      defer { state.waiters.removeAll() }
      return state.waiters.values
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Returns when it has changed more often than that, or the task is cancelled.
  func wait(beyond version: UInt64) async {
    let waiter = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isAdded = state.withLock { state in
          // It may have changed, or the task may have been cancelled, between the look and here.
          if state.version > version || Task.isCancelled { return false }
          state.waiters[waiter] = continuation
          return true
        }
        if !isAdded { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: waiter) }?.resume()
    }
  }
}
