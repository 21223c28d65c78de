internal import Glibc

/// A lock with the state that it guards: what several threads of a test share with the code under test.
///
/// Of pthreads, not `Synchronization.Mutex`: the thread sanitizer doesn't see that one's futex, and takes all that it guards for races.
public final class Locked<State>: @unchecked Sendable {  // `state` is only touched between lock and unlock
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var state: State

  /// Guards `state`.
  public init(_ state: State) {
    self.state = state
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs `body` alone; it must not come back here.
  public func withLock<R, E: Error>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }
}
