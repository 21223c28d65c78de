/// A source of a running pipeline, as the status tells of it.
public struct SourceFacts: Sendable, Encodable {
  /// The files of a source that reads files.
  public struct Files: Sendable, Encodable {
    /// The most that are listed.
    public static let most = 100

    /// How many it follows.
    public var count: Int
    /// Those with the newest bytes first, ``most`` of them at most.
    public var newest: [File]

    /// Files of which these are the newest.
    public init(count: Int, newest: [File]) {
      self.count = count
      self.newest = newest
    }
  }

  /// How far a file was read.
  public struct File: Sendable, Encodable {
    /// Where it is, or was last seen.
    public var path: String
    /// Bytes that were handed over; of a compressed file, bytes that were inflated.
    public var position: UInt64
    /// Its length; absent of a compressed file.
    public var size: UInt64?
    /// Since its last bytes came.
    public var quietSeconds: Double
    /// It was deleted or moved away.
    public var isGone: Bool

    /// A file's place.
    public init(path: String, position: UInt64, size: UInt64?, quietSeconds: Double, isGone: Bool) {
      self.path = path
      self.position = position
      self.size = size
      self.quietSeconds = quietSeconds
      self.isGone = isGone
    }
  }

  /// Its name.
  public var name: String
  /// Its `type` in the pipeline file.
  public var type: String
  /// `running`, `backing_off`, `ended` or `failed`.
  public var activity: String
  /// Until it is started again.
  public var secondsUntilRetry: Double?
  /// Records handed to the queue since the run began.
  public var records: UInt64 = 0
  /// Their bytes of lines.
  public var bytes: UInt64 = 0
  /// Over the last few seconds.
  public var recordsPerSecond: Double = 0
  /// Over the last few seconds.
  public var bytesPerSecond: Double = 0
  /// Records that were lost before they reached the queue.
  public var lostRecords: UInt64 = 0
  /// Starts after a failure.
  public var restarts: UInt64 = 0
  /// The latest failure; it stays when all is well again.
  public var lastError: String?
  /// See ``Files``; nil of a source that reads none.
  public var files: Files?

  /// A source that has read nothing.
  public init(name: String, type: String, activity: String) {
    self.name = name
    self.type = type
    self.activity = activity
  }
}
