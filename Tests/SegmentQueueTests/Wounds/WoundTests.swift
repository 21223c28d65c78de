import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Damaged files: each wound with the number of records that must survive it. Never wrong data, never a refusal where something can be
/// served.
@Suite(.timeLimit(.minutes(3))) struct WoundTests {
  /// 60 lines in six blocks of ten, all acknowledged, in one active segment; then the process was killed.
  private func killedQueue() async throws -> (QueueFixture, [Int]) {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    for start in stride(from: 0, to: 60, by: 10) { try await writer.writeDurably(numbered(start..<start + 10), upTo: start + 10) }
    let after = QueueFixture(fixture.disk.crash(.everythingKept))
    await queue.close()
    let bytes = try #require(after.disk.contents(after.active))
    var starts: [Int] = []
    var position = 0
    while position < bytes.count {
      let header = try bytes[position...].withUnsafeBytes { try BlockHeader(decoding: $0) }
      if header.kind == .lines { starts.append(position) }
      position += header.memberByteCount
    }
    return (after, starts + [bytes.count])
  }

  private func survivors(_ fixture: QueueFixture) async throws -> (lines: [String], gaps: [Entry], checkpoint: Int) {
    let queue = try fixture.open()
    let entries = try queue.consumer("x", kind: .pull).drain()
    let checkpoint = try queue.writer(source: "app").count
    await queue.close()
    // Sealing writes the segment anew: the same records, the same gaps.
    let again = try fixture.open()
    #expect(try again.consumer("y", kind: .pull).drain() == entries)
    await again.close()
    return (
      entries.compactMap { if case .line(let line) = $0 { line } else { nil } },
      entries.filter { if case .gap = $0 { true } else { false } }, checkpoint
    )
  }

  @Test func `a damaged block in the middle is a gap, and its neighbours are served`() async throws {
    let (fixture, starts) = try await killedQueue()
    fixture.disk.overwrite(fixture.active, with: [0xFF, 0xFF, 0xFF], at: starts[3] - 40)
    let found = try await survivors(fixture)
    #expect(found.lines == numbered(0..<20) + numbered(30..<60))
    #expect(found.gaps == [.gap(.corruptBlock, records: 10, bytes: UInt64(numbered(20..<30).reduce(0) { $0 + $1.utf8.count + 1 }))])
    #expect(found.checkpoint == 60)
    #expect(!(fixture.disk.names(fixture.path.appending("quarantine")) ?? []).isEmpty)
  }

  @Test func `a directory with other files is no queue`() async throws {
    let fixture = QueueFixture()
    _ = try fixture.disk.directory(fixture.path, create: true)
    fixture.disk.plantFile(fixture.path.appending("notes.txt"), [1])
    #expect { try fixture.open() } throws: { ($0 as? QueueError)?.code == .notAQueue && "\($0)".contains("notes.txt") }
  }

  @Test func `one garbled cursor slot is the other one; two hold everything and stop only their consumer`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    try await queue.writer(source: "app").writeDurably(numbered(0..<30))
    let consumer = try queue.consumer("archive", kind: .sink)
    try consumer.commit(Offset(10))
    try consumer.commit(Offset(20))
    await queue.close()
    let path = fixture.path.appending("consumers").appending("archive")
    let bytes = try #require(fixture.disk.contents(path))
    for slot in [0, 1] {
      var wounded = bytes
      for index in 0..<64 { wounded[slot * CursorRecord.slotByteCount + index] = 0xEE }
      fixture.disk.overwrite(path, with: wounded, at: 0)
      queue = try fixture.open()
      #expect([Offset(10), Offset(20)].contains(try queue.consumer("archive", kind: .sink).cursor))
      await queue.close()
    }
    fixture.disk.overwrite(path, with: [UInt8](repeating: 0xEE, count: bytes.count), at: 0)
    queue = try fixture.open()
    #expect { try queue.consumer("archive", kind: .sink) } throws: { ($0 as? QueueError)?.code == .cursorUnreadable }
    #expect(try queue.consumer("other", kind: .pull).drain() == numbered(0..<30).map(Entry.line))
    await queue.close()
  }
}

extension QueueFixture {
  /// The only segment of a small queue.
  var active: FilePath { path.appending("segments").appending(SegmentName(.zero, .active).text) }
}
