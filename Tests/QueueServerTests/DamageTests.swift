import NIOCore
import RecordBlocks
import Testing

@testable import QueueServer

/// Blocks whose checksums are right and whose data isn't what their headers say: nobody but who wrote them can make such, and they must
/// cost no more than their own records.
@Suite("A batch with a block that lies") struct DamageTests {
  private func block(_ lines: [String], base: UInt64, lies: Bool = false) -> StoredBlock {
    var batch = RecordBatch()
    for line in lines { Array(line.utf8).withUnsafeBytes { batch.append($0) } }
    let byteCount = batch.byteCount
    let header = BlockHeader(
      kind: .lines, queueID: QueueID(high: 1, low: 2), salt: 3, base: Offset(base), offsetCount: UInt64(lines.count),
      lineByteCount: byteCount,
      source: 1, firstTime: 5, lastTime: 7, openAge: 0, epoch: 1, cumulativeRecords: base, cumulativeBytes: 0, cumulativeLost: 0,
      durableEnd: Offset(base))
    guard lies else { return StoredBlock(header, completing: StoredBlock.prepare(batch.intoSharedBytes(), entryBytes: 0, codec: .shared)) }
    let garbage = SharedBytes(copying: [UInt8](repeating: 0xFF, count: 12))
    return StoredBlock(header, copying: DeflatedLines(data: garbage, checksum: 1, lineByteCount: byteCount))
  }

  private func range(_ blocks: [StoredBlock], gap: Gap? = nil) -> PulledBatch.Range {
    let slices = blocks.map { BlockSlice($0) }
    return PulledBatch.Range(
      first: gap == nil ? slices[0].range.lowerBound : Offset(slices[0].range.lowerBound.rawValue - 1), next: slices.last!.range.upperBound,
      gap: gap, gapEnd: gap.map { _ in slices[0].range.lowerBound }, slices: slices, recordCount: slices.reduce(0) { $0 + $1.recordCount },
      byteCount: blocks.reduce(0) { $0 + $1.header.lineByteCount }, lag: (records: 10, bytes: 100))
  }

  @Test func `ends before it, so that its neighbours are delivered`() throws {
    var batch = range([block(["a", "b"], base: 0), block(["c"], base: 2, lies: true), block(["d"], base: 3)])
    #expect(throws: BlockDamage.self) { try PulledBatch(batch, format: .lines, gzip: false) }
    batch.endAtDamage()
    #expect(batch.gap == nil)
    #expect(batch.next == Offset(2))
    #expect(batch.lag.records == 12)
    #expect(batch.lag.bytes == 104)
    #expect(String(decoding: try PulledBatch(batch, format: .lines, gzip: false).pieces.flatMap { $0.array }, as: UTF8.self) == "a\nb\n")
  }

  @Test func `that it begins with is a gap of its own records`() throws {
    var batch = range([block(["c", "c"], base: 2, lies: true), block(["d"], base: 4)])
    batch.endAtDamage()
    #expect(batch.gap == Gap(reason: .corruptBlock, records: 2, bytes: 0, firstTime: 5, lastTime: 7))
    #expect(batch.gapEnd == Offset(4))
    #expect(batch.next == Offset(4))
    #expect(batch.lag.records == 11)
    #expect(try PulledBatch(batch, format: .lines, gzip: false).pieces.isEmpty)
  }

  @Test func `behind a gap leaves that gap to be told`() {
    let gap = Gap(reason: .kernelDrop, records: 17, bytes: 0, firstTime: 1, lastTime: 2)
    var batch = range([block(["c"], base: 2, lies: true)], gap: gap)
    batch.endAtDamage()
    #expect(batch.gap == gap)
    #expect(batch.next == Offset(2))
    #expect(batch.recordCount == 0)
    #expect(batch.lag.records == 11)
  }
}
