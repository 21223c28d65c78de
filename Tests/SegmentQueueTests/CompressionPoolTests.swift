import Dispatch
import Testing

@testable import SegmentQueue

@Suite(.timeLimit(.minutes(1))) struct CompressionPoolTests {
  private final class Lines: Sendable {}

  @Test func `what a job has used is let go when it ends, also while others wait`() {
    let pool = CompressionPool(threads: 1)
    let (begun, goOn, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    weak var used: Lines?
    pool.run {
      begun.signal()
      goOn.wait()
    }
    begun.wait()
    do {
      let lines = Lines()
      used = lines
      pool.run { withExtendedLifetime(lines) {} }
    }
    #expect(used != nil)
    // Behind it, so that the list of jobs is never empty.
    for number in 0..<3 {
      pool.run {
        if number == 0 { begun.signal() }
        goOn.wait()
        if number == 2 { ended.signal() }
      }
    }
    goOn.signal()
    begun.wait()
    #expect(used == nil)
    for _ in 0..<3 { goOn.signal() }
    ended.wait()
  }
}
