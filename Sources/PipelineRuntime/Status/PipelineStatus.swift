public import SegmentQueue

/// A pipeline's facts at one moment.
public struct PipelineStatus: Sendable {
  /// The queue's own facts, every consumer's place among them.
  public var queue: QueueStatus
  /// The sources, in order.
  public var sources: [SourceStatus]
  /// The sinks, in order.
  public var sinks: [SinkStatus]
  /// Every consumer of the queue, sinks and others, by name.
  public var forecasts: [ConsumerForecast]
  /// Records that became durable a second, over the last few seconds, from whomever they came; nil until it was looked at for long enough.
  public var recordsPerSecond: Double?
  /// The same in bytes of lines.
  public var bytesPerSecond: Double?
  /// Time until the queue has no room and sources wait, at the present rates; zero when it is so, nil when it isn't going there.
  public var timeUntilFull: Duration?
  /// The consumer that the queue fills up because of.
  public var fillsBecauseOf: String?
  /// The dead-letter queue, once one was needed.
  public var deadLetters: QueueStatus?
}

/// How long a consumer may go on as it does.
public struct ConsumerForecast: Sendable, Hashable {
  /// Its name.
  public var name: String
  /// Records a second by which its cursor goes on, over the last few seconds; nil until it was looked at for long enough.
  public var recordsPerSecond: Double?
  /// The same in bytes of lines.
  public var bytesPerSecond: Double?
  /// How fast its lag grows, in bytes of lines a second; negative while it catches up.
  public var lagBytesPerSecond: Double
  /// Time until records go that it hasn't read, at the present rates; nil when it isn't going there.
  public var timeUntilLoss: Duration?
  /// The rule by which they go then.
  public var lossCause: LossCause?

  /// Why a consumer loses records that it hasn't read; the words of a pipeline file.
  public enum LossCause: String, Sendable, Hashable {
    /// They are older than the queue's `max_age`.
    case maxAge = "max_age"
    /// They are beyond what its `hold` pins, and space is needed.
    case hold
    /// It has been silent for `consumer_expiry`, and space is needed.
    case consumerExpiry = "consumer_expiry"
    /// The queue is full, and its `overflow` is `drop_oldest`.
    case dropOldest = "drop_oldest"
  }
}
