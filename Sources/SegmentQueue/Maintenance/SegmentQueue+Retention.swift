internal import DurableFiles
public import RecordBlocks

extension SegmentQueue {
  /// Kept back from `maxSize`, and from the disk, for a snapshot and for gaps: both must be writable when nothing else is.
  private static let reserve: Int64 = 256 << 10
  /// Free space and stored bytes are measured again after this many bytes.
  private static let measureEvery: Int64 = 16 << 20

  /// How many bytes may be written before this is to be asked again. `unsynced` are bytes in the active file that its segment doesn't
  /// count yet.
  func measureRoom(unsynced: Int64) -> Int64 {
    let stored = Int64(store.storedBytes) + unsynced
    // Snapshots are as much larger as there are keys to tell.
    let bound = Int64(clamping: options.maxSize) - Self.reserve - Int64(monitor.withLock { $0.table.keys.byteCount }) - stored
    let disk = (try? rootDirectory.availableBytes()).map { Int64(clamping: $0) - Int64(clamping: keptFree) } ?? Self.measureEvery
    return min(bound, disk, Self.measureEvery)
  }

  /// What stays free on the disk.
  private var keptFree: UInt64 { max(options.minFreeDisk, UInt64(Self.reserve)) }

  /// See ``QueueStatus/diskRoom``.
  var diskRoom: UInt64? { (try? rootDirectory.availableBytes()).map { $0 - min($0, keptFree) } }

  /// The free bytes of the disk when it is these that don't leave room, not the queue's own bound.
  func freeDiskWhenShort(of needed: Int) -> UInt64? {
    guard let free = try? rootDirectory.availableBytes(), free < keptFree + UInt64(needed) else { return nil }
    return free
  }

  /// Deletes the oldest segment if the rules let it go for want of space. False when nothing may go.
  func makeRoom(for needed: Int, reason: Gap.Reason) -> Bool {
    maintenance.withLock { _ in deleteOldest(spaceIsNeeded: true, dropsOldest: reason == .dropOldest) }
  }

  /// Whether a segment that ended at `end` now could be deleted for want of space: everyone has read it, or may lose it.
  func mayReleaseActive(end: Offset) -> Bool {
    guard store.all.count == 1 else { return false }
    let verdict = Retention(options: options).verdict(
      on: Retention.Candidate(end: end, age: 0), readers: readers(settling: end), spaceIsNeeded: true,
      dropsOldest: options.overflow == .dropOldest)
    if case .keep = verdict { return false }
    return true
  }

  /// The consumer because of which nothing may be deleted.
  func findWhoHolds() -> String? {
    maintenance.withLock { _ in
      guard let oldest = store.all.first else { return nil }
      let verdict = Retention(options: options).verdict(
        on: Retention.Candidate(end: max(oldest.end, oldest.base + 1), age: age(of: oldest)), readers: readers(settling: nil),
        spaceIsNeeded: true, dropsOldest: false)
      if case .keep(let because) = verdict { return because }
      return nil
    }
  }

  /// Deletes what has outlived `keep` or `maxAge`.
  func applyAge() {
    maintenance.withLock { _ in while deleteOldest(spaceIsNeeded: false, dropsOldest: false) {} }
  }

  /// Deletes sealed segments that lie wholly before `offset`, whoever has not read them (they get a gap). Blocking; durable on return.
  /// - Returns: the oldest record that is left.
  public func trim(before offset: Offset) throws(QueueError) -> Offset {
    try asQueueError { () throws(FileError) in
      try maintenance.withLock { _ throws(FileError) in
        while let oldest = store.all.first, store.all.count > 1, oldest.isSealed, oldest.end <= offset {
          try delete(oldest, losers: readers(settling: oldest.end).filter { $0.needed < oldest.end }.map(\.name), .retention)
        }
      }
    }
    return startOffset
  }

  /// One step: the oldest segment, if it is sealed, not the active one, and the verdict is against it. Under the maintenance lock.
  private func deleteOldest(spaceIsNeeded: Bool, dropsOldest: Bool) -> Bool {
    let all = store.all
    // The newest complete snapshot is in the active segment, which is never deleted; so a cut between two segments is always safe.
    guard all.count > 1, let oldest = all.first else { return false }
    if !oldest.isSealed {
      guard spaceIsNeeded, sealOldest(oldest) else { return false }
      return true
    }
    let age = age(of: oldest)
    let mayGo = spaceIsNeeded || age > min(options.keep, options.maxAge ?? options.keep).nanosecondsClamped
    guard mayGo else { return false }
    let verdict = Retention(options: options).verdict(
      on: Retention.Candidate(end: oldest.end, age: age), readers: readers(settling: oldest.end), spaceIsNeeded: spaceIsNeeded,
      dropsOldest: dropsOldest)
    do throws(FileError) {
      switch verdict {
      case .keep: return false
      case .deleteConsumed: try delete(oldest, losers: [], .retention)
      case .deleteUnread(let losers, let reason): try delete(oldest, losers: losers, reason)
      }
      return true
    } catch {
      notify(QueueNotice(.error, "a segment can't be deleted", ("queue.segment", oldest.name.text), ("error", error.description)))
      return false
    }
  }

  private func sealOldest(_ segment: Segment) -> Bool {
    do throws(FileError) {
      try sealSegment(segment)
      return true
    } catch {
      return false
    }
  }

  /// Order: earlier deletions durable; each loser's loss in both its slots, synced; the unlink; the directory's sync; only then the next
  /// segment.
  private func delete(_ segment: Segment, losers: [String], _ reason: Gap.Reason) throws(FileError) {
    try store.settleDeletions()
    let newStart = store.all.dropFirst().first?.base ?? segment.end
    let gaps = losers.isEmpty ? [] : gaps(in: segment)
    for name in losers {
      guard let consumer = consumers.withLock({ $0[name] }) else { continue }
      try consumer.lose(upTo: newStart, reason, gaps: gaps)
    }
    try store.deleteFirst(segment)
    letReadersGo(of: segment)
    if !losers.isEmpty {
      notify(
        QueueNotice(
          .warning, "records were deleted that a consumer had not read; it is told exactly", ("queue.segment", segment.name.text),
          ("reason", reason.name),
          ("consumers", losers.joined(separator: ", "))))
    }
    try store.settleDeletions()
  }

  /// The gaps that a segment tells, but for unreadable records, which the counters have. Headers are read only when it has any; one that
  /// can't be read tells none.
  private func gaps(in segment: Segment) -> [(offset: Offset, bytes: UInt64)] {
    do throws(FileError) {
      let first = try segment.header(in: store.directory, queueID: id)
      let next = try store.successor(of: segment)?.header(in: store.directory, queueID: id)
      if let first, let next, first.cumulativeLost == next.cumulativeLost { return [] }
      let (file, byteCount, _) = try segment.open(in: store.directory)
      var scanner = BlockScanner(file, queueID: id, range: 0..<byteCount, expecting: segment.base, headersOnly: true)
      var gaps: [(offset: Offset, bytes: UInt64)] = []
      while let item = try scanner.next() {
        guard case .header(let header, _) = item, header.base < segment.end, let gap = header.gap, gap.reason != .corruptBlock else {
          continue
        }
        gaps.append((header.base, gap.bytes))
      }
      return gaps
    } catch {
      return []
    }
  }

  func letReadersGo(of segment: Segment) {
    for consumer in consumers.withLock({ Array($0.values) }) { consumer.letGo(of: segment) }
    for reader in readers.withLock({ $0.values.compactMap(\.reader) }) { reader.letGo(of: segment) }
  }

  private func age(of segment: Segment) -> UInt64 {
    // A segment's last record was written right before its successor's first block, unless the queue was closed in between: an opening
    // makes an empty successor anew, and that must not make the records before it young again.
    guard let successor = (try? store.successor(of: segment)?.header(in: store.directory, queueID: id)) ?? nil else { return 0 }
    var written = successor.openAge
    let first = (try? segment.header(in: store.directory, queueID: id)) ?? nil
    if first?.epoch != successor.epoch, let newest = (try? segment.newestAge(in: store.directory, queueID: id)) ?? nil {
      written = min(written, newest)
    }
    return openAge &- min(written, openAge)
  }

  /// The consumers as retention sees them. `settling` brings the older slot of each that has read up to there past it, so that only
  /// unread records hold.
  private func readers(settling end: Offset?) -> [Retention.Reader] {
    let age = openAge
    return consumers.withLock { Array($0.values) }.map { consumer in
      if let end { consumer.settle(before: end) }
      let needed = consumer.needed
      return Retention.Reader(
        name: consumer.name, needed: needed, hold: consumer.hold, pinnedBytes: storedBytes(from: needed), silence: consumer.silence(at: age)
      )
    }
  }

  /// Stored bytes of the segments from the one with `offset` on; within that one by its share of offsets.
  func storedBytes(from offset: Offset) -> UInt64 {
    var total: UInt64 = 0
    for segment in store.all where segment.end > offset {
      let bytes = UInt64(max(0, segment.byteCount))
      if segment.base >= offset {
        total += bytes
      } else {
        let share = Double(segment.end - offset) / Double(max(1, segment.end - segment.base))
        total += UInt64(Double(bytes) * share)
      }
    }
    return total
  }
}
