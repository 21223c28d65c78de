/// A stream while it is open: its place among those that wait, and in the metrics.
final class OpenStream: Sendable {
  let seat: WaitRoom.Seat
  private let metrics: ServerMetrics
  private let events: StreamEventCache
  private let served: ServedQueue

  /// - Throws: ``Problem`` `too_many_waiters`.
  init(of served: ServedQueue, _ server: ServerCore) throws {
    seat = try server.waits.seat(for: served.queue)
    (metrics, events, self.served) = (server.metrics, server.events, served)
    metrics.streamOpened(of: served.name)
  }

  deinit {
    metrics.streamClosed(of: served.name)
    // Nobody is left who could send the same as another.
    if metrics.openStreams(of: served.name) < 2 { events.forget(served.queue) }
  }
}
