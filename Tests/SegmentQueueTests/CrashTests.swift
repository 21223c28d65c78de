import DurableFiles
import RecordBlocks
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Every single operation of a scenario is a place to die at. After each: what was acknowledged is there, in order, once; checkpoints
/// cover exactly the lines that
/// are there; no cursor is ahead of the end; and a second crash changes nothing of that.
@Suite(.timeLimit(.minutes(5))) struct CrashTests {
  /// What the outside world had been told by a certain operation.
  struct Promise {
    var operation: Int
    var acknowledged: Int
    var committed: Int
    var seen: Int
  }

  private func check(_ disk: SimulatedFileSystem, _ options: QueueOptions, _ promise: Promise, _ place: String) async throws {
    var fixture = QueueFixture(disk)
    fixture.options = options
    let queue: SegmentQueue
    do { queue = try fixture.open() } catch {
      Issue.record("\(place): the queue can't be opened: \(error)")
      return
    }
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .sink)
    #expect(consumer.cursor.rawValue >= promise.committed, "\(place): a commit was lost")
    #expect(consumer.cursor <= queue.durableEnd, "\(place): the cursor is ahead of the log")
    let from = Int(consumer.cursor.rawValue)
    let entries = try consumer.drain()
    let lines = entries.compactMap { if case .line(let line) = $0 { line } else { nil } }
    #expect(lines == numbered(from..<from + lines.count), "\(place): not the lines that were written, in order, once")
    #expect(
      from + lines.count >= promise.acknowledged, "\(place): acknowledged lines are gone: \(from + lines.count) of \(promise.acknowledged)")
    #expect(from + lines.count >= promise.seen, "\(place): what a consumer saw is gone")
    #expect(
      entries.count == lines.count, "\(place): gaps where nothing was lost: \(entries.filter { if case .gap = $0 { true } else { false } })"
    )
    #expect(writer.count == from + lines.count, "\(place): the checkpoint says \(writer.count), the log has \(from + lines.count)")
    // The log goes on.
    try await writer.writeDurably(numbered(writer.count..<writer.count + 1), upTo: writer.count + 1)
    await queue.close()
  }

  @Test(arguments: [UInt64](1...6)) func `no crash point of appending, rolling, sealing and committing loses or doubles`(seed: UInt64)
    async throws
  {
    var fixture = QueueFixture(SimulatedFileSystem(seed: seed))
    fixture.options.segmentSize = seed % 2 == 0 ? 6_000 : 3_000
    fixture.disk.recordCrashPoints()
    var promises = [Promise(operation: 0, acknowledged: 0, committed: 0, seen: 0)]
    func promised(_ change: (inout Promise) -> Void) {
      var next = promises.last!
      change(&next)
      next.operation = fixture.disk.operationCount
      promises.append(next)
    }
    var random = SplitMix64(seed: seed)
    for opening in 0..<3 {
      let queue = try fixture.open()
      let writer = try queue.writer(source: "app")
      let consumer = try queue.consumer("archive", kind: .sink)
      for _ in 0..<12 {
        let count = Int.random(in: 1...40, using: &random)
        let written = writer.count
        try await writer.writeDurably(numbered(written..<written + count), upTo: written + count)
        promised { $0.acknowledged = written + count }
        if Bool.random(using: &random),
          let read = try consumer.read(from: consumer.cursor, limits: BatchLimits(maxRecords: 50, maxBytes: 4096))
        {
          promised { $0.seen = max($0.seen, Int(read.next.rawValue)) }
          try consumer.commit(read.next)
          promised { $0.committed = Int(read.next.rawValue) }
        }
      }
      if opening == 1 { try await queue.seal() }
      await queue.close()
    }
    let points = fixture.disk.crashPoints
    #expect(points.count > 100)
    for (index, point) in points.enumerated() {
      let number = point.operation.number
      let promise = promises.last { $0.operation < number } ?? promises[0]
      // Every point in one way, in turn; every tenth in all ways.
      let kinds: [CrashKind] =
        index % 10 == 0 ? [.everythingKept, .unsyncedLost, .mixture] : [[.everythingKept, .unsyncedLost, .mixture][index % 3]]
      for kind in kinds {
        let disk = point.crash(kind, seed: seed &* 1000 &+ UInt64(index))
        try await check(disk, fixture.options, promise, "seed \(seed), before operation \(number) (\(point.operation)), \(kind)")
      }
    }
  }
}
