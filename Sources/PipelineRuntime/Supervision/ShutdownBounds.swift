/// How long each part of a stop may take. Together under 4 s, so that a process that is told to stop within 5 s has time for its own end.
public struct ShutdownBounds: Sendable, Hashable {
  /// Sources hand over what they have and return; their contract says a second.
  public var sources = Duration.milliseconds(1250)
  /// The queue syncs what was written. What isn't synced by then is read again by the next run.
  public var synchronize = Duration.milliseconds(1000)
  /// Sinks finish the delivery in hand, sync and commit.
  public var sinks = Duration.milliseconds(1250)
  /// Then they are cancelled, and have this to end.
  public var cancelledSinks = Duration.milliseconds(500)

  /// The defaults.
  public init() {}
}
