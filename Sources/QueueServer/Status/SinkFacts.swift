/// A sink of a running pipeline, as the status tells of it. Its consumer has the same name, and its lag.
public struct SinkFacts: Sendable, Encodable {
  /// Its name.
  public var name: String
  /// Its `type` in the pipeline file.
  public var type: String
  /// `starting`, `idle`, `pacing`, `outside_window`, `delivering`, `backing_off`, `setting_aside`, `ended` or `refused`.
  public var activity: String
  /// Until it tries again.
  public var secondsUntilRetry: Double?
  /// Until its window opens.
  public var secondsUntilOpen: Double?
  /// Records that the destination has taken since the run began.
  public var deliveredRecords: UInt64 = 0
  /// Their bytes of lines.
  public var deliveredBytes: UInt64 = 0
  /// Over the last few seconds.
  public var recordsPerSecond: Double = 0
  /// Over the last few seconds.
  public var bytesPerSecond: Double = 0
  /// Records that were lost before it could have them.
  public var gapRecords: UInt64 = 0
  /// Failed attempts.
  public var retries: UInt64 = 0
  /// Commits on the disk.
  public var commits: UInt64 = 0
  /// Records set aside.
  public var deadLetters: UInt64 = 0
  /// Records dropped by `on_reject: drop`.
  public var droppedRecords: UInt64 = 0
  /// The latest failure; it stays when all is well again.
  public var lastError: String?

  /// A sink that has delivered nothing.
  public init(name: String, type: String, activity: String) {
    self.name = name
    self.type = type
    self.activity = activity
  }
}
