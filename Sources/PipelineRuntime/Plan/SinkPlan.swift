public import PipelineCore
public import SegmentQueue

/// A sink that is ready to run, and the operator's choices for it.
public struct SinkPlan: Sendable {
  /// The consumer's name.
  public var name: String
  /// The destination.
  public var sink: any Sink
  /// How records are put together.
  public var batch = BatchPolicy()
  /// The consumer's own pace.
  public var pull = PullPace()
  /// How failed deliveries are repeated.
  public var retry = RetryPolicy()
  /// What becomes of records that the destination can never take.
  public var onReject = RejectPolicy.deadLetter
  /// Where the consumer begins when it has no cursor yet.
  public var startAt = StartAt.oldest
  /// What its unread records pin.
  public var hold = Hold.all
  /// The sink works on uncompressed lines: blocks are read ahead and inflated on a second thread while it writes.
  public var readsLinesAhead = false

  /// A sink with the defaults of a pipeline file.
  public init(name: String, sink: any Sink) {
    self.name = name
    self.sink = sink
  }
}

/// How records are put together for one delivery.
public struct BatchPolicy: Sendable, Hashable {
  /// The most records.
  public var maxRecords = Int.max
  /// The most bytes of lines with their line feeds; one longer record comes alone. The memory of a delivery is bounded by it.
  public var maxBytes = 4 << 20
  /// How long a batch that isn't full waits for more, from the moment its first record was seen.
  public var linger = Duration.zero

  /// The defaults of a file sink.
  public init(maxRecords: Int = .max, maxBytes: Int = 4 << 20, linger: Duration = .zero) {
    self.maxRecords = maxRecords
    self.maxBytes = maxBytes
    self.linger = linger
  }
}

/// The consumer's own pace: when it takes records, and how fast.
public struct PullPace: Sendable {
  /// At most one drain starts in this time, and goes up to the end that was seen at its start.
  public var every: Duration?
  /// Bytes of lines a second.
  public var bytesPerSecond: UInt64?
  /// The daily hours in which records are taken.
  public var window: LocalWindow?

  /// As fast as records come, unless something is given.
  public init(every: Duration? = nil, bytesPerSecond: UInt64? = nil, window: LocalWindow? = nil) {
    self.every = every
    self.bytesPerSecond = bytesPerSecond
    self.window = window
  }
}

/// What becomes of records that a destination can never take.
public enum RejectPolicy: Sendable, Hashable {
  /// They go to the dead-letter queue, on the disk before the cursor passes them.
  case deadLetter
  /// The sink tries them again at its longest interval until someone acts.
  case wait
  /// They are dropped and counted.
  case drop
}
