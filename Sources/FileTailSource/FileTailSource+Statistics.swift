internal import Synchronization

extension FileTailSource {
  /// What happened since the source was made.
  public struct Statistics: Sendable, Hashable {
    /// Files that are followed now.
    public var files = 0
    /// Of them, how many are open.
    public var openFiles = 0
    /// Bytes that were there at the last look and not yet read (of compressed files none are counted).
    public var unreadBytes: UInt64 = 0
    /// Lines and joined records over the limit, which were split.
    public var splitRecords: UInt64 = 0
    /// Records with invalid UTF-8 that was replaced (`format: json`).
    public var invalidRecords: UInt64 = 0
    /// Files that were found truncated or overwritten.
    public var truncatedFiles: UInt64 = 0
    /// Bytes that were seen and then gone before they were read, by truncation or deletion.
    public var lostBytes: UInt64 = 0
    /// Lines at which the multi-line pattern met its match limits; they were taken as not matching.
    public var patternLimits: UInt64 = 0
  }
}

/// The statistics, shared between the source's thread and whoever asks.
final class TailCounters: Sendable {
  private let values = Mutex(FileTailSource.Statistics())

  func snapshot() -> FileTailSource.Statistics { values.withLock { $0 } }
  func update(_ body: (inout FileTailSource.Statistics) -> Void) { values.withLock { body(&$0) } }
}
