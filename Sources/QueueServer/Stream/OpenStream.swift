/// A stream while it is open: its place among those that wait, and in the metrics.
final class OpenStream: Sendable {
  let seat: WaitRoom.Seat
  private let metrics: ServerMetrics
  private let queue: String

  /// - Throws: ``Problem`` `too_many_waiters`.
  init(of served: ServedQueue, _ server: ServerCore) throws {
    seat = try server.waits.seat(for: served.queue)
    metrics = server.metrics
    queue = served.name
    metrics.streamOpened(of: queue)
  }

  deinit { metrics.streamClosed(of: queue) }
}
