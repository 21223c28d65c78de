import DurableFiles
import Glibc
import RecordBlocks
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Work that is cut short half-way: each test is something that the error points once found.
@Suite(.timeLimit(.minutes(2))) struct HalfWayTests {
  private func expectWhole(_ disk: SimulatedFileSystem, _ count: Int, _ comment: Comment) async throws {
    let queue = try QueueFixture(disk).open()
    #expect(try queue.consumer("all", kind: .pull).drain() == numbered(0..<count).map(Entry.line), comment)
    #expect(try queue.writer(source: "app").count == count, comment)
    await queue.close()
  }

  @Test func `sources that register while another's number is being written get numbers of their own`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let gate = Mutex((isReached: false, isOpen: false))
    fixture.disk.failOperations(with: .ioError) { operation in
      guard operation.kind == .write, operation.path.contains("segments/") else { return false }
      gate.withLock { $0.isReached = true }
      while !gate.withLock({ $0.isOpen }) { sched_yield() }
      return false
    }
    let first = try queue.writer(source: "first")
    while !gate.withLock({ $0.isReached }) { await Task.yield() }
    let second = try queue.writer(source: "second")
    gate.withLock { $0.isOpen = true }
    #expect(first.id != second.id)
    await queue.close()
  }

  @Test func `a roll that fails and can't be cleared away costs nothing that is written after it`() async throws {
    var fixture = QueueFixture()
    fixture.options.segmentSize = 2_000
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    fixture.disk.failOperations(with: .noSpace) { $0.path.contains("segments/") && !$0.path.contains("/00000000000000000000.") }
    let writing = Task {
      for start in stride(from: 0, to: 400, by: 20) { try await writer.writeDurably(numbered(start..<start + 20), upTo: start + 20) }
    }
    while !fixture.notices.messages.contains(where: { $0.contains("can't be started") }) { await Task.yield() }
    fixture.disk.clearFailures()
    try await fixture.ticking(queue) { try await writing.value }
    let killed = fixture.disk.crash(.everythingKept)
    await queue.close()
    try await expectWhole(killed, 400, "after a kill")
    try await expectWhole(fixture.disk, 400, "after a clean end")
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func `a segment that was begun and given up doesn't come back with a power cut`(seed: UInt64) async throws {
    var fixture = QueueFixture()
    fixture.options.segmentSize = 2_000
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    // The directory's sync that ends the first roll fails.
    let hasRolled = Mutex(false)
    fixture.disk.failOperations(with: .ioError, once: true) { operation in
      if operation.kind == .create, operation.path.contains("segments/") { hasRolled.withLock { $0 = true } }
      return operation.kind == .syncDirectory && operation.path.hasSuffix("segments") && hasRolled.withLock { $0 }
    }
    var count = 0
    while !fixture.notices.messages.contains(where: { $0.contains("can't be started") }) {
      try await writer.writeDurably(numbered(count..<count + 20), upTo: count + 20)
      count += 20
    }
    try await writer.writeDurably(numbered(count..<count + 20), upTo: count + 20)
    try await expectWhole(fixture.disk.crash(.mixture, seed: seed), count + 20, "seed \(seed)")
    await queue.close()
  }

  @Test func `a seal goes on although the sync of its last step failed`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    for start in stride(from: 0, to: 80, by: 10) { try await writer.writeDurably(numbered(start..<start + 10), upTo: start + 10) }
    let hasUnlinked = Mutex(false)
    fixture.disk.failOperations(with: .ioError, once: true) { operation in
      if operation.kind == .unlink { hasUnlinked.withLock { $0 = true } }
      return operation.kind == .syncDirectory && hasUnlinked.withLock { $0 }
    }
    try await queue.seal()
    #expect(fixture.notices.messages.count == 1, "it failed once: \(fixture.notices.messages)")
    #expect(try queue.consumer("all", kind: .pull).drain() == numbered(0..<80).map(Entry.line))
    await queue.close()
    try await expectWhole(fixture.disk, 80, "opened again")
  }

  @Test func `a seal that keeps failing is told after a few tries, and done later by itself`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<10), upTo: 10)
    fixture.disk.failOperations(with: .ioError) { $0.kind == .rename && $0.path.contains("segments/") }
    let error = await #expect(throws: QueueError.self) { try await queue.seal() }
    #expect(error?.code == .io)
    #expect(error?.description.contains("00000000000000000000.gz.active") == true)
    #expect(fixture.notices.messages.count <= 4, "it asks without a pause")
    fixture.disk.clearFailures()
    // An older failure is not this call's.
    try await queue.seal()
    await queue.close()
    try await expectWhole(fixture.disk, 10, "opened again")
  }

  @Test func `after a failed sync, time and a kill, the queue opens`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<10), upTo: 10)
    fixture.disk.failOperations(with: .ioError, once: true) { [clock = fixture.clock] operation in
      guard operation.kind == .sync, operation.path.contains("segments/") else { return false }
      clock.advance(by: .seconds(5))
      return true
    }
    try await writer.writeDurably(numbered(10..<20), upTo: 20)
    let killed = fixture.disk.crash(.everythingKept)
    await queue.close()
    try await expectWhole(killed, 20, "after a kill")
  }

  @Test func `blocks that may be in the page cache only are written again, never synced where they are`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<10), upTo: 10)
    // The process dies in the sync of the second batch.
    fixture.disk.recordCrashPoints { $0.kind == .sync && $0.path.contains("segments/") }
    try await writer.writeDurably(numbered(10..<20), upTo: 20)
    let killed = try #require(fixture.disk.crashPoints.first).crash(.everythingKept)
    await queue.close()
    killed.failOperations(with: .ioError, once: true) { $0.kind == .sync && $0.path.contains("segments/") }
    let next = QueueFixture(killed)
    #expect(throws: QueueError.self, "the new file's sync fails") { try next.open() }
    let again = try next.open()
    #expect(try again.consumer("all", kind: .pull).drain() == numbered(0..<20).map(Entry.line))
    #expect(killed.retriedSyncs.isEmpty)
    let cut = killed.crash(.unsyncedLost)
    await again.close()
    try await expectWhole(cut, 20, "after a power cut")
    try await expectWhole(killed, 20, "after a clean end")
  }

  @Test func `a segment that a kill left under both names survives a power cut in the recovery`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    for start in 0..<10 { try await writer.writeDurably(numbered(start..<start + 1), upTo: start + 1) }
    fixture.disk.recordCrashPoints { $0.path.contains("segments") }
    try await queue.seal()
    let points = fixture.disk.crashPoints
    await queue.close()
    var doubles = 0
    for point in points {
      let killed = point.crash(.everythingKept)
      let bases = (killed.names("data/queue/segments") ?? []).filter { !$0.hasSuffix(".tmp") }.map { $0.prefix { $0 != "." } }
      guard Set(bases).count < bases.count else { continue }
      doubles += 1
      killed.recordCrashPoints()
      await (try QueueFixture(killed).open()).close()
      for second in killed.crashPoints {
        for seed in 1...8 as ClosedRange<UInt64> {
          try await expectWhole(
            second.crash(.mixture, seed: seed), 10, "before \(point.operation), then before \(second.operation), \(seed)")
        }
      }
    }
    #expect(doubles > 0)
  }

  @Test func `a power cut at any moment of a seal that writes anew leaves the segment whole under a name`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    for start in 0..<10 { try await writer.writeDurably(numbered(start..<start + 1), upTo: start + 1) }
    fixture.disk.recordCrashPoints { $0.path.contains("segments") }
    try await queue.seal()
    let points = fixture.disk.crashPoints
    #expect(points.contains { $0.operation.kind == .unlink && $0.operation.path.hasSuffix(".active") }, "it was only renamed")
    await queue.close()
    for point in points where [.rename, .unlink, .syncDirectory].contains(point.operation.kind) {
      for seed in 1...8 as ClosedRange<UInt64> {
        try await expectWhole(point.crash(.mixture, seed: seed), 10, "before \(point.operation), \(seed)")
      }
    }
  }

  @Test func `a power cut in a commit leaves the commit before it`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    try await queue.writer(source: "app").writeDurably(numbered(0..<20), upTo: 20)
    let consumer = try queue.consumer("all", kind: .pull)
    fixture.disk.recordCrashPoints { $0.path.hasSuffix("consumers/all") }
    for place in 1...6 as ClosedRange<UInt64> {
      let known = fixture.disk.crashPoints.count
      try consumer.commit(Offset(place))
      let points = fixture.disk.crashPoints.dropFirst(known)
      #expect(points.contains { $0.operation.kind == .sync })
      for point in points {
        for kind in [CrashKind.unsyncedLost, .lastTorn, .lastGarbled, .mixture] {
          for seed in 1...4 as ClosedRange<UInt64> {
            let next = try QueueFixture(point.crash(kind, seed: seed)).open()
            let found = try next.consumer("all", kind: .pull).cursor
            #expect(found == Offset(place - 1) || found == Offset(place), "\(kind) \(seed) before \(point.operation)")
            await next.close()
          }
        }
      }
    }
    await queue.close()
  }

  @Test func `a cursor whose sync failed while its loss was written is not synced again`() async throws {
    var fixture = QueueFixture()
    fixture.options.segmentSize = 2_000
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let slow = try queue.consumer("slow", kind: .pull)
    for start in stride(from: 0, to: 200, by: 20) { try await writer.writeDurably((start..<start + 20).map { QueueLife.line("app", $0) }) }
    try await queue.seal()
    fixture.disk.failOperations(with: .ioError, once: true) { $0.kind == .sync && $0.path.hasSuffix("consumers/slow") }
    #expect(throws: QueueError.self) { try queue.trim(before: queue.durableEnd) }
    _ = try queue.trim(before: queue.durableEnd)
    #expect(queue.startOffset > .zero)
    #expect(slow.dataWasLost)
    #expect(fixture.disk.retriedSyncs == [])
    await queue.close()
  }

  @Test func `a segment goes only when the deletion of the one before it is on the disk`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    for start in stride(from: 0, to: 40, by: 10) {
      try await writer.writeDurably(numbered(start..<start + 10), upTo: start + 10)
      try await queue.seal()
    }
    let began = fixture.disk.log.count
    let hasUnlinked = Mutex(false)
    fixture.disk.failOperations(with: .noSpace, once: true) { operation in
      if operation.kind == .unlink { hasUnlinked.withLock { $0 = true } }
      return operation.kind == .syncDirectory && hasUnlinked.withLock { $0 }
    }
    #expect(throws: QueueError.self) { try queue.trim(before: Offset(10)) }
    #expect(queue.startOffset == Offset(10))
    #expect(try queue.trim(before: Offset(20)) == Offset(20))
    // Another process doesn't know whether the last deletion is on the disk.
    await queue.close()
    queue = try fixture.open()
    #expect(try queue.trim(before: Offset(30)) == Offset(30))
    await queue.close()
    let deletions = fixture.disk.log[began...].filter { $0.path.contains("segments") && [.unlink, .syncDirectory].contains($0.kind) }
    var isSynced = false
    for deletion in deletions.drop(while: { $0.kind != .unlink }).dropFirst(2) {
      if deletion.kind == .unlink { #expect(isSynced, "\(deletions)") }
      isSynced = deletion.kind == .syncDirectory
    }
    #expect(deletions.count { $0.kind == .unlink } == 3)
  }

  @Test(arguments: [FileOperation.Kind.unlink, .syncDirectory]) func `deleting a consumer can be tried again`(_ kind: FileOperation.Kind)
    async throws
  {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    _ = try queue.consumer("nightly", kind: .pull)
    fixture.disk.failOperations(with: .ioError, once: true) { $0.kind == kind && $0.path.contains("consumers") }
    #expect(throws: QueueError.self) { try queue.deleteConsumer("nightly") }
    try queue.deleteConsumer("nightly")
    #expect(queue.consumerNames == [])
    #expect(fixture.disk.crash(.unsyncedLost).names("data/queue/consumers") == [])
    await queue.close()
  }

  @Test func `a consumer whose file couldn't be opened with the queue can be opened later`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    try await queue.writer(source: "app").writeDurably(numbered(0..<10), upTo: 10)
    try queue.consumer("archive", kind: .sink).commit(Offset(4))
    await queue.close()
    fixture.disk.failOperations(with: .tooManyOpenFiles, once: true) { $0.kind == .open && $0.path.hasSuffix("consumers/archive") }
    queue = try fixture.open()
    #expect(try queue.consumer("archive", kind: .sink).cursor == Offset(4))
    await queue.close()
  }
}
