import DurableFiles
import Glibc
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Long polls: thousands of tasks that wait for records.
@Suite(.timeLimit(.minutes(2))) struct WaitingTests {
  private static let many = 10_000

  /// Lets the tasks begin to wait, all of them.
  private func until(_ count: Int, waitIn queue: SegmentQueue) async {
    while queue.monitor.withLock({ $0.recordWaiters.count }) != count { await Task.yield() }
  }

  @Test func `ten thousand wait, and one record resumes them all`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<1))
    let before = residentBytes()
    try await withThrowingTaskGroup(of: RecordBlocks.Offset.self) { group in
      for _ in 0..<Self.many {
        group.addTask { await queue.waitForRecords(beyond: Offset(1), until: .now + .seconds(3600)) }
      }
      await until(Self.many, waitIn: queue)
      print("ten thousand waits take \((residentBytes() - before) / Self.many) bytes each, their tasks included")
      try await writer.writeDurably(numbered(1..<2))
      for try await end in group { #expect(end == Offset(2)) }
    }
    #expect(queue.monitor.withLock { $0.recordWaiters.isEmpty })
    await queue.close()
  }

  private func residentBytes() -> Int {
    let directory = try? LocalFileSystem().directory(FilePath("/proc/self"), create: false)
    let pages = (try? directory?.open("statm", .read).read(200, at: 0)).flatMap {
      String(decoding: $0, as: UTF8.self).split(separator: " ").dropFirst().first
    }
    return (pages.flatMap { Int($0) } ?? 0) * Int(getpagesize())
  }

  @Test func `cancelled waits end at once and leave nothing behind`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let staying = Task { await queue.waitForRecords(beyond: .zero) }
    await until(1, waitIn: queue)
    let tasks = (0..<Self.many).map { number in
      Task { await queue.waitForRecords(beyond: .zero, until: number % 2 == 0 ? nil : .now + .seconds(3600)) }
    }
    await until(Self.many + 1, waitIn: queue)
    for task in tasks { task.cancel() }
    for task in tasks { #expect(await task.value == .zero) }
    #expect(queue.monitor.withLock { $0.recordWaiters.count } == 1)
    // One that is cancelled before it waits doesn't wait.
    let late = Task {
      while !Task.isCancelled { await Task.yield() }
      return await queue.waitForRecords(beyond: .zero)
    }
    late.cancel()
    #expect(await late.value == .zero)
    try await queue.writer(source: "app").writeDurably(numbered(0..<1))
    #expect(await staying.value == Offset(1))
    await queue.close()
  }

  @Test func `a deadline ends a wait although nothing happens, and each its own`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let staying = Task { await queue.waitForRecords(beyond: .zero, until: .now + .seconds(3600)) }
    await until(1, waitIn: queue)
    #expect(await queue.waitForRecords(beyond: .zero, until: .now - .seconds(1)) == .zero)
    let start = ContinuousClock.now
    await withTaskGroup { group in
      for number in 0..<1000 {
        let deadline = start + .milliseconds(number % 100)
        group.addTask {
          _ = await queue.waitForRecords(beyond: .zero, until: deadline)
          #expect(ContinuousClock.now >= deadline)
        }
      }
    }
    #expect(queue.monitor.withLock { $0.recordWaiters.count } == 1)
    await queue.close()
    #expect(await staying.value == .zero, "closing ends every wait")
  }

  @Test func `waits end in order of arrival, and only those whose offset was passed`() async {
    let order = Monitor<[Int]>([])
    var waiters = RecordWaiters()
    var tasks: [Task<Void, Never>] = []
    let added = Monitor<[(Int, CheckedContinuation<Void, Never>)]>([])
    for number in 0..<20 {
      tasks.append(
        Task {
          await withCheckedContinuation { continuation in added.withLock { $0.append((number, continuation)) } }
          order.withLock { $0.append(number) }
        })
    }
    while added.withLock({ $0.count }) < 20 { await Task.yield() }
    var continuations = added.withLock { $0 }.sorted { $0.0 < $1.0 }
    // The numbers come a little out of order.
    continuations.swapAt(3, 4)
    continuations.swapAt(18, 19)
    for (number, continuation) in continuations {
      waiters.add(UInt64(number + 1), beyond: Offset(number % 2 == 0 ? 5 : 10), until: nil, continuation)
    }
    func resume(_ taken: [CheckedContinuation<Void, Never>], _ count: Int) async {
      let expected = order.withLock { $0.count } + count
      #expect(taken.count == count)
      for (index, continuation) in taken.enumerated() {
        continuation.resume()
        while order.withLock({ $0.count }) < expected - count + index + 1 { await Task.yield() }
      }
    }
    await resume(waiters.take(below: Offset(5)), 0)
    await resume(waiters.take(8).map { [$0] } ?? [], 1)
    #expect(waiters.take(8) == nil)
    await resume(waiters.take(below: Offset(6)), 10)
    await resume(waiters.take(below: Offset(6)), 0)
    await resume(waiters.takeAll(), 9)
    #expect(waiters.isEmpty)
    #expect(order.withLock { $0 } == [7] + stride(from: 0, to: 20, by: 2) + stride(from: 1, to: 20, by: 2).filter { $0 != 7 })
    for task in tasks { await task.value }
  }
}
