internal import Glibc

/// Memory of large buffers, kept for the next ones when nobody refers to it any more: fresh memory costs a page fault for each 4 KiB, which
/// is more than copying them, and the general allocator keeps what such buffers leave in pieces that fit nobody.
///
/// Four sizes for each power of two, so that a buffer fits who asks for a little less, and no more than a fifth of it stays unused.
///
/// Under a lock of pthreads, not `Synchronization.Mutex`: the thread sanitizer doesn't see that one's futex.
final class LargeStorages: @unchecked Sendable {  // `idle` and `idleBytes` are only touched between lock and unlock
  static let shared = LargeStorages(maximumIdleByteCount: 8 << 20)

  private static let least = 16 << 10
  private static let most = 1 << 20

  private let maximumIdleByteCount: Int
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var idle: [Int: [UnsafeMutableRawPointer]] = [:]
  private var idleBytes = 0

  /// Keeps at most so many bytes.
  init(maximumIdleByteCount: Int) {
    self.maximumIdleByteCount = maximumIdleByteCount
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    for (size, memory) in idle { for one in memory { munmap(one, size) } }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// What is kept now.
  var idleByteCount: Int { locked { idleBytes } }

  /// The size that memory for `byteCount` bytes has here; nil when the general allocator serves it better.
  static func size(for byteCount: Int) -> Int? {
    guard byteCount > least, byteCount <= most else { return nil }
    let step = (1 << (Int.bitWidth - 1 - (byteCount - 1).leadingZeroBitCount)) / 4
    return (byteCount + step - 1) / step * step
  }

  /// Memory of `size` bytes, not initialised.
  func take(_ size: Int) -> UnsafeMutableRawPointer {
    let kept: UnsafeMutableRawPointer? = locked {
      guard let memory = idle[size]?.popLast() else { return nil }
      idleBytes -= size
      return memory
    }
    if let kept { return kept }
    guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), memory != MAP_FAILED else {
      preconditionFailure("out of memory")
    }
    return memory
  }

  /// Gives back what ``take(_:)`` gave.
  func give(_ memory: UnsafeMutableRawPointer, _ size: Int) {
    let isKept = locked {
      guard idleBytes + size <= maximumIdleByteCount else { return false }
      idle[size, default: []].append(memory)
      idleBytes += size
      return true
    }
    if !isKept { munmap(memory, size) }
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }
}
