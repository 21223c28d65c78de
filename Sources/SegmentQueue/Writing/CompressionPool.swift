internal import Glibc
internal import RecordBlocks

/// The threads that compress, shared by all queues of the process: one for each processor.
final class CompressionPool: Sendable {
  static let shared = CompressionPool(threads: max(1, min(16, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))))

  private struct State {
    var jobs: [@Sendable () -> Void] = []
    var head = 0
  }

  private let monitor = Monitor(State())
  private let added = Condition()

  private init(threads: Int) {
    for number in 0..<threads {
      startThread("compress-\(number)") { [self] in
        while true {
          let job = monitor.wait(for: added) { state, _ -> (@Sendable () -> Void)? in
            guard state.head < state.jobs.count else { return nil }
            let job = state.jobs[state.head]
            state.head += 1
            if state.head == state.jobs.count {
              state.jobs.removeAll(keepingCapacity: true)
              state.head = 0
            }
            return job
          }
          job()
        }
      }
    }
  }

  /// Runs `job` on one of the threads, in the order given.
  func run(_ job: @escaping @Sendable () -> Void) {
    monitor.withLock { $0.jobs.append(job) }
    added.signalOne()
  }
}
