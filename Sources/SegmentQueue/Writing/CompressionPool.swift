internal import Glibc
internal import RecordBlocks

/// The threads that compress, shared by all queues of the process: one for each processor.
final class CompressionPool: Sendable {
  static let shared = CompressionPool(threads: max(1, min(16, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))))

  /// The jobs that nobody has begun; few, since a queue's bytes in flight are bounded.
  private let monitor = Monitor([@Sendable () -> Void]())
  private let added = Condition()

  init(threads: Int) {
    for number in 0..<threads {
      startThread("compress-\(number)") { [self] in
        while true {
          // Taken out: a job that stays in the list keeps its lines in memory.
          let job = monitor.wait(for: added) { jobs, _ -> (@Sendable () -> Void)? in jobs.isEmpty ? nil : jobs.removeFirst() }
          job()
        }
      }
    }
  }

  /// Runs `job` on one of the threads, in the order given.
  func run(_ job: @escaping @Sendable () -> Void) {
    monitor.withLock { $0.append(job) }
    added.signalOne()
  }
}
