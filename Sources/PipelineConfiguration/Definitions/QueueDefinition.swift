/// The section `queue`.
public struct QueueDefinition: Sendable, Equatable {
  /// What happens when the queue is at its bound and everything that may be deleted has been.
  public enum Overflow: String, Sendable, CaseIterable {
    /// Sources that can wait do.
    case wait
    /// The oldest segment goes; consumers that had not read it get a gap.
    case dropOldest = "drop_oldest"
  }

  /// When blocks are forced to the disk.
  public enum SyncPolicy: Sendable, Equatable {
    /// Before anything is acknowledged or visible; concurrent blocks share a sync.
    case eachBlock
    /// This often; records are visible and acknowledged after the sync.
    case interval(Duration)
    /// By the kernel, when it likes: a power cut takes records back that consumers have seen.
    case never
  }

  /// How long data stays.
  public struct Retention: Sendable, Equatable {
    /// Consumed data stays this long unless its space is needed.
    public var keep: Duration
    /// Data older than this is deleted, read or not; nil for never.
    public var maxAge: Duration?
    /// A pull consumer silent for this long holds no data any more when space is needed.
    public var consumerExpiry: Duration

    /// A retention; the defaults are the pipeline file's.
    public init(keep: Duration = .seconds(86_400), maxAge: Duration? = nil, consumerExpiry: Duration = .seconds(7 * 86_400)) {
      self.keep = keep
      self.maxAge = maxAge
      self.consumerExpiry = consumerExpiry
    }
  }

  /// `[a-z0-9][a-z0-9._-]{0,63}`, unique over all files given.
  public var name: String
  /// The queue's directory as written, relative to the working directory.
  public var path: String
  /// The most bytes stored on disk.
  public var maxSize: Int
  /// Bytes of the file system that the queue leaves free.
  public var minFreeDisk: Int
  /// What happens when the queue is full.
  public var overflow: Overflow
  /// When blocks are forced to the disk.
  public var sync: SyncPolicy
  /// The longest that a block waits for more lines.
  public var linger: Duration
  /// How long data stays.
  public var retention: Retention

  /// A queue; the defaults are the pipeline file's.
  public init(
    name: String, path: String? = nil, maxSize: Int = 10 << 30, minFreeDisk: Int = 512 << 20, overflow: Overflow = .wait,
    sync: SyncPolicy = .eachBlock, linger: Duration = .milliseconds(50), retention: Retention = Retention()
  ) {
    self.name = name
    self.path = path ?? "data/\(name)"
    self.maxSize = maxSize
    self.minFreeDisk = minFreeDisk
    self.overflow = overflow
    self.sync = sync
    self.linger = linger
    self.retention = retention
  }
}
