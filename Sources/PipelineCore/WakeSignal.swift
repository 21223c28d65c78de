internal import CLinux
internal import Glibc

/// Wakes a thread that waits in `poll`: an `eventfd` that is readable once ``signal()`` was called.
///
/// A source polls ``fileDescriptor`` beside its own descriptors and calls ``signal()`` from a cancellation handler.
public final class WakeSignal: Sendable {
  /// Readable after a signal.
  public let fileDescriptor: Int32

  /// A signal not yet given.
  public init() {
    fileDescriptor = linux_eventfd()
    precondition(fileDescriptor >= 0, "eventfd: no file descriptor left at start")
  }

  deinit { close(fileDescriptor) }

  /// Makes the descriptor readable; safe from any thread.
  public func signal() {
    var one: UInt64 = 1
    _ = write(fileDescriptor, &one, 8)
  }

  /// Takes the signal back, for a signal that is used more than once.
  public func reset() {
    var count: UInt64 = 0
    _ = read(fileDescriptor, &count, 8)
  }
}
