/// What a source has done since the run began, and what it is doing.
public struct SourceStatus: Sendable, Hashable {
  /// What a source is doing.
  public enum Activity: Sendable, Hashable {
    /// It reads, or waits for its input or for room in the queue.
    case running
    /// It failed and is started again at that moment.
    case backingOff(until: ContinuousClock.Instant)
    /// Its input has ended.
    case ended
    /// It never worked, and the run ends for it.
    case failed
  }

  /// The source's name.
  public var name: String
  /// What it is doing.
  public var activity = Activity.running
  /// Records and bytes of lines handed to the queue.
  public var records: UInt64 = 0
  /// See ``records``.
  public var bytes: UInt64 = 0
  /// Records and bytes that the source itself reported as lost.
  public var lostRecords: UInt64 = 0
  /// How often it was started again after a failure.
  public var restarts: UInt64 = 0
  /// The latest failure, in one sentence; it stays when all is well again.
  public var lastError: String?
  /// Over the last few seconds.
  public var recordsPerSecond: Double = 0
  /// Over the last few seconds.
  public var bytesPerSecond: Double = 0

  /// A source that has read nothing yet.
  public init(name: String) { self.name = name }
}
