internal import Glibc
internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// Reads a sink's dead letters and makes records of them again, under the offsets of the dead-letter queue.
struct DeadLetterReader {
  /// What stands at an offset.
  enum Found {
    /// Records that this sink rejected.
    case batch(LoadedBatch)
    /// Other sinks' dead letters, up to there.
    case others(Offset)
    /// Dead letters that are lost, up to there.
    case gap(Gap, Offset)
    /// Lines up to there that are no dead letters, or a block that doesn't give its lines.
    case unreadable(Offset)
  }

  private let box: DeadLetterBox

  init(_ box: DeadLetterBox) { self.box = box }

  /// Reads at `offset`; nil when nothing durable is there. With an `exactEnd` everything up to there, unless something else stands in the
  /// way. The limits hold for dead letters, which are longer than their records. Blocking.
  func read(from offset: Offset, limits: BatchLimits, exactEnd: Offset?) throws(QueueError) -> Found? {
    guard let first = try box.read(from: offset, limits: limits) else { return nil }
    let slices: [BlockSlice]
    switch first.content {
    case .gap(let gap): return .gap(gap, first.next)
    case .records(let found): slices = found
    }
    let others = slices.prefix { !box.isOwn($0) }
    if let last = others.last { return .others(last.range.upperBound) }
    var letters = slices.prefix { box.isOwn($0) }
    if let exactEnd {
      while let end = letters.last?.range.upperBound, end < exactEnd {
        let rest = BatchLimits(maxRecords: exactEnd - end, maxBytes: .max)
        guard let more = try box.read(from: end, limits: rest), case .records(let found) = more.content else { break }
        let own = found.prefix { box.isOwn($0) }
        letters += own
        if own.count < found.count { break }
      }
    }
    return records(of: Array(letters))
  }

  /// The records of dead letters, up to the first that gives none.
  private func records(of letters: [BlockSlice]) -> Found {
    var slices: [BlockSlice] = []
    var byteCount = 0
    for slice in letters {
      let (block, isAll) = Self.records(of: slice)
      if let block {
        slices.append(BlockSlice(block))
        byteCount += block.header.lineByteCount
      }
      if !isAll { break }
    }
    guard let first = slices.first, let last = slices.last else {
      return .unreadable(Self.isReadable(letters[0]) ? letters[0].range.lowerBound + 1 : letters[0].range.upperBound)
    }
    let range = first.range.lowerBound..<last.range.upperBound
    return .batch(LoadedBatch(range, .records(slices), byteCount: byteCount, recordCount: range.upperBound - range.lowerBound))
  }

  private static func isReadable(_ slice: BlockSlice) -> Bool { (try? slice.lines()) != nil }

  /// A block of the records of a slice's dead letters, as far as they are some, and whether that is all of them. The time is that of the
  /// dead letters: a sink's names never go back in time.
  private static func records(of slice: BlockSlice) -> (block: StoredBlock?, isAll: Bool) {
    guard let lines = try? slice.lines() else { return (nil, false) }
    var batch = RecordBatch(minimumCapacity: lines.count)
    lines.withUnsafeBytes { bytes in
      var position = 0
      while position < bytes.count, let found = memchr(bytes.baseAddress! + position, 0x0A, bytes.count - position) {
        let end = UnsafeRawPointer(found) - bytes.baseAddress!
        guard DeadLetters.appendRecord(of: UnsafeRawBufferPointer(rebasing: bytes[position..<end]), to: &batch) != nil else { return }
        position = end + 1
      }
    }
    let count = batch.recordCount
    guard count > 0 else { return (nil, false) }
    let source = slice.block.header
    let header = BlockHeader(
      kind: .lines, queueID: source.queueID, salt: source.salt, base: slice.range.lowerBound, offsetCount: UInt64(count),
      source: source.source, firstTime: source.firstTime, lastTime: source.lastTime, openAge: source.openAge, epoch: source.epoch,
      cumulativeRecords: source.cumulativeRecords, cumulativeBytes: source.cumulativeBytes, cumulativeLost: source.cumulativeLost,
      durableEnd: source.durableEnd)
    let prepared = StoredBlock.prepare(batch.intoSharedBytes(), entryBytes: 0, codec: .shared)
    return (StoredBlock(header, completing: prepared), count == slice.recordCount)
  }
}
