public import PipelineRuntime
public import SegmentQueue

/// How long a queue goes on as it does now: for the queue, and for each of its consumers.
public struct QueueForecasts: Sendable {
  /// Until the queue is full; nil when it isn't getting fuller.
  public var secondsUntilFull: Double?
  /// Until a consumer begins to lose records, by its name; absent while nothing threatens it.
  public var secondsUntilLoss: [String: Double]

  /// A forecast.
  public init(secondsUntilFull: Double? = nil, secondsUntilLoss: [String: Double] = [:]) {
    self.secondsUntilFull = secondsUntilFull
    self.secondsUntilLoss = secondsUntilLoss
  }
}

/// What whoever runs a queue knows of it beside the queue itself. Each is asked at every request that wants it, from any thread.
public struct Attachments: Sendable {
  /// Records that a sink has set aside, and those put back that it has not taken yet.
  public struct DeadLetterFacts: Sendable {
    /// The sink.
    public var sink: String
    /// Records that it has set aside and not been given again.
    public var kept: UInt64
    /// Records put back and not yet delivered.
    public var pending: UInt64

    /// A sink's facts.
    public init(sink: String, kept: UInt64, pending: UInt64) {
      self.sink = sink
      self.kept = kept
      self.pending = pending
    }
  }

  /// See ``QueueForecasts``.
  public var forecasts: @Sendable () -> QueueForecasts = { QueueForecasts() }
  /// See ``QueueActivity``.
  public var activity: @Sendable () -> QueueActivity = { QueueActivity() }
  /// The queue of dead letters, when it is open.
  public var deadLetterQueue: @Sendable () -> SegmentQueue? = { nil }
  /// What each sink has set aside.
  public var deadLetterFacts: @Sendable () async throws -> [DeadLetterFacts] = { [] }
  /// Gives a sink its dead letters again; how many records. Nil where no sink runs.
  public var putBack: (@Sendable (_ sink: String) async throws -> Int)?

  /// Where records go that no worker with leases acknowledges; nil where they are given for ever.
  public var leaseLetters: LeaseLetters?

  /// Nothing but the queue.
  public init() {}
}
