import Glibc
import SystemPackage
import Testing

@testable import DurableFiles

/// Short reads and writes and interruptions, as a kernel may give them at any call.
@Suite struct `A transfer` {
  /// Calls that answer what a test says: so many bytes, or minus an error number.
  private func run(_ count: Int, _ answers: [Int32]) -> (done: Int, failure: Errno?, asked: [Int]) {
    var left = answers[...]
    var asked: [Int] = []
    let result = transfer(count) { done in
      asked.append(done)
      let answer = left.popFirst() ?? 0
      if answer < 0 { errno = -answer }
      return answer < 0 ? -1 : Int(answer)
    }
    return (result.done, result.failure, asked)
  }

  @Test func `goes on after what was short, from where it ended`() {
    let result = run(10, [3, 1, 6])
    #expect(result.done == 10 && result.failure == nil)
    #expect(result.asked == [0, 3, 4])
  }

  @Test func `asks again after an interruption`() {
    let result = run(10, [-EINTR, 4, -EINTR, -EINTR, 6])
    #expect(result.done == 10 && result.failure == nil)
    #expect(result.asked == [0, 0, 4, 4, 4])
  }

  @Test func `ends where nothing more comes`() {
    #expect(run(10, [7, 0]).done == 7)
    #expect(run(10, [7, 0]).failure == nil)
    #expect(run(0, []).asked == [])
  }

  @Test(arguments: [EIO, ENOSPC, EBADF]) func `tells an error, and how far it came`(_ code: Int32) {
    let result = run(10, [7, -code])
    #expect(result.done == 7 && result.failure == Errno(rawValue: code))
  }
}
