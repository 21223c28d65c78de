internal import DurableFiles
internal import RecordBlocks

/// The queue's segments in order: the oldest first, the active one last. Shared by the writer, readers, the sealer and retention.
final class SegmentStore: Sendable {
  let directory: any Directory
  let queueID: QueueID
  private let segments: Monitor<[Segment]>
  /// A deletion may not be on the disk yet: one of this process, or of an earlier one.
  private let deletionIsUnsynced = Monitor(true)

  init(_ directory: any Directory, queueID: QueueID, segments: [Segment]) {
    self.directory = directory
    self.queueID = queueID
    self.segments = Monitor(segments)
  }

  var all: [Segment] { segments.withLock { $0 } }
  var startOffset: Offset { segments.withLock { $0.first?.base ?? .zero } }
  var storedBytes: UInt64 { all.reduce(0) { $0 + UInt64(max(0, $1.byteCount)) } }

  func append(_ segment: Segment) { segments.withLock { $0.append(segment) } }

  /// Puts another file in the place of the last segment: the one that a failed sync has spoilt before anything of it was durable.
  func replaceLast(with segment: Segment) { segments.withLock { $0[$0.count - 1] = segment } }

  /// Puts the sealed copy of a segment in its place; readers find theirs anew by offset.
  func replace(_ segment: Segment, with copy: Segment) {
    segments.withLock { segments in
      guard let index = segments.firstIndex(where: { $0 === segment }) else { return }
      segments[index] = copy
    }
  }

  /// Deletes the oldest segment, `segment`; durable after ``settleDeletions()``, which comes before the next one, too.
  func deleteFirst(_ segment: Segment) throws(FileError) {
    try directory.unlink(segment.name.text)
    deletionIsUnsynced.withLock { $0 = true }
    segments.withLock { _ = $0.removeFirst() }
  }

  /// Makes deletions durable: a power cut must not bring a segment back and keep a later one away. That would be a hole.
  func settleDeletions() throws(FileError) {
    guard deletionIsUnsynced.withLock({ $0 }) else { return }
    try directory.sync()
    deletionIsUnsynced.withLock { $0 = false }
  }

  /// The segment in which `offset` is, or would come next; nil when it lies before them all.
  func segment(containing offset: Offset) -> Segment? {
    segments.withLock { segments in
      var low = 0
      var high = segments.count
      while low < high {
        let middle = (low + high) / 2
        if segments[middle].base <= offset { low = middle + 1 } else { high = middle }
      }
      return low == 0 ? nil : segments[low - 1]
    }
  }

  /// The segment after `segment`, if there is one.
  func successor(of segment: Segment) -> Segment? {
    segments.withLock { segments in
      guard let index = segments.firstIndex(where: { $0.base > segment.base }) else { return nil }
      return segments[index]
    }
  }
}

/// Records, bytes and losses in the queue from its creation to one offset. Sums stay at the largest number: blocks of others may say anything.
struct Tally: Hashable, Sendable {
  var records: UInt64 = 0
  var bytes: UInt64 = 0
  var lost: UInt64 = 0

  init() {}
  init(before header: BlockHeader) {
    records = header.cumulativeRecords
    bytes = header.cumulativeBytes
    lost = header.cumulativeLost
  }
  init(after header: BlockHeader) {
    self.init(before: header)
    if header.kind == .lines {
      records = records.addingClamped(header.offsetCount)
      bytes = bytes.addingClamped(UInt64(header.lineByteCount))
    }
    if let gap = header.gap { add(gap) }
  }

  /// Unreadable records were counted when they were written; what any other gap tells never was.
  mutating func add(_ gap: Gap) {
    if gap.reason == .corruptBlock {
      records = records.addingClamped(gap.records)
      bytes = bytes.addingClamped(gap.bytes)
    } else {
      lost = lost.addingClamped(gap.records)
    }
  }

  /// What stood before `gap`, for the counters after it.
  mutating func remove(_ gap: Gap) {
    if gap.reason == .corruptBlock {
      records -= min(gap.records, records)
      bytes -= min(gap.bytes, bytes)
    } else {
      lost -= min(gap.records, lost)
    }
  }
}

extension UInt64 {
  /// The sum, or the largest number where it would be larger.
  func addingClamped(_ other: UInt64) -> UInt64 {
    let (sum, isTooLarge) = addingReportingOverflow(other)
    return isTooLarge ? .max : sum
  }
}
