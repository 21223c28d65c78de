internal import Synchronization

/// A value that several parts change and others wait for: the wait ends when the value is as asked, or with the task that waits.
final class Watched<Value: Sendable>: Sendable {
  private struct Waiting: Sendable {
    let id: UInt64
    let isMet: @Sendable (Value) -> Bool
    let continuation: CheckedContinuation<Void, Never>
  }

  private struct Guarded: Sendable {
    var value: Value
    var waiting: [Waiting] = []
    var lastID: UInt64 = 0
    /// Waits whose task was cancelled before they began.
    var cancelled: Set<UInt64> = []
  }

  private let guarded: Mutex<Guarded>

  init(_ value: Value) { guarded = Mutex(Guarded(value: value)) }

  var value: Value { guarded.withLock { $0.value } }

  /// Changes the value and wakes whoever waited for what it is now.
  func change(_ body: (inout Value) -> Void) {
    let met = guarded.withLock { guarded -> [Waiting] in
      body(&guarded.value)
      if guarded.waiting.isEmpty { return [] }
      let value = guarded.value
      let met = guarded.waiting.filter { $0.isMet(value) }
      guarded.waiting.removeAll { wait in met.contains { $0.id == wait.id } }
      return met
    }
    for wait in met { wait.continuation.resume() }
  }

  /// Returns when the value is as asked, or the task is cancelled.
  func wait(for isMet: @escaping @Sendable (Value) -> Bool) async {
    let id = guarded.withLock { guarded in
      guarded.lastID += 1
      return guarded.lastID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let waits = guarded.withLock { guarded in
          if guarded.cancelled.remove(id) != nil || isMet(guarded.value) { return false }
          guarded.waiting.append(Waiting(id: id, isMet: isMet, continuation: continuation))
          return true
        }
        if !waits { continuation.resume() }
      }
    } onCancel: {
      let found = guarded.withLock { guarded -> CheckedContinuation<Void, Never>? in
        guard let index = guarded.waiting.firstIndex(where: { $0.id == id }) else {
          guarded.cancelled.insert(id)
          return nil
        }
        return guarded.waiting.remove(at: index).continuation
      }
      found?.resume()
    }
    guarded.withLock { _ = $0.cancelled.remove(id) }
  }

  /// The same, but no later than `deadline`; whether the value is as asked.
  func wait(until deadline: Instant, clock: any PipelineClock, for isMet: @escaping @Sendable (Value) -> Bool) async -> Bool {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.wait(for: isMet) }
      group.addTask { try? await clock.sleep(until: deadline) }
      await group.next()
      group.cancelAll()
    }
    return isMet(value)
  }
}
