internal import HTTPTypes
internal import Synchronization

/// Tells the status to whoever listens, once a second: it is looked at once for all of them, and not at all while nobody listens.
final class StatusFeed: Sendable {
  /// Gives the status now; nil when that can't be had any more.
  typealias Look = @Sendable () async -> StatusSnapshot?

  private struct State {
    var listeners: [UInt64: AsyncStream<StatusSnapshot>.Continuation] = [:]
    var lastID: UInt64 = 0
    /// What the present listeners were told last.
    var newest: StatusSnapshot?
    var ticker: Task<Void, Never>?
    var isStopped = false
  }

  private let limit: Int
  private let interval: Duration
  private let clock: any Clock<Duration>
  private let state = Mutex(State())

  /// - Parameter limit: the most listeners.
  init(limit: Int, interval: Duration = .seconds(1), clock: any Clock<Duration> = ContinuousClock()) {
    self.limit = limit
    self.interval = interval
    self.clock = clock
  }

  /// How many listen.
  var count: Int { state.withLock { $0.listeners.count } }

  /// What there is to tell from now on, the present status first. Who is slow misses some of it and keeps the newest. Listening ends when
  /// the stream is let go, or with the server.
  /// - Parameter look: looks for everybody, when this is the first listener.
  /// - Throws: ``Problem`` `too_many_listeners`, `stopping`.
  func listen(_ look: @escaping Look) throws -> AsyncStream<StatusSnapshot> {
    let (stream, continuation) = AsyncStream.makeStream(of: StatusSnapshot.self, bufferingPolicy: .bufferingNewest(1))
    let id: UInt64 = try state.withLock { state in
      if state.isStopped { throw Problem.stopping }
      guard state.listeners.count < limit else {
        throw Problem(
          .tooManyRequests, "too_many_listeners",
          "\(limit) clients listen to the status already, which is the limit; close one, or ask without 'Accept: text/event-stream'",
          retryAfter: 5)
      }
      state.lastID += 1
      state.listeners[state.lastID] = continuation
      if let newest = state.newest { continuation.yield(newest) }
      if state.ticker == nil { state.ticker = Task { await self.run(look) } }
      return state.lastID
    }
    continuation.onTermination = { [weak self] _ in self?.leave(id) }
    return stream
  }

  /// Ends all listening, now and from now on.
  func stop() {
    let listeners = state.withLock { state in
      state.isStopped = true
      return Array(state.listeners.values)
    }
    for listener in listeners { listener.finish() }
  }

  private func leave(_ id: UInt64) {
    state.withLock { state in
      state.listeners[id] = nil
      guard state.listeners.isEmpty else { return }
      state.ticker?.cancel()
      state.ticker = nil
      state.newest = nil
    }
  }

  private func run(_ look: Look) async {
    while !Task.isCancelled {
      guard let snapshot = await look() else { return stop() }
      let listeners = state.withLock { state in
        // The last one may have left meanwhile.
        if !state.listeners.isEmpty { state.newest = snapshot }
        return Array(state.listeners.values)
      }
      for listener in listeners { listener.yield(snapshot) }
      do { try await clock.sleep(for: interval) } catch { return }
    }
  }
}
