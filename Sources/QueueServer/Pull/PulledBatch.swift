internal import HTTPTypes
internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// What one request for records is answered with: a gap, records, or both, the gap first.
struct PulledBatch: Sendable {
  /// The queue's records from a place on, as far as one answer goes.
  struct Range: Sendable {
    var first: RecordBlocks.Offset
    var next: RecordBlocks.Offset
    var gap: Gap?
    /// The offset behind the gap.
    var gapEnd: RecordBlocks.Offset?
    var slices: [BlockSlice] = []
    var recordCount = 0
    var byteCount = 0
    /// What is durable behind `next`.
    var lag: (records: UInt64, bytes: UInt64)

    /// Ends the batch before a block whose checksums are right and whose data isn't what its header says. When nothing is before it, its
    /// records are the batch's gap: they are lost, and its neighbours are not.
    mutating func endAtDamage() {
      var kept: [BlockSlice] = []
      var keptBytes = 0
      var lost = 0
      for slice in slices {
        do throws(BlockDamage) { keptBytes += try slice.lines().count } catch {
          if kept.isEmpty && gap == nil {
            let header = slice.block.header
            lost = slice.recordCount
            gap = Gap(
              reason: .corruptBlock, records: UInt64(lost), bytes: 0, firstTime: header.firstTime, lastTime: header.lastTime)
            gapEnd = slice.range.upperBound
          }
          break
        }
        kept.append(slice)
      }
      let keptRecords = kept.reduce(0) { $0 + $1.recordCount }
      next = kept.last?.range.upperBound ?? gapEnd ?? first
      lag.records += UInt64(recordCount - keptRecords - lost)
      // How many bytes the lost lines had nobody knows: they stay among what is behind.
      lag.bytes += UInt64(byteCount - keptBytes)
      (slices, recordCount, byteCount) = (kept, keptRecords, keptBytes)
    }
  }

  let range: Range
  /// The body, in pieces that stand one after the other: blocks as they are in memory.
  let pieces: [SharedBytes]
  let contentType: String
  /// One gzip member; else as it is.
  let isGzip: Bool

  /// Reads from `place`; nil when nothing durable is there. Blocking.
  static func read(
    from place: RecordBlocks.Offset, limits: BatchLimits, queue: SegmentQueue,
    _ read: (RecordBlocks.Offset, BatchLimits) throws(QueueError) -> QueueBatch?
  ) throws(QueueError) -> Range? {
    guard let batch = try read(place, limits) else { return nil }
    var range = Range(first: batch.first, next: batch.next, lag: queue.lag(from: batch))
    var records: QueueBatch? = batch
    if case .gap(let gap) = batch.content {
      (range.gap, range.gapEnd) = (gap, batch.next)
      records = try read(batch.next, limits)
    }
    if let records, case .records(let slices) = records.content {
      (range.slices, range.recordCount, range.byteCount) = (slices, records.recordCount, records.byteCount)
      (range.next, range.lag) = (records.next, queue.lag(from: records))
    }
    return range
  }

  /// The answer's body: blocks as they are stored, put together into one gzip member, or their lines. Block checksums were verified when
  /// they were read. Blocking.
  /// - Throws: `BlockDamage` when a block with right checksums doesn't hold what its header says.
  init(_ range: Range, format: PullParameters.Format, gzip: Bool) throws(BlockDamage) {
    self.range = range
    isGzip = gzip
    switch format {
    case .lines:
      // Most lines are UTF-8; without a charset many clients read another one.
      contentType = "text/plain; charset=utf-8"
      var parts: [DeflatedLines] = []
      var lines: [SharedBytes] = []
      for slice in range.slices { if gzip { parts.append(try slice.deflated()) } else { lines.append(try slice.lines()) } }
      pieces = gzip ? GzipMember(joining: parts).pieces : lines
    case .jsonArray:
      contentType = "application/json"
      var writer = JSONArrayWriter(lineBytes: range.byteCount)
      for slice in range.slices { writer.append(try slice.lines()) }
      writer.finish()
      pieces =
        gzip
        ? GzipMember(joining: [writer.bytes.withUnsafeBytes { BlockCodec.shared.deflate($0) }]).pieces
        : [SharedBytes(copying: writer.bytes)]
    }
  }
}

extension PulledBatch.Range {
  /// What the headers of an answer tell of it.
  /// - Parameter queue: whose offsets they are.
  func headers(of queue: SegmentQueue) -> HTTPFields {
    var headers: HTTPFields = [
      .firstOffset: "\(queue.place(first))", .nextOffset: "\(queue.place(next))", .records: "\(recordCount)", .bytes: "\(byteCount)",
      .lag: "\(lag.records)", .lagBytes: "\(lag.bytes)", .vary: "Accept-Encoding",
    ]
    if let gap, let gapEnd { headers[.gap] = "\(first)-\(gapEnd);\(gap.reason.name);\(gap.records);\(gap.bytes)" }
    return headers
  }
}

extension PulledBatch {
  /// The headers of an answer that has it as its body.
  func headers(of queue: SegmentQueue) -> HTTPFields {
    var headers = range.headers(of: queue)
    headers[.contentType] = contentType
    if isGzip { headers[.contentEncoding] = "gzip" }
    return headers
  }
}
