internal import Dispatch

/// Runs a task's jobs one after the other on a queue of its own, as the runtime does with a source: what blocks in them holds no thread
/// of Swift's pool.
public final class DispatchTaskExecutor: TaskExecutor {
  private let queue: DispatchQueue

  /// An executor whose thread is named in a debugger.
  public init(_ label: String) { queue = DispatchQueue(label: label) }

  /// Takes a job; called by Swift's runtime.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}
