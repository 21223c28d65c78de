public import DurableFiles
public import SegmentQueue
internal import SystemPackage

/// Where a queue's dead letters stand.
public enum DeadLetters {
  /// The most bytes that they take on the disk; then the sink that has more of them waits.
  public static let maxSize: UInt64 = 1 << 30
  /// What is added to a queue's path and name.
  public static let suffix = ".dead-letters"

  /// Opens the dead-letter queue of `queue`, beside it. Blocking.
  /// - Parameter create: makes it when missing; else nil when there is none.
  public static func open(
    for queue: SegmentQueue, create: Bool = true, fileSystem: any FileSystem = LocalFileSystem(),
    clock: any QueueClock = SystemQueueClock(), notify: @escaping @Sendable (QueueNotice) -> Void = { _ in }
  ) throws(QueueError) -> SegmentQueue? {
    var options = QueueOptions()
    options.maxSize = maxSize
    options.minFreeDisk = queue.options.minFreeDisk
    options.allowsNetworkFileSystem = queue.options.allowsNetworkFileSystem
    // They stay until someone deals with them, however long that takes.
    options.keep = .seconds(100 * 365 * 86_400)
    options.consumerExpiry = options.keep
    options.linger = .zero
    do throws(QueueError) {
      return try SegmentQueue.open(
        FilePath(queue.path.string + suffix), name: queue.name + suffix, options: options, create: create, fileSystem: fileSystem,
        clock: clock, notify: notify)
    } catch {
      // What isn't a queue and is in the way is told when a sink needs the place.
      guard !create, error.code == .notAQueue else { throw error }
      return nil
    }
  }
}
