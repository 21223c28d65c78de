import Glibc
import Synchronization

/// A thread that runs the jobs of the tasks that prefer it, as the runtime gives each source one: what blocks, blocks nobody else.
final class OwnThread: TaskExecutor, @unchecked Sendable {  // the queue is guarded by the mutex
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var jobs: [UnownedJob] = []
  private var isEnding = false
  private var thread = pthread_t()

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    let argument = Unmanaged.passUnretained(self).toOpaque()
    pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<OwnThread>.fromOpaque(argument!).takeUnretainedValue().work()
        return nil
      }, argument)
  }

  /// Runs what is queued and ends the thread; call once, when no task uses it any more.
  func end() {
    pthread_mutex_lock(mutex)
    isEnding = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
    pthread_join(thread, nil)
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    pthread_mutex_lock(mutex)
    jobs.append(job)
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  private func work() {
    while true {
      pthread_mutex_lock(mutex)
      while jobs.isEmpty, !isEnding { pthread_cond_wait(condition, mutex) }
      guard !jobs.isEmpty else { return _ = pthread_mutex_unlock(mutex) }
      let job = jobs.removeFirst()
      pthread_mutex_unlock(mutex)
      job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
