internal import DurableFiles
internal import Glibc
internal import RecordBlocks
internal import SystemPackage

/// Reads records and gaps in order from the segments, and the newest blocks from memory. Used by one thread at a time; it only reads what
/// is durable.
final class LogReader {
  /// Where the log's bytes are: the same for a queue that is open here and for one that another process holds.
  struct Source {
    var store: SegmentStore
    /// Nothing from here on is given out.
    var durableEnd: () -> Offset
    /// The block in memory that has this offset, if one is there.
    var recent: (Offset) -> StoredBlock?
    /// Told of each damage that is met.
    var damaged: (_ segment: SegmentName, _ bytes: Range<Int64>, _ file: any File, _ reason: BlockDamage) -> Void
  }

  private enum Entry {
    case block(StoredBlock)
    case gap(Gap, Range<Offset>, Tally)
  }

  private let source: Source
  private var scanner: BlockScanner?
  private var segment: Segment?
  private var file: (any File)?
  /// The last entry, kept when a batch took only a part of it or none.
  private var peeked: Entry?
  /// The counters at the place that the scanner has reached.
  private(set) var tally = Tally() { didSet { tallyIsKnown = true } }
  /// False while nothing sound was met from which to count.
  private var tallyIsKnown = true
  /// Why the scan stopped: a block that only a newer version may interpret. It is neither skipped nor told as a loss.
  private var refusal: QueueError?
  /// Wall time of the last record before that place; 0 while nothing sound was met.
  private var timeBefore: Int64 = 0

  init(_ source: Source) { self.source = source }

  /// The batch at `offset`, or nil when nothing durable is there.
  func read(from offset: Offset, limits: BatchLimits) throws(QueueError) -> QueueBatch? {
    var slices: [BlockSlice] = []
    var bytes = 0
    var records = 0
    var next = offset
    var tallyAtNext = tally
    reading: while records < limits.maxRecords && bytes < limits.maxBytes {
      let found: Entry?
      do throws(QueueError) { found = try entry(at: next) } catch {
        // What stands before a block that only a newer version reads is given out first.
        if error.code == .newerFormat, !slices.isEmpty { break }
        throw error
      }
      guard let entry = found else { break }
      switch entry {
      case .gap(let gap, let range, let after):
        if !slices.isEmpty { break reading }
        return QueueBatch(
          first: next, next: range.upperBound, content: .gap(Self.part(of: gap, in: range)), byteCount: 0, recordCount: 0, tally: after)
      case .block(let block):
        let header = block.header
        if next == header.base && records + header.recordCount <= limits.maxRecords && bytes + header.lineByteCount <= limits.maxBytes {
          slices.append(BlockSlice(block))
          records += header.recordCount
          bytes += header.lineByteCount
          next = header.end
          tallyAtNext = Tally(after: header)
          continue
        }
        // Batches snap down to whole blocks; a block is cut only when none fits, or when reading begins inside it.
        if next == header.base && !slices.isEmpty { break reading }
        let cut: Cut
        do throws(BlockDamage) {
          cut = try Self.cut(
            block, from: next, records: limits.maxRecords - records, bytes: limits.maxBytes - bytes, needsOne: slices.isEmpty)
        } catch {
          // Sound checksums around data that doesn't give what the header says: nobody will ever have these records.
          if !slices.isEmpty { break reading }
          let missing = Gap(
            reason: .corruptBlock, records: UInt64(header.end - next), bytes: 0, firstTime: header.firstTime, lastTime: header.lastTime)
          return QueueBatch(
            first: next, next: header.end, content: .gap(missing), byteCount: 0, recordCount: 0, tally: Tally(after: header))
        }
        guard cut.records > 0 else { break reading }
        slices.append(BlockSlice(block, next..<next + cut.records))
        records += cut.records
        bytes += cut.bytes
        next = next + cut.records
        tallyAtNext = Tally(before: header)
        tallyAtNext.records += UInt64(next - header.base)
        tallyAtNext.bytes += UInt64(cut.bytesBefore + cut.bytes)
        if next < header.end { break reading }
      }
    }
    guard !slices.isEmpty else { return nil }
    return QueueBatch(first: offset, next: next, content: .records(slices), byteCount: bytes, recordCount: records, tally: tallyAtNext)
  }

  /// The queue's counters at `offset`, which is not after the durable end.
  func tally(at offset: Offset) throws(QueueError) -> Tally {
    if let segment = source.store.segment(containing: offset), segment.base == offset || offset >= segment.end {
      if offset == segment.base,
        let header = try asQueueError({ () throws(FileError) in
          try segment.header(in: source.store.directory, queueID: source.store.queueID)
        })
      {
        return Tally(before: header)
      }
    }
    guard offset < source.durableEnd() else {
      // The end itself: behind the last block.
      guard offset > source.store.startOffset else { return Tally() }
      return try read(from: Offset(offset.rawValue - 1), limits: BatchLimits(maxRecords: 1, maxBytes: .max))?.tally ?? Tally()
    }
    switch try entry(at: offset) {
    case .block(let block)?:
      if offset == block.header.base { return Tally(before: block.header) }
      var tally = Tally(before: block.header)
      let before = try? Self.cut(block, from: block.header.base, records: offset - block.header.base, bytes: .max, needsOne: true)
      tally.records += UInt64(offset - block.header.base)
      tally.bytes += UInt64(before?.bytes ?? 0)
      return tally
    case .gap(let gap, _, let after)?:
      var tally = after
      tally.remove(gap)
      return tally
    case nil: return Tally()
    }
  }

  private struct Cut {
    var records: Int
    var bytes: Int
    var bytesBefore: Int
  }

  /// How many records of a block, from `offset` on, fit the limits.
  private static func cut(_ block: StoredBlock, from offset: Offset, records: Int, bytes: Int, needsOne: Bool) throws(BlockDamage) -> Cut {
    let lines = try block.lines()
    let end = block.header.end
    return lines.withUnsafeBytes { buffer in
      var position = 0
      func lineEnd() -> Int {
        guard position < buffer.count, let found = memchr(buffer.baseAddress! + position, 0x0A, buffer.count - position) else {
          return buffer.count
        }
        return UnsafeRawPointer(found) - buffer.baseAddress! + 1
      }
      for _ in 0..<(offset - block.header.base) { position = lineEnd() }
      let start = position
      var taken = 0
      while taken < records && offset + taken < end {
        let next = lineEnd()
        if next - start > bytes && !(taken == 0 && needsOne) { break }
        position = next
        taken += 1
      }
      return Cut(records: taken, bytes: position - start, bytesBefore: start)
    }
  }

  // MARK: Finding entries

  /// The block or gap that has `offset`; nil at the durable end.
  private func entry(at offset: Offset) throws(QueueError) -> Entry? {
    guard offset < source.durableEnd() else { return nil }
    switch peeked {
    case .block(let block)? where block.header.base <= offset && offset < block.header.end: return peeked
    case .gap(let gap, let range, let after)? where range.lowerBound <= offset && offset < range.upperBound:
      return .gap(gap, offset..<range.upperBound, after)
    default: peeked = nil
    }
    if let block = source.recent(offset) {
      scanner = nil
      let entry: Entry
      if block.header.kind == .lines {
        entry = .block(block)
      } else {
        entry = .gap(block.header.gap ?? Self.unknownGap, offset..<block.header.end, Tally(after: block.header))
      }
      peeked = entry
      tally = Tally(after: block.header)
      timeBefore = block.header.lastTime
      return entry
    }
    do throws(FileError) {
      // Bounded: each round goes on by a segment, or restarts once for one that retention took away.
      for _ in 0..<4 {
        do throws(FileError) {
          guard let found = try scan(for: offset) else {
            if refusal != nil { break }
            continue
          }
          peeked = found
          return found
        } catch {
          guard error.code == .noSuchFileOrDirectory, source.store.startOffset > offset else { throw error }
          forgetPlace()
        }
      }
    } catch {
      throw QueueError(error)
    }
    guard let error = refusal else { return nil }
    refusal = nil
    forgetPlace()
    throw error
  }

  /// What of a gap lies in `range`: of lost offsets no more than there are. Their bytes are only known for all of them.
  private static func part(of gap: Gap, in range: Range<Offset>) -> Gap {
    guard gap.reason == .corruptBlock || gap.reason == .lostTail, gap.records > UInt64(range.count) else { return gap }
    var part = gap
    part.records = UInt64(range.count)
    part.bytes = 0
    return part
  }

  private static var unknownGap: Gap { Gap(reason: .dropped, records: 0, bytes: 0, firstTime: 0, lastTime: 0) }

  /// Closes the file of `segment`, if that is the one being read: a deleted file takes its space until nobody has it open any more.
  func letGo(of segment: Segment) {
    if self.segment === segment { forgetPlace() }
  }

  private func forgetPlace() {
    scanner = nil
    segment = nil
    file = nil
  }

  /// Goes on from where the scanner is, or finds the place of `offset` anew.
  private func scan(for offset: Offset) throws(FileError) -> Entry? {
    let directory = source.store.directory
    guard let current = source.store.segment(containing: offset) else {
      // Before the first segment: gone. The consumer's own loss record knows more; here only the range is known. Without any segment all is
      // gone that was told to be durable.
      let first = source.store.all.first
      let start = first?.base ?? source.durableEnd()
      let after = try first?.header(in: directory, queueID: source.store.queueID).map { Tally(before: $0) } ?? Tally()
      let records = after.records > tally.records ? after.records - tally.records : UInt64(start - offset)
      return .gap(
        Gap(
          reason: first == nil ? .lostTail : .retention, records: records, bytes: after.bytes > tally.bytes ? after.bytes - tally.bytes : 0,
          firstTime: 0, lastTime: 0),
        offset..<start, after)
    }
    if segment !== current || file == nil {
      // By offset, never by byte position: a sealed segment may have been written anew.
      segment = current
      file = try current.open(in: directory).file
      scanner = nil
    }
    let (byteCount, validEnd) = (current.byteCount, current.end)
    let limit = min(validEnd, source.durableEnd())
    if scanner == nil || scanner!.expected != offset {
      scanner = try place(of: offset, byteCount: byteCount)
    } else {
      // The active segment has grown since.
      scanner!.extend(to: byteCount)
    }
    while offset < limit {
      guard let item = try scanner!.next() else {
        // The file ends before the segment does: what is missing is a gap.
        let next = try source.store.successor(of: current)?.header(in: directory, queueID: source.store.queueID)
        return gap(offset..<limit, resumesAt: next, .corruptBlock)
      }
      switch item {
      case .header: preconditionFailure("this scanner reads whole blocks")
      case .block(let block, _):
        let header = block.header
        if header.end > limit && header.base >= validEnd { return gap(offset..<limit, resumesAt: nil, .corruptBlock) }
        tally = Tally(after: header)
        timeBefore = header.lastTime
        guard header.end > offset else { continue }
        if header.kind == .lines { return .block(block) }
        return .gap(header.gap ?? Self.unknownGap, offset..<header.end, tally)
      case .damage(let bytes, let first, let resumesAt, let reason):
        if reason == .newerFormat {
          refusal = QueueError(newerBlockIn: directory.path.appending(current.name.text), at: bytes.lowerBound)
          return nil
        }
        if !bytes.isEmpty, let file { source.damaged(current.name, bytes, file, reason) }
        var next = resumesAt
        if next == nil { next = try source.store.successor(of: current)?.header(in: directory, queueID: source.store.queueID) }
        let end = min(resumesAt?.base ?? limit, limit)
        guard end > max(first, offset) else { continue }
        return gap(max(first, offset)..<end, resumesAt: next, .corruptBlock)
      }
    }
    return nil
  }

  private func gap(_ range: Range<Offset>, resumesAt header: BlockHeader?, _ reason: Gap.Reason) -> Entry {
    var after = tally
    var records = UInt64(range.count)
    var bytes: UInt64 = 0
    if let header {
      // The counters on both sides tell exactly what stood between; gaps inside were lost before.
      let there = Tally(before: header)
      if tallyIsKnown && there.records >= tally.records && there.bytes >= tally.bytes {
        records = there.records - tally.records
        bytes = there.bytes - tally.bytes
      }
      after = there
    }
    tally = after
    // When it was damaged nobody knows; the records on both sides tell when it was written.
    let first = timeBefore > 0 ? timeBefore : header?.firstTime ?? 0
    let last = max(first, header?.firstTime ?? first)
    return .gap(Gap(reason: reason, records: records, bytes: bytes, firstTime: first, lastTime: last), range, after)
  }

  /// A scanner that stands before the block that has `offset`, found by hopping from header to header.
  private func place(of offset: Offset, byteCount: Int64) throws(FileError) -> BlockScanner {
    let whole = { (start: Int64, due: Offset, salt: UInt32?) in
      BlockScanner(self.file!, queueID: self.source.store.queueID, range: start..<byteCount, expecting: due, salt: salt)
    }
    var hop = BlockScanner(file!, queueID: source.store.queueID, range: 0..<byteCount, expecting: segment!.base, headersOnly: true)
    var last: (position: Int64, due: Offset, salt: UInt32?) = (0, segment!.base, nil)
    timeBefore = 0
    try countBefore(segment!)
    while let item = try hop.next() {
      switch item {
      case .header(let header, let position):
        if header.end > offset {
          tally = Tally(before: header)
          return whole(position, header.base, header.salt)
        }
        last = (hop.position, header.end, header.salt)
        tally = Tally(after: header)
        timeBefore = header.lastTime
      case .damage(let bytes, _, let resumesAt, _):
        // The offset lies in the damage: begin before it, so that the gap is found.
        if let resumesAt, resumesAt.base <= offset { continue }
        return whole(bytes.lowerBound, last.due, last.salt)
      case .block: preconditionFailure("this scanner reads headers only")
      }
    }
    return whole(last.position, last.due, last.salt)
  }
}

extension LogReader {
  /// Sets the counters to the beginning of `segment`, as the end of the one before tells them; mostly its own first header tells them next.
  private func countBefore(_ segment: Segment) throws(FileError) {
    guard try segment.header(in: source.store.directory, queueID: source.store.queueID) == nil else { return }
    tally = Tally()
    guard segment.base > .zero else { return }
    tallyIsKnown = false
    guard let previous = source.store.segment(containing: Offset(segment.base.rawValue - 1)) else { return }
    let (file, byteCount, _) = try previous.open(in: source.store.directory)
    var hop = BlockScanner(file, queueID: source.store.queueID, range: 0..<byteCount, expecting: previous.base, headersOnly: true)
    while let item = try hop.next() {
      if case .header(let header, _) = item, header.end == segment.base { tally = Tally(after: header) }
    }
  }
}

extension Range<Offset> {
  var count: Int { upperBound - lowerBound }
}
