/// What a queue's user may choose. The defaults are those of a pipeline file.
public struct QueueOptions: Sendable, Hashable {
  /// What happens when the queue is at its bound and nothing may be deleted.
  public enum Overflow: String, Sendable, Hashable {
    /// Writers wait.
    case wait
    /// The oldest segment goes, as a gap for those who had not read it.
    case dropOldest = "drop_oldest"
  }

  /// When written blocks are synced. They become visible and acknowledged only then.
  public enum SyncPolicy: Sendable, Hashable {
    /// As soon as the last sync has returned; everything that arrived meanwhile rides on it.
    case eachBlock
    /// At most this often.
    case interval(Duration)
    /// Left to the kernel: visible and acknowledged at once, and gone with the power. Gives up the promise of durability by name.
    case never
  }

  /// The most bytes that the segments may take on the disk.
  public var maxSize: UInt64 = 10 << 30
  /// Bytes that stay free on the file system, whatever `maxSize` says.
  public var minFreeDisk: UInt64 = 512 << 20
  /// See ``Overflow``.
  public var overflow: Overflow = .wait
  /// See ``SyncPolicy``.
  public var sync: SyncPolicy = .eachBlock
  /// The longest that a record waits for others to share its block.
  public var linger: Duration = .milliseconds(50)
  /// How long consumed records stay, unless their space is needed.
  public var keep: Duration = .seconds(24 * 3600)
  /// The age at which records are deleted, read or not; nil for never.
  public var maxAge: Duration?
  /// A consumer silent for this long holds nothing any more when space is needed.
  public var consumerExpiry: Duration = .seconds(7 * 24 * 3600)
  /// Bytes at which a segment rolls; nil for `min(64 MiB, maxSize / 8)`.
  public var segmentSize: UInt64?
  /// Time after which a segment with records in it rolls.
  public var segmentAge: Duration = .seconds(3600)
  /// Opens a queue on a network file system, where locks and syncs promise less.
  public var allowsNetworkFileSystem = false

  /// The defaults.
  public init() {}

  /// What the keys of clients may take of a segment's beginning: an eighth of it, so that queues of small segments don't consist of them.
  var keyByteLimit: Int { max(64 << 10, Int(segmentLimit / 8)) }

  var segmentLimit: Int64 { Int64(segmentSize ?? min(64 << 20, max(maxSize / 8, 64 << 10))) }
}

/// Who may not be lost: what a consumer's unread records pin.
public enum Hold: Sendable, Hashable {
  /// All of them: the queue fills rather than lose one.
  case all
  /// At most this many stored bytes.
  case bytes(UInt64)
  /// At most this share of the queue's `maxSize`.
  case share(percent: Int)
  /// Records younger than this.
  case age(Duration)
}

/// Where a new consumer begins, or a consumer is set.
public enum StartAt: Sendable, Hashable {
  /// The oldest record kept.
  case oldest
  /// The next record to come.
  case newest
  /// This record.
  case at(UInt64)
}

/// What kind of reader a consumer is; told at its creation and kept in its file.
public enum ConsumerKind: UInt8, Sendable, Hashable {
  /// A sink of a pipeline.
  case sink = 1
  /// A batch job that pulls.
  case pull = 2
  /// Competing workers: each has a range of records on loan, and acknowledges it.
  case lease = 3
}

/// What a writer does when the queue is full and its `overflow` is to wait.
public enum WhenFull: String, Sendable, Hashable {
  /// It is suspended: backpressure.
  case wait
  /// Its newest records are dropped and counted in a gap: for sources that can't wait.
  case dropNewest = "drop_newest"
}
