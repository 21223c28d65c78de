public import RecordBlocks

/// What a sink is doing.
public enum SinkActivity: Sendable, Hashable {
  /// It hasn't begun yet.
  case starting
  /// It waits for records, or for its batch to fill.
  case idle
  /// It waits because of its own pace.
  case pacing
  /// Its window is closed.
  case outsideWindow(secondsUntilOpen: Int)
  /// The destination is taking records.
  case delivering
  /// Something failed; it is tried again at that moment.
  case backingOff(until: ContinuousClock.Instant)
  /// It waits for room in the dead-letter queue.
  case settingAside
  /// It has ended.
  case ended
  /// Its consumer can't be opened, and the message says why; everything it may not have read is held.
  case refused(String)
}

/// What a sink has done since the run began, and what it is doing.
public struct SinkStatus: Sendable, Hashable {
  /// Its consumer's name.
  public var name: String
  /// What it is doing.
  public var activity = SinkActivity.starting
  /// The committed cursor; nil until the consumer is open.
  public var cursor: Offset?
  /// Records and bytes of lines that the destination has taken: for output that can be cut back those that are committed, else every
  /// batch that was taken, one taken twice twice.
  public var deliveredRecords: UInt64 = 0
  /// See ``deliveredRecords``.
  public var deliveredBytes: UInt64 = 0
  /// Those of ``deliveredRecords`` that were dead letters and were put back.
  public var putBackRecords: UInt64 = 0
  /// Gaps delivered, and the records lost in them.
  public var gaps: UInt64 = 0
  /// See ``gaps``.
  public var gapRecords: UInt64 = 0
  /// Failed attempts of any kind.
  public var retries: UInt64 = 0
  /// Commits that reached the disk.
  public var commits: UInt64 = 0
  /// Records put into the dead-letter queue.
  public var deadLetters: UInt64 = 0
  /// Records dropped by `on_reject: drop`.
  public var dropped: UInt64 = 0
  /// The latest failure, in one sentence; it stays when all is well again.
  public var lastError: String?
  /// Over the last few seconds.
  public var recordsPerSecond: Double = 0
  /// Over the last few seconds.
  public var bytesPerSecond: Double = 0

  /// A sink that hasn't begun.
  public init(name: String) { self.name = name }
}
