internal import Synchronization

/// What became of a server's connections, for its metrics.
public final class ConnectionCounts: Sendable {
  /// The counts at one moment.
  public struct Snapshot: Sendable, Equatable {
    /// Connections that are open.
    public var open = 0
    /// All since the start.
    public var accepted = 0
    /// Those that were closed because they made no progress, by what stalled.
    public var stalled: [ConnectionStall: Int] = [:]
  }

  private let state = Mutex(Snapshot())

  /// No connections yet.
  public init() {}

  /// The counts now.
  public var snapshot: Snapshot { state.withLock { $0 } }

  func opened() {
    state.withLock {
      $0.open += 1
      $0.accepted += 1
    }
  }

  func closed() { state.withLock { $0.open -= 1 } }

  func stalled(_ stall: ConnectionStall) { state.withLock { $0.stalled[stall, default: 0] += 1 } }
}
