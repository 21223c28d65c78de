public import DurableFiles
public import RecordBlocks
internal import SystemPackage

extension SegmentQueue {
  // MARK: Places

  /// A place of this opening, as clients are told it.
  public func place(_ offset: Offset) -> EpochOffset { EpochOffset(epoch: epoch, offset: offset) }

  /// Whether a place that a client kept means the same record as when it was told.
  ///
  /// It does while its offset is not after the first one of the next epoch: what was told as durable before stood below that. A place of
  /// the present epoch is admitted wherever it lies; whether the queue has it is another question. An epoch that is still to come, and one
  /// older than the last 1,000 that the snapshots list, is not.
  public func admits(_ place: EpochOffset) -> Bool {
    if place.epoch == epoch { return true }
    return monitor.withLock { state in
      let epochs = state.table.epochs
      guard epochs.contains(where: { $0.number == place.epoch }),
        // Its end is only known when the next one is: an epoch that no snapshot tells of any more says nothing.
        let next = epochs.first(where: { $0.number == place.epoch &+ 1 })
      else { return false }
      return place.offset <= next.first
    }
  }

  /// How far one segment's end may read before the time that is looked for and still be searched: the clock may have been set back in it.
  /// Nanoseconds. A minute is more than a time service steps a clock that runs, and few segments are written in it.
  private static let clockSetBack: Int64 = 60_000_000_000

  /// Where reading begins to have everything that was appended at `time` (nanoseconds since 1970) or later: the first record, or gap, of
  /// the first block whose last append was not before it; the durable end when there is none. Blocking: reads headers.
  ///
  /// Wall time may have been set back. Then a time came twice, and the earlier place counts, so that nothing is passed over. A segment is
  /// passed over unread only when the next one began more than a minute before `time`: what a clock that was wrong by more had put
  /// there is not found.
  public func offset(appendedAt time: Int64) throws(QueueError) -> Offset {
    let segments = store.all
    let end = durableEnd
    for (index, segment) in segments.enumerated() {
      do throws(FileError) {
        if index + 1 < segments.count, let next = try segments[index + 1].header(in: store.directory, queueID: id),
          next.firstTime < max(time, .min + Self.clockSetBack) - Self.clockSetBack
        {
          continue
        }
        if let found = try firstOffset(in: segment, notBefore: time), found < end { return found }
      } catch {
        // Deleted in the meantime; then so is what is before it.
        guard error.code == .noSuchFileOrDirectory, segment.base < startOffset else { throw QueueError(error) }
      }
    }
    return end
  }

  private func firstOffset(in segment: Segment, notBefore time: Int64) throws(FileError) -> Offset? {
    let (file, byteCount, end) = try segment.open(in: store.directory)
    var scanner = BlockScanner(file, queueID: id, range: 0..<byteCount, expecting: segment.base, headersOnly: true)
    while let item = try scanner.next() {
      guard case .header(let header, _) = item, header.offsetCount > 0, header.base < end else { continue }
      if header.lastTime >= time { return header.base }
    }
    return nil
  }

  // MARK: Reading without a name

  /// A reader without a name; see ``QueueReader``.
  public func reader() -> QueueReader {
    let reader = QueueReader(self)
    readers.withLock { $0[ObjectIdentifier(reader)] = WeakReader(reader: reader) }
    return reader
  }

  func forget(_ reader: ObjectIdentifier) { readers.withLock { $0[reader] = nil } }

  /// What is durable behind a batch of this queue: records and bytes of lines, by the counters at both ends.
  public func lag(from batch: QueueBatch) -> (records: UInt64, bytes: UInt64) {
    let end = monitor.withLock { $0.durableTally }
    return (end.records - min(batch.tally.records, end.records), end.bytes - min(batch.tally.bytes, end.bytes))
  }

  // MARK: Sealed segments

  /// The sealed segments, oldest first: ordinary gzip files of lines that never change under their names. Blocking: reads a header of each
  /// once.
  public var sealedSegments: [QueueFiles.SegmentInfo] {
    store.all.filter(\.isSealed).map { segment in
      let header = (try? segment.header(in: store.directory, queueID: id)) ?? nil
      return QueueFiles.SegmentInfo(
        base: segment.base, end: segment.end, name: segment.name.text, byteCount: segment.byteCount, isSealed: true,
        created: header?.firstTime)
    }
  }

  /// A sealed segment's file for reading, and its length. It stays readable while it is open, also when retention deletes it; a deleted
  /// file takes its space until then. Blocking.
  /// - Throws: ``QueueError``: `unknownSegment` when no sealed segment has that name, `io`.
  public func openSegment(named name: String) throws(QueueError) -> (file: any File, byteCount: Int64) {
    let unknown = QueueError(.unknownSegment, "the queue \(path) has no sealed segment of that name")
    // Only a name that is one of ours gets as far as a directory.
    guard let wanted = SegmentName(name), wanted.state == .sealed, store.all.contains(where: { $0.name == wanted }) else { throw unknown }
    do throws(FileError) {
      let file = try store.directory.open(wanted.text, .read)
      return (file, try file.status().size)
    } catch {
      if error.code == .noSuchFileOrDirectory { throw unknown }
      throw QueueError(error)
    }
  }
}

/// A reader that someone else keeps.
struct WeakReader: Sendable {
  weak let reader: QueueReader?
}
