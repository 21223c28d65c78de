public import RecordBlocks

/// Reads a queue from any place, without a name, a saved place or a hold: what it reads next may be deleted before.
///
/// Each read says where it begins; a reader only remembers where the last one ended, so that going on from there costs no search. Several
/// tasks may share one, in turn: for each other place the segment is searched by its headers again. It keeps at most one segment's file
/// open, and lets it go when that is deleted.
public final class QueueReader: Sendable {
  private struct State {
    let reader: LogReader
    /// The end of the last batch and the queue's counters there.
    var last: (next: Offset, tally: Tally)?
  }

  private let queue: SegmentQueue
  private let state: Monitor<State>

  init(_ queue: SegmentQueue) {
    self.queue = queue
    state = Monitor(State(reader: queue.makeReader()))
  }

  deinit { queue.forget(ObjectIdentifier(self)) }

  /// What is durable from `offset` on within the limits: records, or the one gap that stands there; nil when nothing durable is there.
  /// Blocking (disk).
  ///
  /// Batches snap down to whole blocks where one fits; else a block is cut. One record longer than `maxBytes` comes alone. A batch ends
  /// before a gap.
  ///
  /// What lay before the oldest record kept comes as one gap of reason `retention`. Its counts are exact when the last read ended at
  /// `offset`, when that is the beginning of the queue, and, of records, as long as no gap of the log is among what is gone; else they tell
  /// offsets, for nobody knows how many of them had records. Bytes that nobody knows are 0.
  public func read(from offset: Offset, limits: BatchLimits) throws(QueueError) -> QueueBatch? {
    try state.withLock { state throws(QueueError) in
      var batch = try offset < queue.startOffset ? gone(offset, state) : state.reader.read(from: offset, limits: limits)
      // Retention may have come in between: what the reader then tells counts from where it stands, which may be elsewhere.
      if case .gap? = batch?.content, offset < queue.startOffset { batch = try gone(offset, state) }
      guard let batch else { return nil }
      state.last = (batch.next, batch.tally)
      return batch
    }
  }

  /// The gap from `offset` to the oldest record kept.
  private func gone(_ offset: Offset, _ state: State) throws(QueueError) -> QueueBatch {
    let start = queue.startOffset
    let after = try queue.makeReader().tally(at: start)
    let offsets = UInt64(start - offset)
    let before: Tally? =
      if let last = state.last, last.next == offset { last.tally } else if offset == .zero { Tally() } else { nil }
    var gap = Gap(reason: .retention, records: offsets, bytes: 0, firstTime: 0, lastTime: 0)
    if let before {
      gap.records =
        (after.records - min(before.records, after.records)).addingClamped(after.lost - min(before.lost, after.lost))
      gap.bytes = after.bytes - min(before.bytes, after.bytes)
    }
    gap.tellTime(queue.clock.wall())
    return QueueBatch(first: offset, next: start, content: .gap(gap), byteCount: 0, recordCount: 0, tally: after)
  }

  /// The file of `segment` was unlinked: an idle reader must not keep its space.
  func letGo(of segment: Segment) { state.withLock { $0.reader.letGo(of: segment) } }
}
