/// What a server tells of all its queues and their pipelines at one moment.
public struct RemoteStatus: Sendable, Hashable, Codable {
  /// The server's version.
  public var version: String
  /// The moment, as RFC 3339 has it.
  public var time: String
  /// When the server began.
  public var started: String
  /// The queues that the token may read, by name.
  public var queues: [RemoteQueueStatus]
}

/// What a server tells of a queue and what goes on around it.
public struct RemoteQueueStatus: Sendable, Hashable, Codable {
  /// Losses for one reason, since the server opened the queue.
  public struct Loss: Sendable, Hashable, Codable {
    /// Why, as `RecordBlocks.Gap.Reason` names it.
    public var reason: String
    /// How many records.
    public var records: UInt64
    /// Their bytes of lines.
    public var bytes: UInt64
  }

  /// A segment on the server's disk.
  public struct Segment: Sendable, Hashable, Codable {
    /// Its file's name.
    public var name: String
    /// The first offset in it.
    public var firstOffset: UInt64
    /// The offset behind its last.
    public var nextOffset: UInt64
    /// Bytes on the disk.
    public var storedBytes: UInt64
    /// It is final.
    public var isSealed: Bool

    enum CodingKeys: String, CodingKey {
      case name
      case firstOffset = "first_offset"
      case nextOffset = "next_offset"
      case storedBytes = "stored_bytes"
      case isSealed = "is_sealed"
    }
  }

  /// The queue and its consumers.
  public var queue: RemoteQueue
  /// The queue whose dead letters it holds.
  public var deadLettersOf: String?
  /// Records that become durable a second; nil before that was measured.
  public var recordsPerSecond: Double?
  /// The same in bytes of lines.
  public var bytesPerSecond: Double?
  /// The consumer that it fills up because of.
  public var fillsBecauseOf: String?
  /// Losses since the server opened it.
  public var losses: [Loss]
  /// The newest segments, at most 100, in order.
  public var newestSegments: [Segment]
  /// Dead letters of its sinks.
  public var deadLetters: UInt64
  /// The sources of the pipeline; nil where none runs.
  public var sources: [RemoteSource]?
  /// The sinks of the pipeline; nil where none runs.
  public var sinks: [RemoteSink]?

  enum CodingKeys: String, CodingKey {
    case losses, sources, sinks
    case deadLettersOf = "dead_letters_of"
    case recordsPerSecond = "records_per_second"
    case bytesPerSecond = "bytes_per_second"
    case fillsBecauseOf = "fills_because_of"
    case newestSegments = "newest_segments"
    case deadLetters = "dead_letters"
  }

  /// Reads one object with the members of both.
  public init(from decoder: any Decoder) throws {
    queue = try RemoteQueue(from: decoder)
    let members = try decoder.container(keyedBy: CodingKeys.self)
    deadLettersOf = try members.decodeIfPresent(String.self, forKey: .deadLettersOf)
    recordsPerSecond = try members.decodeIfPresent(Double.self, forKey: .recordsPerSecond)
    bytesPerSecond = try members.decodeIfPresent(Double.self, forKey: .bytesPerSecond)
    fillsBecauseOf = try members.decodeIfPresent(String.self, forKey: .fillsBecauseOf)
    losses = try members.decode([Loss].self, forKey: .losses)
    newestSegments = try members.decode([Segment].self, forKey: .newestSegments)
    deadLetters = try members.decode(UInt64.self, forKey: .deadLetters)
    sources = try members.decodeIfPresent([RemoteSource].self, forKey: .sources)
    sinks = try members.decodeIfPresent([RemoteSink].self, forKey: .sinks)
  }

  /// Writes one object with the members of both.
  public func encode(to encoder: any Encoder) throws {
    try queue.encode(to: encoder)
    var members = encoder.container(keyedBy: CodingKeys.self)
    try members.encodeIfPresent(deadLettersOf, forKey: .deadLettersOf)
    try members.encodeIfPresent(recordsPerSecond, forKey: .recordsPerSecond)
    try members.encodeIfPresent(bytesPerSecond, forKey: .bytesPerSecond)
    try members.encodeIfPresent(fillsBecauseOf, forKey: .fillsBecauseOf)
    try members.encode(losses, forKey: .losses)
    try members.encode(newestSegments, forKey: .newestSegments)
    try members.encode(deadLetters, forKey: .deadLetters)
    try members.encodeIfPresent(sources, forKey: .sources)
    try members.encodeIfPresent(sinks, forKey: .sinks)
  }
}

/// What a server tells of a pipeline's source.
public struct RemoteSource: Sendable, Hashable, Codable {
  /// Its files.
  public struct Files: Sendable, Hashable, Codable {
    /// How many there are.
    public var count: Int
    /// Those with the newest bytes first, at most 100.
    public var newest: [File]
  }

  /// How far a file was read.
  public struct File: Sendable, Hashable, Codable {
    /// Where it is, at the server.
    public var path: String
    /// Bytes that were handed over.
    public var position: UInt64
    /// Its length; nil of a compressed file.
    public var size: UInt64?
    /// Since its last bytes came.
    public var quietSeconds: Double
    /// It was deleted or moved away.
    public var isGone: Bool

    enum CodingKeys: String, CodingKey {
      case path, position, size
      case quietSeconds = "quiet_seconds"
      case isGone = "is_gone"
    }
  }

  /// Its name.
  public var name: String
  /// Its `type` in the pipeline file.
  public var type: String
  /// `running`, `backing_off`, `ended` or `failed`; a word of its own for what this version doesn't know.
  public var activity: String
  /// Until it is started again.
  public var secondsUntilRetry: Double?
  /// Records handed to the queue since the run began.
  public var records: UInt64
  /// Their bytes of lines.
  public var bytes: UInt64
  /// Over the last few seconds.
  public var recordsPerSecond: Double
  /// Over the last few seconds.
  public var bytesPerSecond: Double
  /// Records lost before they reached the queue.
  public var lostRecords: UInt64
  /// Starts after a failure.
  public var restarts: UInt64
  /// The latest failure.
  public var lastError: String?
  /// Nil of a source that reads no files.
  public var files: Files?

  enum CodingKeys: String, CodingKey {
    case name, type, activity, records, bytes, restarts, files
    case secondsUntilRetry = "seconds_until_retry"
    case recordsPerSecond = "records_per_second"
    case bytesPerSecond = "bytes_per_second"
    case lostRecords = "lost_records"
    case lastError = "last_error"
  }
}

/// What a server tells of a pipeline's sink; its lag is its consumer's, which has the same name.
public struct RemoteSink: Sendable, Hashable, Codable {
  /// Its name.
  public var name: String
  /// Its `type` in the pipeline file.
  public var type: String
  /// Such as `delivering` or `backing_off`; see the HTTP API.
  public var activity: String
  /// Until it tries again.
  public var secondsUntilRetry: Double?
  /// Until its window opens.
  public var secondsUntilOpen: Double?
  /// Records that the destination has taken since the run began.
  public var deliveredRecords: UInt64
  /// Their bytes of lines.
  public var deliveredBytes: UInt64
  /// Over the last few seconds.
  public var recordsPerSecond: Double
  /// Over the last few seconds.
  public var bytesPerSecond: Double
  /// Records lost before it could have them.
  public var gapRecords: UInt64
  /// Failed attempts.
  public var retries: UInt64
  /// Commits on the disk.
  public var commits: UInt64
  /// Records set aside.
  public var deadLetters: UInt64
  /// Records dropped by `on_reject: drop`.
  public var droppedRecords: UInt64
  /// The latest failure.
  public var lastError: String?

  enum CodingKeys: String, CodingKey {
    case name, type, activity, retries, commits
    case secondsUntilRetry = "seconds_until_retry"
    case secondsUntilOpen = "seconds_until_open"
    case deliveredRecords = "delivered_records"
    case deliveredBytes = "delivered_bytes"
    case recordsPerSecond = "records_per_second"
    case bytesPerSecond = "bytes_per_second"
    case gapRecords = "gap_records"
    case deadLetters = "dead_letters"
    case droppedRecords = "dropped_records"
    case lastError = "last_error"
  }
}
