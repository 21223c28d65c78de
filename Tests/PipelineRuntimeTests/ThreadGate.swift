import Glibc
import Synchronization
import Testing

@testable import PipelineRuntime

/// Blocks a thread, as a system call would, until a test opens it.
final class ThreadGate: @unchecked Sendable {  // semaphores are made for several threads
  private let semaphore: UnsafeMutablePointer<sem_t>
  private let hasEntered = Watched(false)

  init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func wait() {
    hasEntered.change { $0 = true }
    while sem_wait(semaphore) != 0 {}
    sem_post(semaphore)
  }

  func open() { sem_post(semaphore) }
  func entered() async { await hasEntered.wait { $0 } }
}

/// Looks again until it is so: for what only the kernel or a deinit can tell. That it never comes is a failure, told after a minute.
func eventually(sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool) async {
  let deadline = ContinuousClock.now + .seconds(60)
  while !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record("it was not so within a minute", sourceLocation: sourceLocation)
      return
    }
    try? await Task.sleep(for: .milliseconds(1))
  }
}
