public import RecordBlocks

/// When a run ends by itself.
public enum RunEnding: Sendable, Hashable {
  /// Never: only when it is cancelled, or a source never worked.
  case forever
  /// When all sources have ended and the queue is durable.
  case sourcesEnd
  /// When then all sinks have delivered everything too, or the time since the sources' end is over. Windows and periods are ignored for it.
  case drained(timeout: Duration?)
}

/// How a run ended.
public struct PipelineOutcome: Sendable, Hashable {
  /// The kinds of end.
  public enum Ending: Sendable, Hashable {
    /// It was cancelled.
    case stopped
    /// All sources have ended and the queue is durable.
    case sourcesEnded
    /// All sinks have delivered everything.
    case drained
    /// The time for draining was over, or a sink's consumer was refused; see ``PipelineOutcome/sinks``.
    case leftovers
    /// A source never worked.
    case failed(SourceFailure)
  }

  /// What a sink still has to deliver.
  public struct SinkRest: Sendable, Hashable {
    /// The consumer's name.
    public var name: String
    /// Its committed cursor; nil when its consumer was refused.
    public var cursor: Offset?
    /// The queue's durable end.
    public var end: Offset
    /// Records not delivered, gaps' offsets included.
    public var lagRecords: UInt64
    /// Their bytes of lines.
    public var lagBytes: UInt64
    /// Dead letters that were put back were not delivered yet.
    public var hasDeadLettersPutBack: Bool
    /// Its latest failure.
    public var lastError: String?
    /// Nothing is left to deliver.
    public var isDone: Bool { !hasDeadLettersPutBack && cursor.map { $0 >= end } ?? false }
  }

  /// How it ended.
  public var ending: Ending
  /// Every sink of the run, in order.
  public var sinks: [SinkRest]
  /// Sources and sinks that didn't end within their time and were left behind; end the process, nothing is lost by that.
  public var leftBehind: [String]
}

/// A source that never worked.
public struct SourceFailure: Sendable, Hashable {
  /// The source's name.
  public let source: String
  /// What it said, with a remedy.
  public let message: String
}
