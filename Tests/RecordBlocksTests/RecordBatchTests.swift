import RecordBlocks
import TestSupport
import Testing

@Suite struct `A record batch` {
  private func lines(_ batch: borrowing RecordBatch) -> [UInt8] { batch.withLines { Array($0) } }

  @Test func `holds each record with a line feed, whatever its bytes`() {
    var batch = RecordBatch()
    #expect(batch.isEmpty == true)
    #expect(lines(batch) == [])
    for record in [[], [0], [0xFF, 0x0D], Array("text".utf8)] as [[UInt8]] { record.withUnsafeBytes { batch.append($0) } }
    batch.append(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(lines(batch) == [0x0A, 0, 0x0A, 0xFF, 0x0D, 0x0A] + Array("text\n\n".utf8))
    #expect(batch.recordCount == 5)
    #expect(batch.byteCount == 12)
    #expect(batch.isEmpty == false)
    #expect(batch.intoSharedBytes().array == [0x0A, 0, 0x0A, 0xFF, 0x0D, 0x0A] + Array("text\n\n".utf8))
  }

  @Test func `grows as records come by all ways`() {
    var random = SplitMix64(seed: 1)
    var batch = RecordBatch(minimumCapacity: 10)
    var expected: [UInt8] = []
    var count = 0
    for _ in 0..<2000 {
      let piece = random.oddLines(random.int(1..<4))
      let records = piece.count { $0 == 0x0A }
      switch random.int(0..<4) {
      case 0:
        for record in piece.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false) {
          record.withUnsafeBytes { batch.append($0) }
        }
      case 1: piece.withUnsafeBytes { batch.appendLines($0, count: records) }
      case 2:
        batch.appendInPlace(capacity: piece.count + random.int(0..<100)) { room in
          room.copyBytes(from: piece)
          return (piece.count, records)
        }
      default:
        var other = RecordBatch(minimumCapacity: 0)
        piece.withUnsafeBytes { other.appendLines($0, count: records) }
        batch.append(contentsOf: other)
      }
      expected += piece
      count += records
    }
    #expect(lines(batch) == expected)
    #expect(batch.recordCount == count)
    #expect(batch.byteCount == expected.count)
    #expect(expected.count > 1_000_000)
  }

  @Test func `takes nothing as nothing`() {
    var batch = RecordBatch()
    batch.appendLines(UnsafeRawBufferPointer(start: nil, count: 0), count: 0)
    batch.appendInPlace(capacity: 0) { _ in (0, 0) }
    batch.append(contentsOf: RecordBatch())
    #expect(batch.isEmpty == true)
    #expect(batch.byteCount == 0)
    #expect(batch.intoSharedBytes().count == 0)
  }

  @Test func `knows that its last record was not ended`() {
    var batch = RecordBatch()
    Array("a".utf8).withUnsafeBytes { batch.append($0) }
    #expect(batch.lastIsUnended == false)
    Array("b".utf8).withUnsafeBytes { batch.append($0, unended: true) }
    #expect(batch.lastIsUnended == true)
    #expect(lines(batch) == Array("a\nb\n".utf8))
    var other = RecordBatch()
    Array("c".utf8).withUnsafeBytes { other.append($0) }
    other.append(contentsOf: batch)
    #expect(other.lastIsUnended == true)
    #expect(lines(other) == Array("c\na\nb\n".utf8))
  }

  @Test func `takes over from the batch that is appended first whether its first record continues another`() {
    var continuing = RecordBatch()
    continuing.firstContinues = true
    continuing.append(contentsOf: RecordBatch())
    #expect(continuing.firstContinues == true)
    Array("a".utf8).withUnsafeBytes { continuing.append($0) }
    var batch = RecordBatch()
    batch.append(contentsOf: continuing)
    #expect(batch.firstContinues == true)
    var plain = RecordBatch()
    Array("b".utf8).withUnsafeBytes { plain.append($0) }
    batch.append(contentsOf: plain)
    #expect(batch.firstContinues == true)
    #expect(plain.firstContinues == false)
  }

  @Test func `traps when something follows an unended record, or a continuation something else`() async {
    await #expect(processExitsWith: .failure) {
      var batch = RecordBatch()
      [UInt8(1)].withUnsafeBytes { batch.append($0, unended: true) }
      [UInt8(2)].withUnsafeBytes { batch.append($0) }
    }
    await #expect(processExitsWith: .failure) {
      var batch = RecordBatch()
      [UInt8(1)].withUnsafeBytes { batch.append($0, unended: true) }
      var other = RecordBatch()
      [UInt8(2)].withUnsafeBytes { other.append($0) }
      batch.append(contentsOf: other)
    }
    await #expect(processExitsWith: .failure) {
      var batch = RecordBatch()
      [UInt8(1)].withUnsafeBytes { batch.append($0) }
      var other = RecordBatch()
      other.firstContinues = true
      [UInt8(2)].withUnsafeBytes { other.append($0) }
      batch.append(contentsOf: other)
    }
    await #expect(processExitsWith: .failure) {
      var batch = RecordBatch()
      batch.appendInPlace(capacity: 10) { ($0.count + 1, 1) }
    }
  }
}
