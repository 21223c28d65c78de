import Glibc
import PipelineCore
import Testing

@testable import PipelineRuntime

private func currentThread() -> UInt { UInt(pthread_self()) }

private func threadAfterASuspension() async -> UInt {
  await Task.yield()
  return currentThread()
}

@Suite(.timeLimit(.minutes(1))) struct ThreadExecutorTests {
  @Test func `nonisolated code comes back to its own thread after every await`() async throws {
    let gate = Watched(false)
    let outside = currentThread()
    let seen = await ThreadExecutor.run(named: "own") {
      var seen = [currentThread()]
      seen.append(await threadAfterASuspension())
      // A continuation resumed by another thread.
      await withCheckedContinuation { continuation in Task.detached { continuation.resume() } }
      seen.append(currentThread())
      try? await Task.sleep(for: .milliseconds(1))
      seen.append(currentThread())
      Task.detached { gate.change { $0 = true } }
      await gate.wait { $0 }
      seen.append(currentThread())
      await withTaskGroup(of: UInt.self) { group in
        for _ in 0..<3 { group.addTask { await threadAfterASuspension() } }
        for await thread in group { seen.append(thread) }
      }
      seen.append(currentThread())
      return seen
    }
    #expect(Set(seen).count == 1)
    #expect(seen[0] != outside)
  }

  @Test func `jobs run in the order in which they came`() async {
    let executor = ThreadExecutor(named: "ordered")
    let order = Watched<[Int]>([])
    let held = ThreadGate()
    let first = Task(executorPreference: executor) { held.wait() }
    await held.entered()
    // Enqueued one after the other while the thread is busy.
    let tasks = (0..<100).map { number in Task(executorPreference: executor) { order.change { $0.append(number) } } }
    held.open()
    await first.value
    for task in tasks { await task.value }
    executor.finish()
    #expect(order.value == Array(0..<100))
  }

  @Test func `a blocked thread holds up nobody else, however many there are`() async {
    let gates = (0..<16).map { _ in ThreadGate() }
    await withTaskGroup(of: Void.self) { group in
      for gate in gates { group.addTask { await ThreadExecutor.run(named: "blocked") { gate.wait() } } }
      for gate in gates { await gate.entered() }
      // All sixteen block in a system call's stead, and the cooperative pool still runs this.
      for gate in gates { gate.open() }
    }
  }

  @Test func `the thread ends with its task, and the executor with it`() async {
    weak var ended: ThreadExecutor?
    do {
      let executor = ThreadExecutor(named: "short")
      ended = executor
      await withTaskExecutorPreference(executor) { _ = await threadAfterASuspension() }
      executor.finish()
    }
    await eventually { ended == nil }
    #expect(ended == nil)
  }

  @Test func `a job that comes after the end still runs`() async {
    let executor = ThreadExecutor(named: "late")
    let first = await withTaskExecutorPreference(executor) { currentThread() }
    executor.finish()
    let second = await withTaskExecutorPreference(executor) { currentThread() }
    #expect(first != 0 && second != 0)
  }

  @Test func `an executor may be gone as soon as its last job has run, also while its thread is being started`() async {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask {
          for number in 0..<1000 { #expect(await ThreadExecutor.run(named: "brief") { number } == number) }
        }
      }
    }
  }

  @Test func `errors come through`() async {
    await #expect(throws: DeliveryError.self) {
      try await ThreadExecutor.run(named: "throwing") { throw DeliveryError(.split, "too much") }
    }
  }
}
