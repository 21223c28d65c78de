internal import SegmentQueue

extension AppendTicket {
  /// Waits like ``AppendTicket/durable()``, but no longer than the task lives: a full queue may keep a write waiting for days, and a stop
  /// for 5 s.
  ///
  /// After a cancellation the write may still become durable; nobody may count on it.
  func durableUnlessCancelled() async throws {
    let outcome = Watched<Result<Void, any Error>?>(nil)
    // Ends when the queue syncs, drops or is closed, whichever is first.
    Task {
      do {
        try await durable()
        outcome.change { $0 = .success(()) }
      } catch {
        outcome.change { $0 = .failure(error) }
      }
    }
    await outcome.wait { $0 != nil }
    guard let result = outcome.value else { throw CancellationError() }
    try result.get()
  }
}
