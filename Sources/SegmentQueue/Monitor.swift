internal import CLinux
internal import Glibc

/// A lock with the state it guards, and conditions to wait for under it: what the queue's own threads meet at.
///
/// Of pthreads, not `Synchronization.Mutex`: the thread sanitizer doesn't see that one's futex, and takes all that it guards for races.
final class Monitor<State>: @unchecked Sendable {  // `state` is only touched between lock and unlock
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var state: State

  init(_ state: State) {
    self.state = state
    mutex = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func withLock<R: ~Copyable, E: Error>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Waits under the lock until `body` answers, looking again at each signal of `condition`, and after the nanoseconds that `body` sets.
  /// A time from now, not a moment: the queue's clock may be one that a test holds still.
  func wait<R>(for condition: Condition, _ body: (inout State, _ patience: inout UInt64?) -> R?) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      var patience: UInt64?
      if let result = body(&state, &patience) { return result }
      condition.wait(mutex, for: patience)
    }
  }
}

/// What threads wait for at a ``Monitor``.
final class Condition: @unchecked Sendable {  // pthread conditions are made for several threads
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  init() {
    condition = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    condition.deallocate()
  }

  /// Wakes every waiting thread.
  func signal() { pthread_cond_broadcast(condition) }

  /// Wakes one of several threads that wait for the same kind of work.
  func signalOne() { pthread_cond_signal(condition) }

  fileprivate func wait(_ mutex: UnsafeMutablePointer<pthread_mutex_t>, for patience: UInt64?) {
    guard let patience else {
      pthread_cond_wait(condition, mutex)
      return
    }
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    // A little more than asked for, so that the time has come when it is looked at; a day at most, so that nothing overflows.
    let end = UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec) + min(patience, 86_400_000_000_000) + 100_000
    var time = timespec(tv_sec: Int(end / 1_000_000_000), tv_nsec: Int(end % 1_000_000_000))
    pthread_cond_timedwait(condition, mutex, &time)
  }
}

/// Starts a named thread that blocks at will, beside Swift's cooperative pool. Nonisolated on purpose: a closure made on the main actor
/// would trap on another thread.
nonisolated func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
  final class Box {
    let name: String
    let body: @Sendable () -> Void
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  pthread_attr_setstacksize(&attributes, 512 << 10)
  var thread = pthread_t()
  let box = Unmanaged.passRetained(Box(name, body))
  let code = pthread_create(
    &thread, &attributes,
    { argument in
      let box = Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
      linux_name_thread(String(box.name.prefix(15)))
      box.body()
      return nil
    }, box.toOpaque())
  pthread_attr_destroy(&attributes)
  precondition(code == 0, "the system gives no thread for \(name): raise its limit of processes (ulimit -u)")
}
