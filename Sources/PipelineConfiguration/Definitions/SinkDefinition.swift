/// One entry of the section `sinks`: a consumer of the queue that Sluice itself is.
public struct SinkDefinition: Sendable, Equatable {
  /// What kind of sink it is, with the keys of that kind.
  public enum Kind: Sendable, Equatable {
    /// `type: file`
    case file(FileSinkDefinition)
    /// `type: http`
    case http(HTTPSinkDefinition)
    /// `type: stdout`; whether losses are written too, as lines of JSON.
    case standardOutput(writesGaps: Bool = false)
    /// `type: jetstream`
    case jetStream(JetStreamSinkDefinition)

    /// It writes to the process's standard output.
    public var isStandardOutput: Bool {
      if case .standardOutput = self { true } else { false }
    }
  }

  /// The consumer's name; unique within the file, over sinks and consumers.
  public var name: String
  /// What kind of sink it is.
  public var kind: Kind
  /// Its pace.
  public var pull: PullDefinition
  /// Where it begins at its first start.
  public var startAt: StartDefinition
  /// How much unread data the queue keeps for it.
  public var hold: HoldDefinition

  /// A sink; the defaults are the pipeline file's.
  public init(
    name: String, kind: Kind, pull: PullDefinition = PullDefinition(), startAt: StartDefinition = .oldest, hold: HoldDefinition = .all
  ) {
    self.name = name
    self.kind = kind
    self.pull = pull
    self.startAt = startAt
    self.hold = hold
  }
}

/// One entry of the section `consumers`: someone else who pulls.
public struct ConsumerDefinition: Sendable, Equatable {
  /// Unique within the file, over sinks and consumers.
  public var name: String
  /// Where it begins when it is created.
  public var startAt: StartDefinition
  /// How much unread data the queue keeps for it.
  public var hold: HoldDefinition
  /// How its records are drawn.
  public var mode: ConsumerMode

  /// A consumer; the defaults are the pipeline file's.
  public init(name: String, startAt: StartDefinition = .oldest, hold: HoldDefinition = .all, mode: ConsumerMode = .cursor) {
    self.name = name
    self.startAt = startAt
    self.hold = hold
    self.mode = mode
  }
}

/// `mode`: how a consumer's records are drawn.
public enum ConsumerMode: Sendable, Equatable {
  /// In order, by one at a time, whose cursor is committed.
  case cursor
  /// By several workers, each of which has some on loan; set aside after so many deliveries, 0 for never.
  case lease(maxDeliveries: Int)
}

/// Where a consumer without a cursor begins.
public enum StartDefinition: String, Sendable, CaseIterable {
  /// With the oldest record kept.
  case oldest
  /// With the next record to come.
  case newest
}

/// How much of the queue a consumer's unread data may pin.
public enum HoldDefinition: Sendable, Equatable {
  /// All of it.
  case all
  /// This many stored bytes.
  case bytes(Int)
  /// This many hundredths of `max_size`, 1 to 100.
  case share(percent: Int)
  /// What is younger than this.
  case duration(Duration)
}

/// `pull`: a consumer's own pace.
public struct PullDefinition: Sendable, Equatable {
  /// A time of each day, in ``PullDefinition/timezone``.
  public struct Window: Sendable, Equatable {
    /// Minutes after midnight, 0 to 1439.
    public var start: Int
    /// Minutes after midnight, 0 to 1440; before `start` when the window crosses midnight. Never equal to `start`.
    public var end: Int

    /// A window.
    public init(start: Int, end: Int) {
      self.start = start
      self.end = end
    }
  }

  /// At most one drain begins in each such period; nil: whenever there is something.
  public var every: Duration?
  /// Bytes of lines, with their line feeds, a second; nil for as fast as it goes.
  public var bytesPerSecond: Int?
  /// When it draws at all; nil for always.
  public var window: Window?
  /// The time zone of ``window``; it exists.
  public var timezone: String

  /// A pace; the defaults are the pipeline file's.
  public init(every: Duration? = nil, bytesPerSecond: Int? = nil, window: Window? = nil, timezone: String = "UTC") {
    self.every = every
    self.bytesPerSecond = bytesPerSecond
    self.window = window
    self.timezone = timezone
  }
}
