internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// A range of the queue in memory: one read, or several put together.
struct LoadedBatch: Sendable {
  var range: Range<Offset>
  var content: Delivery.Content
  var byteCount: Int
  var recordCount: Int

  init(_ range: Range<Offset>, _ content: Delivery.Content, byteCount: Int, recordCount: Int) {
    self.range = range
    self.content = content
    self.byteCount = byteCount
    self.recordCount = recordCount
  }

  init(_ batch: QueueBatch) {
    range = batch.first..<batch.next
    byteCount = batch.byteCount
    recordCount = batch.recordCount
    switch batch.content {
    case .records(let slices): content = .records(slices)
    case .gap(let gap): content = .gap(gap)
    }
  }

  var gap: Gap? {
    if case .gap(let gap) = content { gap } else { nil }
  }

  /// Adds the records that follow; false when what follows is a gap, which comes in a delivery of its own.
  mutating func append(_ batch: QueueBatch) -> Bool {
    guard case .records(let slices) = content, case .records(let more) = batch.content else { return false }
    precondition(batch.first == range.upperBound, "batches that don't follow one another")
    content = .records(slices + more)
    range = range.lowerBound..<batch.next
    byteCount += batch.byteCount
    recordCount += batch.recordCount
    return true
  }

  /// How many records and bytes stand before `offset`; a cut block's bytes are told by its records' share.
  func delivered(upTo offset: Offset) -> (records: Int, bytes: Int) {
    if offset == range.upperBound { return (recordCount, byteCount) }
    guard case .records = content, offset > range.lowerBound else { return (0, 0) }
    let records = offset - range.lowerBound
    return (records, Int(Double(byteCount) * Double(records) / Double(max(recordCount, 1))))
  }
}

/// Records, bytes and gaps that a sink has taken.
struct DeliveredCounts {
  var records: UInt64 = 0
  var bytes: UInt64 = 0
  var gaps: UInt64 = 0
  var gapRecords: UInt64 = 0
  /// Dead letters among the records.
  var putBack: UInt64 = 0

  mutating func add(_ batch: LoadedBatch, upTo next: Offset) {
    let (records, bytes) = batch.delivered(upTo: next)
    self.records += UInt64(records)
    self.bytes += UInt64(bytes)
    if let gap = batch.gap, next == batch.range.upperBound {
      gaps += 1
      gapRecords += gap.records
    }
  }
}

extension SinkStatus {
  mutating func add(_ counts: DeliveredCounts) {
    deliveredRecords += counts.records
    deliveredBytes += counts.bytes
    gaps += counts.gaps
    gapRecords += counts.gapRecords
    putBackRecords += counts.putBack
  }
}

extension QueueConsumer {
  /// Reads a batch. With an `exactEnd` everything up to there, however many reads that takes, unless a gap stands in the way.
  func load(from offset: Offset, limits: BatchLimits, exactEnd: Offset?) throws(QueueError) -> LoadedBatch? {
    guard let first = try read(from: offset, limits: limits) else { return nil }
    var batch = LoadedBatch(first)
    guard let exactEnd else { return batch }
    while batch.range.upperBound < exactEnd {
      let rest = BatchLimits(maxRecords: exactEnd - batch.range.upperBound, maxBytes: .max)
      guard let more = try read(from: batch.range.upperBound, limits: rest), batch.append(more) else { break }
    }
    return batch
  }
}
