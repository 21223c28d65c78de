import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Operations that fail: what was acknowledged stays, nothing wrong is served, and it goes on by itself when the trouble is over.
@Suite(.timeLimit(.minutes(5))) struct FailureTests {
  @Test func `a failed sync is never retried on the same file, and its blocks are written again elsewhere`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<10), upTo: 10)
    let first = fixture.disk.operationCount
    fixture.disk.failOperations(with: .ioError, once: true) { $0.kind == .sync && $0.path.contains("segments/") }
    try await writer.writeDurably(numbered(10..<20), upTo: 20)
    let syncs = fixture.disk.log.filter { $0.number > first && $0.kind == .sync && $0.path.contains("segments/") }
    #expect(syncs.count >= 2)
    #expect(syncs.filter { $0.path == syncs[0].path && $0.number > syncs[0].number }.isEmpty, "the spoilt file was synced again: \(syncs)")
    try await writer.writeDurably(numbered(20..<30), upTo: 30)
    let lost = fixture.disk.crash(.unsyncedLost)
    await queue.close()
    #expect(fixture.notices.messages.contains { $0.contains("the active segment failed") })
    for disk in [fixture.disk, lost] {
      let again = QueueFixture(disk)
      let queue = try again.open()
      #expect(try queue.consumer("x", kind: .pull).drain() == numbered(0..<30).map(Entry.line))
      #expect(try queue.writer(source: "app").count == 30)
      try await queue.seal()
      #expect(try queue.consumer("y", kind: .pull).drain() == numbered(0..<30).map(Entry.line), "after sealing, too")
      await queue.close()
    }
  }

  @Test func `a cursor file whose sync failed while a loss was written is never synced again`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    _ = try queue.consumer("archive", kind: .sink)
    try await writer.writeDurably(numbered(0..<10))
    try await queue.seal()
    try await writer.writeDurably(numbered(10..<20))
    fixture.disk.failOperations(with: .ioError, once: true) { $0.kind == .sync && $0.path.hasSuffix("consumers/archive") }
    #expect(throws: QueueError.self) { try queue.trim(before: Offset(10)) }
    let failed = fixture.disk.operationCount
    #expect(try queue.trim(before: Offset(10)) == Offset(10))
    let after = fixture.disk.log.filter { $0.number > failed && $0.path.contains("consumers/archive") }
    let renamed = try #require(after.firstIndex { $0.kind == .rename }, "the file was not written anew: \(after)")
    #expect(!after[..<renamed].contains { $0.kind == .sync && $0.path.hasSuffix("archive") }, "the spoilt file was synced again: \(after)")
    await queue.close()
  }

  @Test func `the first sync of a segment may fail, too`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await queue.synchronize()
    fixture.disk.failOperations(with: .ioError, once: true) { $0.kind == .sync && $0.path.contains("segments/") }
    try await writer.writeDurably(numbered(0..<10), upTo: 10)
    let lost = fixture.disk.crash(.unsyncedLost)
    await queue.close()
    for disk in [fixture.disk, lost] {
      let queue = try QueueFixture(disk).open()
      #expect(try queue.consumer("x", kind: .pull).drain() == numbered(0..<10).map(Entry.line))
      await queue.close()
    }
  }

  @Test func `a full disk suspends sources and lets them go on when there is space`() async throws {
    let fixture = QueueFixture(SimulatedFileSystem(capacityBytes: 400_000))
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let consumer = try queue.consumer("archive", kind: .sink)
    let other = try queue.consumer("other", kind: .pull)
    let lines = (0..<40_000).map { "\($0) \(UInt64($0) &* 0x9E37_79B9_7F4A_7C15) \(UInt64($0) &* 0xD1B5_4A32_D192_ED03)" }
    let writing = Task {
      for start in stride(from: 0, to: lines.count, by: 2000) {
        try await writer.writeDurably(Array(lines[start..<start + 2000]), upTo: start + 2000)
      }
    }
    while !fixture.notices.messages.contains(where: { $0.contains("is full") }) { await Task.yield() }
    #expect(queue.status().isFull)
    // Consumers go on meanwhile.
    #expect(try consumer.drain(committing: true).first == .line(lines[0]))
    fixture.disk.capacityBytes = nil
    try await fixture.ticking(queue) { try await writing.value }
    #expect(try other.drain() == lines.map(Entry.line))
    await queue.close()
  }
}
