import RecordBlocks
import TestSupport
import Testing

@testable import SegmentQueue

/// Losses that a source learns of from its input, and would learn of again.
@Suite struct GapCheckpointTests {
  private static func place(_ count: Int) -> [CheckpointChange] {
    [.set(stream: 1, identity: [7], value: Array("\(count)".utf8))]
  }

  /// Ten lines, a loss of five, ten lines more, each with the checkpoint behind it.
  private func write(_ writer: SourceWriter) async throws {
    try await writer.writeDurably(numbered(0..<10), upTo: 10)
    try await writer.write(batch(numbered(10..<20)), checkpoints: Self.place(20))
    let gap = Gap(reason: .retention, records: 5, bytes: 0, firstTime: 1, lastTime: 2)
    try await writer.writeGap(gap, checkpoints: Self.place(25)).durable()
    try await writer.writeDurably(numbered(25..<35), upTo: 35)
  }

  @Test func `a loss stands behind what its source wrote before, with its checkpoint`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await write(writer)
    let consumer = try queue.consumer("x", kind: .pull)
    let expected =
      numbered(0..<20).map(Entry.line) + [.gap(.retention, records: 5, bytes: 0)] + numbered(25..<35).map(Entry.line)
    #expect(try consumer.drain() == expected)
    #expect(writer.count == 35 && queue.status().totalLost == 5)
    await queue.close()
  }

  @Test func `after every crash the loss is there exactly when its checkpoint is`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    fixture.disk.recordCrashPoints()
    try await write(try queue.writer(source: "app"))
    let points = fixture.disk.crashPoints
    await queue.close()
    #expect(points.count > 4)
    var withoutGap = 0
    var justGap = 0
    for point in points {
      for kind in CrashKind.allCases where kind != .mixtureDamagingSharedSectors {
        var after = QueueFixture(point.crash(kind, seed: UInt64(point.operation.number)))
        after.options = fixture.options
        let queue = try after.open()
        let writer = try queue.writer(source: "app")
        let entries = try queue.consumer("x", kind: .pull).drain()
        let gaps = entries.count { if case .gap(.retention, _, _) = $0 { true } else { false } }
        let count = writer.count
        #expect(gaps == (count >= 25 ? 1 : 0), "before \(point.operation), \(kind): checkpoint \(count)")
        if count == 20 { withoutGap += 1 }
        if count == 25 { justGap += 1 }
        await queue.close()
      }
    }
    #expect(withoutGap > 0 && justGap > 0, "crashes on both sides of the loss")
  }
}
