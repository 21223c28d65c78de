internal import DurableFiles
internal import RecordBlocks

/// Writes blocks into the active segment and starts new ones. Used by one thread at a time; it never syncs blocks itself, so an append
/// never waits for the disk.
///
/// The order of a roll, and why:
/// 1. Everything in the old segment is synced (the caller sees to it): a snapshot may only tell checkpoints of records that no power cut
///   takes back.
/// 2. The new `.active` is made, its snapshot written and synced, then the directory: from here on a crash finds a complete snapshot.
/// 3. Blocks go into the new segment. Nothing older is unlinked before 2 is done.
struct LogWriter {
  struct Active {
    let segment: Segment
    let file: any File
    let salt: UInt32
    /// Where the next block goes; everything before it is in the file.
    var position: Int64
    let createdAge: UInt64
  }

  let store: SegmentStore
  let clock: any QueueClock
  let epoch: UInt32
  /// Where the queue's open time stood when this opening began, and the clock then.
  private let ageAtOpening: UInt64
  private let clockAtOpening: UInt64

  /// The name of a segment whose beginning failed half-way, until it is known to be gone: a crash could bring it back, and what stands
  /// behind its base in the segment before it would count for nothing. So nothing is written there before.
  private var halfMade: String?

  private(set) var active: Active
  /// The next offset to assign.
  private(set) var end: Offset
  private(set) var tally: Tally

  var openAge: UInt64 { ageAtOpening + (clock.monotonic() &- clockAtOpening) }
  /// Something in the active segment has an offset: only then may it roll.
  var activeHoldsOffsets: Bool { end > active.segment.base }

  /// Goes on with an active segment that recovery has found, cut and synced.
  init(store: SegmentStore, clock: any QueueClock, epoch: UInt32, age: UInt64, active: Active, end: Offset, tally: Tally) {
    self.store = store
    self.clock = clock
    self.epoch = epoch
    ageAtOpening = age
    clockAtOpening = clock.monotonic()
    self.active = active
    self.end = end
    self.tally = tally
  }

  /// Begins with a new active segment at `end`, whose snapshot is on the disk on return.
  init(store: SegmentStore, clock: any QueueClock, epoch: UInt32, age: UInt64, table: CheckpointTable, end: Offset, tally: Tally)
    throws(FileError)
  {
    self.store = store
    self.clock = clock
    self.epoch = epoch
    ageAtOpening = age
    clockAtOpening = clock.monotonic()
    self.end = end
    self.tally = tally
    active = try Self.create(
      at: end, as: .active, in: store, snapshot: table,
      template: Template(queueID: store.queueID, epoch: epoch, wall: clock.wall(), age: age, tally: tally))
    store.append(active.segment)
  }

  /// Writes a block of lines behind the last one; in the file on return. After an error nothing of it counts: its bytes are cut off or
  /// overwritten.
  mutating func append(_ prepared: StoredBlock.Prepared, _ facts: BlockFacts, durableEnd: Offset) throws(FileError) -> StoredBlock {
    let block = StoredBlock(header(facts, kind: .lines, durableEnd: durableEnd), completing: prepared)
    try write(block)
    return block
  }

  /// Writes a line-less block: a mark (0 offsets) or a gap.
  mutating func append(_ kind: BlockHeader.Kind, offsetCount: UInt64 = 0, source: UInt32 = 0, entries: [BlockEntry], durableEnd: Offset)
    throws(FileError)
    -> StoredBlock
  {
    let now = clock.wall()
    let facts = BlockFacts(source: source, recordCount: offsetCount, firstTime: now, lastTime: now, flags: [], entries: entries)
    let block = StoredBlock(lineless: header(facts, kind: kind, durableEnd: durableEnd))
    try write(block)
    return block
  }

  /// Writes a block again that a spoilt segment has lost: same lines, same offsets, new frame.
  mutating func appendAgain(_ block: StoredBlock, durableEnd: Offset) throws(FileError) -> StoredBlock {
    precondition(block.header.base == end, "blocks are written again in their order")
    let moved = block.moved(salt: active.salt, durableEnd: durableEnd)
    try write(moved)
    return moved
  }

  private mutating func write(_ block: StoredBlock) throws(FileError) {
    try clearHalfMade()
    let position = active.position
    do {
      try block.member.withUnsafeBytes { bytes throws(FileError) in try active.file.write(bytes, at: position) }
    } catch {
      // What a short write left would stand between this block's place and the end of the file; the next write goes over it, and readers
      // stop before it.
      try? active.file.truncate(to: position)
      throw error
    }
    active.position += Int64(block.member.count)
    end = block.header.end
    tally = Tally(after: block.header)
  }

  private mutating func clearHalfMade() throws(FileError) {
    guard let name = halfMade else { return }
    if try store.directory.status(name) != nil { try store.directory.unlink(name) }
    try store.directory.sync()
    halfMade = nil
  }

  /// Starts a new segment at `end`; everything before it is on the disk. On return the new one's snapshot is, too.
  mutating func roll(_ table: CheckpointTable) throws(FileError) {
    precondition(activeHoldsOffsets, "a segment without offsets is never rolled")
    try clearHalfMade()
    halfMade = SegmentName(end, .active).text
    let next = try Self.create(at: end, as: .active, in: store, snapshot: table, template: template)
    halfMade = nil
    let end = end
    active.segment.update { state in
      state.end = end
      state.file = nil
    }
    active = next
    store.append(next.segment)
  }

  /// Leaves a segment whose sync or write has failed and goes on in a new one at `durableEnd`; the blocks after it are the caller's to
  /// write again.
  ///
  /// The spoilt file is never synced again. When part of it is durable it is cut there and counts up to there (the new segment's base
  /// ends it); sealing writes it anew. When
  /// nothing of it is, the new file takes its name by a rename, so that at each moment a complete snapshot bears the name.
  ///
  /// - Parameters:
  ///   - keeping: the bytes of the spoilt file that stay; nil for those that readers know.
  ///   - blocks: are in the new segment when it appears, on the disk: what may be durable where it was must not be gone for a moment.
  mutating func replaceActive(
    durableEnd: Offset, durableTally: Tally, table: CheckpointTable, keeping: Int64? = nil, moving blocks: [StoredBlock] = []
  ) throws(FileError) {
    try clearHalfMade()
    var fresh = template
    fresh.tally = durableTally
    let spoilt = active
    if durableEnd > spoilt.segment.base {
      let next = try Self.create(
        at: durableEnd, as: blocks.isEmpty ? .active : .temporary, in: store, snapshot: table, moving: blocks, template: fresh)
      let kept = keeping ?? spoilt.segment.byteCount
      try? spoilt.file.truncate(to: kept)
      spoilt.segment.update { state in
        state.byteCount = kept
        state.end = durableEnd
        state.needsRepack = true
        state.file = nil
      }
      active = next
      store.append(next.segment)
    } else {
      active = try Self.create(at: durableEnd, as: .temporary, in: store, snapshot: table, moving: blocks, template: fresh)
      store.replaceLast(with: active.segment)
    }
    end = blocks.last?.header.end ?? durableEnd
    tally = blocks.last.map { Tally(after: $0.header) } ?? durableTally
  }

  /// What every header of this opening has.
  private struct Template {
    var queueID: QueueID
    var epoch: UInt32
    var wall: Int64
    var age: UInt64
    var tally: Tally
  }

  private var template: Template { Template(queueID: store.queueID, epoch: epoch, wall: clock.wall(), age: openAge, tally: tally) }

  private func header(_ facts: BlockFacts, kind: BlockHeader.Kind, durableEnd: Offset) -> BlockHeader {
    let age = openAge
    let entries = facts.entries.map { entry -> BlockEntry in
      // Where a keyed body stands is only known here.
      guard case .key(var body) = entry else { return entry }
      body.first = end
      body.recordCount = kind == .lines ? facts.recordCount : 0
      body.openAge = age
      return .key(body)
    }
    return BlockHeader(
      kind: kind, flags: facts.flags, queueID: store.queueID, salt: active.salt, base: end, offsetCount: facts.recordCount,
      source: facts.source,
      firstTime: facts.firstTime, lastTime: facts.lastTime, openAge: age, epoch: epoch, cumulativeRecords: tally.records,
      cumulativeBytes: tally.bytes, cumulativeLost: tally.lost, durableEnd: durableEnd, entries: entries)
  }

  private static func create(
    at base: Offset, as state: SegmentName.State, in store: SegmentStore, snapshot: CheckpointTable, moving blocks: [StoredBlock] = [],
    template: Template
  ) throws(FileError) -> Active {
    let directory = store.directory
    let name = SegmentName(base, state).text
    // Left by a roll that failed half-way; it never held a block.
    if try directory.status(name) != nil { try directory.unlink(name) }
    let file = try directory.open(name, .createNew)
    let salt = UInt32.random(in: 1 ... .max)
    var position: Int64 = 0
    var first: BlockHeader?
    do {
      let parts = snapshot.snapshotParts()
      for (index, entries) in parts.enumerated() {
        let header = BlockHeader(
          kind: .snapshot, flags: index == parts.count - 1 ? .snapshotComplete : [], queueID: template.queueID, salt: salt, base: base,
          firstTime: template.wall, lastTime: template.wall, openAge: template.age, epoch: template.epoch,
          cumulativeRecords: template.tally.records, cumulativeBytes: template.tally.bytes, cumulativeLost: template.tally.lost,
          durableEnd: base,
          entries: entries)
        let block = StoredBlock(lineless: header)
        if first == nil { first = block.header }
        try block.member.withUnsafeBytes { bytes throws(FileError) in try file.write(bytes, at: position) }
        position += Int64(block.member.count)
      }
      for block in blocks {
        let moved = block.moved(salt: salt, durableEnd: base)
        try moved.member.withUnsafeBytes { bytes throws(FileError) in try file.write(bytes, at: position) }
        position += Int64(moved.member.count)
      }
      try file.sync()
      if state == .temporary { try directory.rename(name, to: SegmentName(base, .active).text) }
      try directory.sync()
    } catch {
      if (try? directory.status(name)) != nil { try? directory.unlink(name) }
      throw error
    }
    let segment = Segment(
      Segment.State(
        name: SegmentName(base, .active), byteCount: position, end: blocks.last?.header.end ?? base, needsRepack: false, file: file,
        firstHeader: first))
    return Active(segment: segment, file: file, salt: salt, position: position, createdAge: template.age)
  }
}

extension StoredBlock {
  /// The same lines and offsets in the frame of another segment.
  fileprivate func moved(salt: UInt32, durableEnd: Offset) -> StoredBlock {
    var header = header
    header.salt = salt
    header.durableEnd = durableEnd
    return StoredBlock(header, copying: deflated)
  }
}

/// What a block's header says that its writer doesn't know: the source's part.
struct BlockFacts {
  var source: UInt32
  var recordCount: UInt64
  var firstTime: Int64
  var lastTime: Int64
  var flags: BlockHeader.Flags
  var entries: [BlockEntry]
}
