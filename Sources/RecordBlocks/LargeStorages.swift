internal import Glibc

/// Memory of large buffers that nobody refers to any more, kept for the next ones: fresh memory costs a page fault for each 4 KiB, which
/// is more than copying them.
///
/// Sizes are powers of two, so that a buffer fits who asks for a little less.
///
/// Under a lock of pthreads, not `Synchronization.Mutex`: the thread sanitizer doesn't see that one's futex.
final class LargeStorages: @unchecked Sendable {  // the members are only touched between lock and unlock
  static let shared = LargeStorages(maximumIdleByteCount: 16 << 20)

  /// From 128 KiB to 1 MiB.
  private static let exponents = 17...20
  private let maximumIdleByteCount: Int
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var idle: [[UnsafeMutableRawPointer]] = exponents.map { _ in [] }
  /// What is kept now.
  private(set) var idleByteCount = 0

  /// Keeps at most so many bytes.
  init(maximumIdleByteCount: Int) {
    self.maximumIdleByteCount = maximumIdleByteCount
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    for memory in idle.joined() { memory.deallocate() }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// The size that memory for `byteCount` bytes has here; nil when it isn't kept.
  static func size(for byteCount: Int) -> Int? {
    guard byteCount > 1 << (exponents.lowerBound - 1), byteCount <= 1 << exponents.upperBound else { return nil }
    return 1 << max(exponents.lowerBound, Int.bitWidth - (byteCount - 1).leadingZeroBitCount)
  }

  /// Memory of `size` bytes, not initialised.
  func take(_ size: Int) -> UnsafeMutableRawPointer {
    let kept: UnsafeMutableRawPointer? = locked {
      guard let memory = idle[Self.index(of: size)].popLast() else { return nil }
      idleByteCount -= size
      return memory
    }
    return kept ?? .allocate(byteCount: size, alignment: 64)
  }

  /// Gives back what ``take(_:)`` gave.
  func give(_ memory: UnsafeMutableRawPointer, _ size: Int) {
    let isKept = locked {
      guard idleByteCount + size <= maximumIdleByteCount else { return false }
      idle[Self.index(of: size)].append(memory)
      idleByteCount += size
      return true
    }
    if !isKept { memory.deallocate() }
  }

  private static func index(of size: Int) -> Int { size.trailingZeroBitCount - exponents.lowerBound }

  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
