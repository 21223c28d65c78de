/// What goes on around a queue, as whoever runs it knows: rates, forecasts and, of a running pipeline, its parts.
public struct QueueActivity: Sendable {
  /// What goes on with a consumer.
  public struct Consumer: Sendable {
    /// Records a second by which its cursor goes on; nil before that was measured.
    public var recordsPerSecond: Double?
    /// The same in bytes of lines.
    public var bytesPerSecond: Double?
    /// Bytes of lines a second by which its lag grows; negative while it catches up.
    public var lagBytesPerSecond: Double?
    /// The rule by which it will lose records, in a pipeline file's words; nil while nothing threatens it.
    public var lossCause: String?

    /// A consumer of which nothing is known.
    public init() {}
  }

  /// See ``QueueForecasts``.
  public var forecasts = QueueForecasts()
  /// The consumer that the queue fills up because of.
  public var fillsBecauseOf: String?
  /// Records that become durable a second, over the last few seconds; nil before that was measured.
  public var recordsPerSecond: Double?
  /// The same in bytes of lines.
  public var bytesPerSecond: Double?
  /// By the consumers' names.
  public var consumers: [String: Consumer] = [:]
  /// The pipeline's sources; nil where none runs.
  public var sources: [SourceFacts]?
  /// The pipeline's sinks; nil where none runs.
  public var sinks: [SinkFacts]?

  /// Nothing is known.
  public init() {}
}
