/// Records that were lost, as an entry of the queue: how many, how much, why and when.
public struct Gap: Sendable, Hashable {
  /// Why records were lost.
  public enum Reason: UInt8, Sendable, Hashable, CaseIterable {
    /// The kernel dropped datagrams at a full receive buffer.
    case kernelDrop = 1
    /// A source with `when_full: drop_newest` met a full queue.
    case dropNewest = 2
    /// The queue's `overflow: drop_oldest`.
    case dropOldest = 3
    /// `max_age`, `hold` or `consumer_expiry` let unread records go.
    case retention = 4
    /// A block couldn't be read; its bytes are in quarantine.
    case corruptBlock = 5
    /// Offsets that were given out before a crash and are not in the log.
    case lostTail = 6
    /// A sink or source dropped records by its own policy.
    case dropped = 7

    /// The word used in YAML, JSON, metrics and messages.
    public var name: String {
      switch self {
      case .kernelDrop: "kernel_drop"
      case .dropNewest: "drop_newest"
      case .dropOldest: "drop_oldest"
      case .retention: "retention"
      case .corruptBlock: "corrupt_block"
      case .lostTail: "lost_tail"
      case .dropped: "dropped"
      }
    }
  }

  /// Why.
  public var reason: Reason
  /// How many records, where that is known exactly; for unreadable blocks, how many offsets are missing.
  public var records: UInt64
  /// How many bytes of lines, line feeds included, as far as known.
  public var bytes: UInt64
  /// Wall time of the first and last loss, nanoseconds since 1970; for unreadable blocks, the time at which they were written.
  public var firstTime: Int64
  /// See ``firstTime``.
  public var lastTime: Int64

  /// A loss of `records` records.
  public init(reason: Reason, records: UInt64, bytes: UInt64, firstTime: Int64, lastTime: Int64) {
    self.reason = reason
    self.records = records
    self.bytes = bytes
    self.firstTime = firstTime
    self.lastTime = lastTime
  }

  /// Both losses as one, for the same reason.
  public func merging(_ other: Gap) -> Gap {
    Gap(
      reason: reason, records: records + other.records, bytes: bytes + other.bytes, firstTime: min(firstTime, other.firstTime),
      lastTime: max(lastTime, other.lastTime))
  }
}
