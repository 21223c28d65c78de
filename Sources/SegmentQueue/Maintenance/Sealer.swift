internal import DurableFiles
internal import RecordBlocks

/// Makes a segment that is no longer written final.
///
/// Well-filled and sound: rename `.active` to `.gz`, sync the directory. Else (a trickle's small blocks, a failed sync, damage) it is
/// written anew: into a temporary file,
/// sync, rename to `.gz`, directory sync, and only then the `.active` is unlinked. A crash in between leaves a temporary file, which the
/// next opening removes, or both names, of which it removes the `.active`.
struct Sealer {
  /// Segments whose blocks hold less than this on average are written anew.
  private static let smallBlock = 64 << 10
  /// Blocks are merged up to this many bytes of lines.
  private static let mergedBlock = SegmentQueue.blockByteCount

  let store: SegmentStore
  let quarantine: Quarantine
  let notify: (QueueNotice) -> Void

  /// Seals `segment`; returns the segment that takes its place when it was written anew, nil when it was only renamed.
  func seal(_ segment: Segment) throws(FileError) -> Segment? {
    let directory = store.directory
    let active = SegmentName(segment.base, .active).text
    let sealed = SegmentName(segment.base, .sealed)
    if try directory.status(active) == nil, let status = try directory.status(sealed.text) {
      // An earlier try got as far as the unlink; only its sync may be missing.
      try directory.sync()
      return Segment(
        Segment.State(name: sealed, byteCount: status.size, end: segment.end, needsRepack: false, file: nil, firstHeader: nil))
    }
    let (file, _, end) = try segment.open(in: directory)
    guard try needsRepack(segment, file, end) else {
      try directory.rename(active, to: sealed.text)
      segment.update { $0.name = sealed }
      try directory.sync()
      return nil
    }
    let temporary = SegmentName(segment.base, .temporary).text
    if try directory.status(temporary) != nil { try directory.unlink(temporary) }
    let output = try directory.open(temporary, .createNew)
    var byteCount: Int64 = 0
    do {
      byteCount = try rewrite(segment, file, until: end, into: output)
      try output.sync()
    } catch {
      try? directory.unlink(temporary)
      throw error
    }
    try directory.rename(temporary, to: sealed.text)
    try directory.sync()
    try directory.unlink(active)
    try directory.sync()
    return Segment(Segment.State(name: sealed, byteCount: byteCount, end: end, needsRepack: false, file: nil, firstHeader: nil))
  }

  /// Looks at headers only.
  private func needsRepack(_ segment: Segment, _ file: any File, _ end: Offset) throws(FileError) -> Bool {
    if segment.needsRepack { return true }
    var scanner = BlockScanner(
      file, queueID: store.queueID, range: 0..<(try file.status().size), expecting: segment.base, headersOnly: true)
    var blocks = 0
    var bytes = 0
    while let item = try scanner.next() {
      // What a newer version wrote stays as it is.
      if case .damage(_, _, _, .newerFormat) = item { return false }
      guard case .header(let header, _) = item, header.end <= end else { return true }
      if header.kind == .lines {
        blocks += 1
        bytes += header.lineByteCount
      }
    }
    guard scanner.expected == end else { return true }
    return blocks > 4 && bytes / blocks < Self.smallBlock
  }

  /// Blocks of the new file: neighbours of the same source, epoch and minute merged, never over a gap or an unended record; damage
  /// becomes a gap block.
  private func rewrite(_ segment: Segment, _ file: any File, until end: Offset, into output: any File) throws(FileError) -> Int64 {
    var writer = RepackWriter(output, salt: UInt32.random(in: 1 ... .max))
    var scanner = BlockScanner(file, queueID: store.queueID, range: 0..<(try file.status().size), expecting: segment.base)
    var last: BlockHeader?
    var reached = segment.base
    func lost(_ range: Range<Offset>, before next: BlockHeader?) throws(FileError) {
      guard let pattern = last ?? next, !range.isEmpty else { return }
      try writer.flush()
      try writer.write(Self.gap(range, after: last, before: next, pattern: pattern))
    }
    scanning: while reached < end || last == nil, let item = try scanner.next() {
      switch item {
      case .header: preconditionFailure("this scanner reads whole blocks")
      case .block(let block, _):
        if block.header.base >= end && block.header.offsetCount > 0 { break scanning }
        try writer.add(block, mergingUpTo: Self.mergedBlock)
        last = block.header
        reached = block.header.end
      case .damage(let bytes, let first, let resumesAt, let reason):
        let upTo = min(resumesAt?.base ?? end, end)
        if upTo > first || !bytes.isEmpty { _ = quarantine.setAside(file, bytes, segment: segment.name) }
        guard upTo > first else { continue }
        notify(
          QueueNotice(
            .error, "damaged blocks became a gap when their segment was sealed", ("queue.segment", segment.name.text),
            ("position", "\(bytes.lowerBound)"),
            ("first_offset", "\(first)"), ("next_offset", "\(upTo)"), ("reason", "\(reason)")))
        try lost(first..<upTo, before: resumesAt)
        reached = upTo
      }
    }
    if reached < end {
      try lost(reached..<end, before: try store.successor(of: segment)?.header(in: store.directory, queueID: store.queueID))
    }
    try writer.flush()
    return writer.position
  }

  /// The gap block for records that can't be read any more; the counters on both sides tell how many they were.
  private static func gap(_ range: Range<Offset>, after last: BlockHeader?, before next: BlockHeader?, pattern: BlockHeader) -> StoredBlock
  {
    let after = next.map { Tally(before: $0) }
    // With nothing sound before it, the range's own length is all that is known.
    var before = last.map { Tally(after: $0) } ?? Tally(before: pattern)
    if last == nil { before.records -= min(UInt64(range.count), before.records) }
    let records = after.map { $0.records >= before.records ? $0.records - before.records : 0 } ?? UInt64(range.count)
    let bytes = after.map { $0.bytes >= before.bytes ? $0.bytes - before.bytes : 0 } ?? 0
    let gap = Gap(
      reason: .corruptBlock, records: records, bytes: bytes, firstTime: pattern.lastTime, lastTime: next?.firstTime ?? pattern.lastTime)
    return StoredBlock(
      lineless: BlockHeader(
        kind: .gap, queueID: pattern.queueID, salt: 0, base: range.lowerBound, offsetCount: UInt64(range.count),
        firstTime: pattern.lastTime,
        lastTime: next?.firstTime ?? pattern.lastTime, openAge: pattern.openAge, epoch: pattern.epoch, cumulativeRecords: before.records,
        cumulativeBytes: before.bytes, cumulativeLost: before.lost, durableEnd: pattern.durableEnd, entries: [.gap(gap)]))
  }
}

/// Writes blocks under a new salt, putting small neighbours together.
private struct RepackWriter {
  private let file: any File
  private let salt: UInt32
  private(set) var position: Int64 = 0
  private var gathered: [StoredBlock] = []
  private var gatheredBytes = 0

  init(_ file: any File, salt: UInt32) {
    self.file = file
    self.salt = salt
  }

  mutating func add(_ block: StoredBlock, mergingUpTo limit: Int) throws(FileError) {
    let header = block.header
    guard header.kind == .lines else {
      try flush()
      try write(block)
      return
    }
    if let last = gathered.last?.header {
      let fits =
        gatheredBytes + header.lineByteCount <= limit
        && gathered.reduce(0, { $0 + entryBytes($1) }) + entryBytes(block) <= SegmentQueue.entryByteLimit
      let belongs =
        last.keyedBody == nil && header.keyedBody == nil && last.source == header.source && last.epoch == header.epoch
        && !last.flags.contains(.lastIsUnended)
        && !header.flags.contains(.firstContinues)
        && gathered[0].header.firstTime / 60_000_000_000 == header.firstTime / 60_000_000_000
      if !(fits && belongs) { try flush() }
    }
    gathered.append(block)
    gatheredBytes += header.lineByteCount
  }

  private func entryBytes(_ block: StoredBlock) -> Int { block.header.entries.reduce(0) { $0 + $1.encodedByteCount } }

  mutating func flush() throws(FileError) {
    defer {
      gathered.removeAll(keepingCapacity: true)
      gatheredBytes = 0
    }
    guard let first = gathered.first, let last = gathered.last else { return }
    guard gathered.count > 1, let merged = merge(first, last) else {
      for block in gathered { try write(block) }
      return
    }
    try write(merged)
  }

  /// One block of all that was gathered; nil when one of them doesn't inflate (they are then kept as they are).
  private func merge(_ first: StoredBlock, _ last: StoredBlock) -> StoredBlock? {
    var batch = RecordBatch(minimumCapacity: gatheredBytes)
    var changes: [BlockEntry] = []
    for block in gathered {
      guard let lines = try? block.lines() else { return nil }
      lines.withUnsafeBytes { batch.appendLines($0, count: block.header.recordCount) }
      changes += block.header.entries
    }
    var header = first.header
    header.flags = first.header.flags.union(last.header.flags)
    header.offsetCount = UInt64(last.header.end - first.header.base)
    header.lastTime = last.header.lastTime
    header.openAge = last.header.openAge
    header.durableEnd = last.header.durableEnd
    header.entries = Self.latest(changes)
    header.salt = salt
    let entryBytes = header.entries.reduce(0) { $0 + $1.encodedByteCount }
    return StoredBlock(header, completing: StoredBlock.prepare(batch.intoSharedBytes(), entryBytes: entryBytes, codec: .shared))
  }

  /// Of several checkpoints of a stream only the last counts; an identity that an earlier one gave is kept.
  private static func latest(_ entries: [BlockEntry]) -> [BlockEntry] {
    struct Key: Hashable {
      var source: UInt32
      var stream: UInt32
    }
    var latest: [Key: Int] = [:]
    var result: [BlockEntry] = []
    for entry in entries {
      switch entry {
      case .checkpoint(let source, let stream, let identity, let value):
        let key = Key(source: source, stream: stream)
        var identity = identity
        if let index = latest[key] {
          if identity == nil, case .checkpoint(_, _, let earlier, _) = result[index] { identity = earlier }
          result[index] = .checkpoint(source: source, stream: stream, identity: identity, value: value)
        } else {
          latest[key] = result.count
          result.append(entry)
        }
      case .forget(let source, let stream):
        let key = Key(source: source, stream: stream)
        if let index = latest.removeValue(forKey: key) { result[index] = entry } else { result.append(entry) }
      default: result.append(entry)
      }
    }
    return result
  }

  mutating func write(_ block: StoredBlock) throws(FileError) {
    var moved = block
    if block.header.salt != salt {
      var header = block.header
      header.salt = salt
      moved = StoredBlock(header, copying: block.deflated)
    }
    let at = position
    try moved.member.withUnsafeBytes { bytes throws(FileError) in try file.write(bytes, at: at) }
    position += Int64(moved.member.count)
  }
}
