internal import CLinux
internal import Glibc

/// One thread that runs a task's jobs in order, so that what blocks in it (system calls, file work) never holds a thread of Swift's
/// cooperative pool.
///
/// A task that prefers it comes back to the same thread after every `await` of nonisolated code. The thread starts with the first job and
/// ends
/// after ``finish()``; a job that arrives later still, which structured code never causes, gets a thread once more rather than being lost.
public final class ThreadExecutor: TaskExecutor, @unchecked Sendable {  // the stored state is only touched under `mutex`
  /// The thread's name, as `top -H` and a debugger show it (its first 15 bytes).
  public let name: String
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let jobsArrived: UnsafeMutablePointer<pthread_cond_t>
  private var jobs: [UnownedJob] = []
  private var hasThread = false
  private var isFinished = false

  /// An executor whose thread will bear `name`.
  public init(named name: String) {
    self.name = name
    mutex = .allocate(capacity: 1)
    jobsArrived = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(jobsArrived, nil)
  }

  deinit {
    pthread_cond_destroy(jobsArrived)
    pthread_mutex_destroy(mutex)
    jobsArrived.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` on a thread of its own, which has no more work when this returns and ends.
  ///
  /// As a child task, which begins its life on the thread. `withTaskExecutorPreference` alone won't do: `body` would begin where its
  /// caller runs and come
  /// to its thread after the first suspension only, and an optimised build leaves out the switch even when `body` is `@concurrent`.
  public static func run<R: Sendable, E: Error>(
    named name: String, _ body: @escaping @Sendable () async throws(E) -> R
  ) async throws(E) -> R {
    let executor = ThreadExecutor(named: name)
    defer { executor.finish() }
    let result = await withTaskGroup(of: Result<R, E>.self) { group in
      group.addTask(executorPreference: executor) {
        do throws(E) { return .success(try await body()) } catch { return .failure(error) }
      }
      return await group.next()!
    }
    return try result.get()
  }

  /// Takes a job; called by Swift's runtime.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let name = name
    pthread_mutex_lock(mutex)
    jobs.append(job)
    // The thread owns the executor for as long as it runs, so that the executor outlives its last job.
    let owned = hasThread ? nil : Unmanaged.passRetained(self)
    hasThread = true
    pthread_cond_signal(jobsArrived)
    pthread_mutex_unlock(mutex)
    // From here on the job may have run and the executor be gone: nothing of it is touched any more.
    if let owned { Self.startThread(owned, named: name) }
  }

  /// Lets the thread end once it has no more jobs.
  public func finish() {
    pthread_mutex_lock(mutex)
    isFinished = true
    pthread_cond_signal(jobsArrived)
    pthread_mutex_unlock(mutex)
  }

  /// Runs jobs until there are none and no more are expected.
  private func runJobs() {
    let this = asUnownedTaskExecutor()
    var taken: [UnownedJob] = []
    while true {
      pthread_mutex_lock(mutex)
      while jobs.isEmpty && !isFinished { pthread_cond_wait(jobsArrived, mutex) }
      swap(&jobs, &taken)
      if taken.isEmpty { hasThread = false }
      pthread_mutex_unlock(mutex)
      if taken.isEmpty { return }
      for job in taken { job.runSynchronously(on: this) }
      taken.removeAll(keepingCapacity: true)
    }
  }

  /// Nonisolated on purpose: a closure that inherits the main actor's isolation traps when another thread calls it.
  private nonisolated static func startThread(_ owned: Unmanaged<ThreadExecutor>, named name: String) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        let executor = Unmanaged<ThreadExecutor>.fromOpaque(argument!).takeRetainedValue()
        linux_name_thread(String(decoding: executor.name.utf8.prefix(15), as: UTF8.self))
        executor.runJobs()
        return nil
      }, owned.toOpaque())
    pthread_attr_destroy(&attributes)
    precondition(code == 0, "the system gives no thread for \(name): raise its limit of processes (ulimit -u)")
  }
}
