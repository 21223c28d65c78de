public import DurableFiles
public import SegmentQueue
internal import SystemPackage

/// Where a queue's dead letters stand.
public enum DeadLetters {
  /// The most bytes that they take on the disk; then the sink that has more of them waits.
  public static let maxSize: UInt64 = 1 << 30
  /// What is added to a queue's path and name.
  public static let suffix = ".dead-letters"

  /// Opens the dead-letter queue of `queue`, beside it; made when missing. Blocking.
  public static func open(
    for queue: SegmentQueue, fileSystem: any FileSystem = LocalFileSystem(), clock: any QueueClock = SystemQueueClock(),
    notify: @escaping @Sendable (QueueNotice) -> Void = { _ in }
  ) throws -> SegmentQueue {
    var options = QueueOptions()
    options.maxSize = maxSize
    options.minFreeDisk = queue.options.minFreeDisk
    options.allowsNetworkFileSystem = queue.options.allowsNetworkFileSystem
    // They stay until someone deals with them, however long that takes.
    options.keep = .seconds(100 * 365 * 86_400)
    options.consumerExpiry = options.keep
    options.linger = .zero
    return try SegmentQueue.open(
      FilePath(queue.path.string + suffix), name: queue.name + suffix, options: options, fileSystem: fileSystem, clock: clock,
      notify: notify)
  }
}
