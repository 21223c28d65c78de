internal import DurableFiles
internal import RecordBlocks
internal import SystemPackage

/// Makes an appendable log of whatever a directory holds: after a clean stop, a `kill -9`, a power cut, or damage.
///
/// *D* is the highest durable end that anything sound tells: a block's header, a cursor, the `lock` file. What can't be read below D is
/// damage: it stays, as a gap for
/// readers, its neighbours served, its bytes set aside. At or above D it is a torn tail: cut from the first invalid block on, even when
/// sound blocks follow, for a successor's checkpoint would
/// otherwise skip the lost block's lines for good.
///
/// Before anything is published: the cut, a sync of the segment and of the directory (after a `kill -9`, sound blocks may be in the page
/// cache only), a block of the new epoch, synced.
/// It reads the active segment and names and sizes of the others. A second crash at any point finds the same, or what this one has
/// finished.
struct Recovery {
  let directory: any Directory
  let quarantine: Quarantine
  let clock: any QueueClock
  let notify: (QueueNotice) -> Void
  /// Ends told by cursors (cursor and in-flight end) and by the lock file.
  let toldEnds: [Offset]
  let queueID: QueueID
  /// Called with the nanoseconds by which the queue has aged while it was closed, before anything tells of them: they are no consumer's
  /// silence.
  let agedWhileClosed: (UInt64) -> Void

  struct Result {
    var store: SegmentStore
    var writer: LogWriter
    var table: CheckpointTable
  }

  /// Everything that one walk over a segment finds out.
  private struct Walk {
    var headers: [(header: BlockHeader, position: Int64)] = []
    var damage: [(bytes: Range<Int64>, first: Offset, resumesAt: Offset?, reason: BlockDamage)] = []
    var size: Int64 = 0
    var end: Offset
    var file: any File
    /// How old the queue was at its newest block. Not the last one's age: a block that was written again after a failed sync keeps its own.
    var age: UInt64 { headers.map(\.header.openAge).max() ?? 0 }
    var hasCompleteSnapshot: Bool {
      headers.first { $0.header.kind != .snapshot || $0.header.flags.contains(.snapshotComplete) }?.header.flags.contains(.snapshotComplete)
        ?? false
    }
  }

  func run() throws(QueueError) -> Result {
    try unifyingErrors {
      var names = try segmentNames()
      try resolveDoubles(&names)
      return try assemble(try dropUnfinished(names))
    }
  }

  /// The identity that the segments tell: `expected`, when one of them has it, else the newest one's. Mostly one header is read.
  static func identity(toldBy directory: any Directory, expecting expected: QueueID? = nil) throws(FileError) -> QueueID? {
    var newest: QueueID?
    for name in try directory.names().compactMap(SegmentName.init).reversed() where name.state != .temporary {
      let bytes = try directory.open(name.text, .read).read(65_552, at: 0)
      if let header = try? bytes.withUnsafeBytes({ bytes throws(BlockDamage) in try BlockHeader(decoding: bytes) }) {
        if expected == nil || header.queueID == expected { return header.queueID }
        newest = newest ?? header.queueID
      }
    }
    return newest
  }

  private func segmentNames() throws(FileError) -> [SegmentName] {
    var names: [SegmentName] = []
    for text in try directory.names() {
      guard let name = SegmentName(text) else {
        notify(
          QueueNotice(.warning, "a file among the segments is not ours and was left alone", ("file", directory.path.appending(text).string))
        )
        continue
      }
      if name.state == .temporary { try directory.unlink(text) } else { names.append(name) }
    }
    return names.sorted { ($0.base, $0.state.rawValue.utf8.count) < ($1.base, $1.state.rawValue.utf8.count) }
  }

  /// A seal by repacking was cut short between its rename and its unlink: both names are there, and the active one may go if
  /// they end alike and every block of the sealed one is sound.
  private func resolveDoubles(_ names: inout [SegmentName]) throws {
    var index = 0
    while index + 1 < names.count {
      guard names[index].base == names[index + 1].base else {
        index += 1
        continue
      }
      let limit = index + 2 < names.count ? names[index + 2].base : nil
      let copy = try walk(names[index], headersOnly: false)
      let sealed = min(copy.end, limit ?? Offset(.max))
      let active = min(try walk(names[index + 1], headersOnly: true).end, limit ?? Offset(.max))
      guard copy.damage.isEmpty else {
        throw QueueError(
          .damaged,
          "\(directory.path) has \(names[index].text), which is damaged, and \(names[index + 1].text); keep the one you trust and move the other away. Nothing was changed"
        )
      }
      guard sealed == active else {
        throw QueueError(
          .damaged,
          "\(directory.path) has \(names[index].text), which ends at offset \(sealed), and \(names[index + 1].text), which ends at \(active); keep the one you trust and move the other away. Nothing was changed"
        )
      }
      // The rename may not be on the disk yet: a power cut must not take it back and keep the unlink.
      try directory.sync()
      try directory.unlink(names[index + 1].text)
      try directory.sync()
      names.remove(at: index + 1)
    }
  }

  /// An `.active` whose snapshot isn't complete never held a block: it goes, and the log ends before it.
  private func dropUnfinished(_ names: [SegmentName]) throws -> [SegmentName] {
    var names = names
    while let last = names.last, last.state == .active {
      let found = try walk(last, headersOnly: true)
      let neverUsed =
        !found.hasCompleteSnapshot && !found.headers.contains { $0.header.kind != .snapshot } && (toldEnds.max() ?? .zero) <= last.base
      guard neverUsed else { break }
      _ = quarantine.setAside(found.file, 0..<found.size, segment: last)
      try directory.unlink(last.text)
      try directory.sync()
      names.removeLast()
    }
    return names
  }

  private func assemble(_ names: [SegmentName]) throws -> Result {
    let store = SegmentStore(directory, queueID: queueID, segments: [])
    for (index, name) in names.enumerated().dropLast() {
      let size = try directory.status(name.text)?.size ?? 0
      store.append(
        Segment(Segment.State(name: name, byteCount: size, end: names[index + 1].base, needsRepack: false, file: nil, firstHeader: nil)))
    }
    guard let last = names.last else {
      return try begin(store, after: nil, age: 0, table: CheckpointTable(), end: max(toldEnds.max() ?? .zero, .zero))
    }

    var found = try walk(last, headersOnly: false)
    let durableEnd = max(toldEnds.max() ?? .zero, found.headers.map(\.header.durableEnd).max() ?? .zero, last.base)
    try refuseImpossible(found, end: max(found.end, durableEnd))
    if last.state == .active {
      try cutTornTail(&found, last, durableEnd: durableEnd)
      if found.headers.isEmpty, durableEnd <= last.base {
        // Nothing durable was ever in it, and not even its snapshot is left.
        try directory.unlink(last.text)
        try directory.sync()
        return try assemble(names.dropLast())
      }
    }
    var table = try tableBefore(last, among: names, startsWithSnapshot: found.hasCompleteSnapshot)
    for (header, _) in found.headers { table.apply(header.entries) }
    let segment = Segment(
      Segment.State(
        name: last, byteCount: found.size, end: found.end, needsRepack: !found.damage.isEmpty, file: nil,
        firstHeader: found.headers.first?.header))
    store.append(segment)
    for damage in found.damage { reportDamage(damage, last, found.file) }
    let end = max(found.end, durableEnd)
    guard last.state == .active, let header = found.headers.last?.header, let salt = found.headers.first?.header.salt else {
      // Sealed, or damaged beyond use: the log goes on in a new segment. A hole between the two is a gap.
      let next = end == last.base ? end + 1 : end
      segment.update { $0.end = next }
      let teller = found.headers.isEmpty ? try newestWalk(before: last, among: names) ?? found : found
      return try begin(store, after: teller.headers.last?.header, age: openAge(after: teller), table: table, end: next)
    }
    segment.update { $0.file = found.file }
    let age = openAge(after: found)
    var writer = LogWriter(
      store: store, clock: clock, epoch: header.epoch + 1, age: age,
      active: LogWriter.Active(
        segment: segment, file: found.file, salt: salt, position: found.size, createdAge: found.headers[0].header.openAge),
      end: found.end, tally: Tally(after: header))
    if found.end == last.base {
      // It holds no offset. An earlier process may have been unable to sync its snapshot, and to say so: a new file costs as little as a
      // sync of this one, which would prove nothing.
      try writer.replaceActive(durableEnd: last.base, durableTally: Tally(after: header), table: table)
      return try open(writer, store, table, end: end)
    }
    let older = { try tableBefore(last, among: names, startsWithSnapshot: found.hasCompleteSnapshot) }
    if found.headers.contains(where: { $0.header.kind != .snapshot && $0.header.base >= durableEnd }) {
      try leave(found, of: segment, &writer, durableEnd: durableEnd, table: older())
    } else {
      do throws(FileError) { try found.file.sync() } catch {
        notify(
          QueueNotice(
            .error, "the active segment can't be synced and is left; the log goes on in a new one", ("queue.segment", segment.name.text),
            ("error", error.description)))
        try leave(found, of: segment, &writer, durableEnd: durableEnd, table: older())
      }
    }
    try directory.sync()
    return try open(writer, store, table, end: end)
  }

  /// Refuses to go on with numbers that no queue has counted to, which somebody else wrote under right checksums: the next ones would not
  /// fit a block's header any more.
  private func refuseImpossible(_ found: Walk, end: Offset) throws(QueueError) {
    let epoch = found.headers.map(\.header.epoch).max() ?? 0
    guard end.rawValue > .max / 4 || epoch > .max / 2 || found.age > .max / 4 else { return }
    throw QueueError(
      .damaged,
      "the newest segment in \(directory.path) or a consumer's file tells of offset \(end), epoch \(epoch) and \(found.age) ns, which no queue gets to; move away what Sluice didn't write. Nothing was changed"
    )
  }

  /// What is at or above D may be in the page cache only: its sync was still to come when the last process ended, or had failed, and after
  /// that another one says nothing. So it is written again in a new segment, which takes its place once it is on the disk as a whole: some of
  /// it may have been acknowledged, and no sound teller of that was left.
  private func leave(
    _ found: Walk, of segment: Segment, _ writer: inout LogWriter, durableEnd: Offset, table: CheckpointTable
  ) throws {
    let split = found.headers.firstIndex { $0.header.kind != .snapshot && $0.header.base >= durableEnd } ?? found.headers.count
    let kept = found.headers[..<split]
    let position = split < found.headers.count ? found.headers[split].position : found.size
    var table = table
    for (header, _) in kept { table.apply(header.entries) }
    var blocks: [StoredBlock] = []
    var scanner = BlockScanner(
      found.file, queueID: queueID, range: position..<found.size, expecting: kept.last?.header.end, salt: kept.last?.header.salt)
    while case .block(let block, _)? = try scanner.next() { blocks.append(block) }
    let base = blocks.first?.header.base ?? kept.last?.header.end ?? segment.base
    let tally = blocks.first.map { Tally(before: $0.header) } ?? kept.last.map { Tally(after: $0.header) } ?? Tally()
    try writer.replaceActive(durableEnd: base, durableTally: tally, table: table, keeping: position, moving: blocks)
  }

  /// Starts the log in a new segment.
  private func begin(_ store: SegmentStore, after header: BlockHeader?, age: UInt64, table: CheckpointTable, end: Offset)
    throws(FileError) -> Result
  {
    var tally = header.map { Tally(after: $0) } ?? Tally()
    // Offsets that were given out and are not there: the counters go on behind them, so that each reader is told how many they are.
    tally.records = tally.records.addingClamped(UInt64(end - (header?.end ?? .zero)))
    let writer = try LogWriter(
      store: store, clock: clock, epoch: (header?.epoch ?? 0) + 1, age: age, table: table, end: end, tally: tally)
    return try open(writer, store, table, end: end)
  }

  /// The new epoch's first blocks: its mark, and a gap for offsets that were told and are not there. Synced before anything is published.
  private func open(_ writer: LogWriter, _ store: SegmentStore, _ table: CheckpointTable, end: Offset) throws(FileError) -> Result {
    var writer = writer
    var table = table
    let mark: [BlockEntry] = [.epoch(number: writer.epoch, first: end)]
    let durableEnd = writer.end
    if end > writer.end {
      let missing = UInt64(end - writer.end)
      let now = clock.wall()
      let gap = Gap(reason: .lostTail, records: missing, bytes: 0, firstTime: now, lastTime: now)
      _ = try writer.append(.gap, offsetCount: missing, entries: [.gap(gap)] + mark, durableEnd: durableEnd)
      notify(
        QueueNotice(
          .error, "records that were durable are missing from the end of the log; they are a gap now",
          ("queue.first_offset", "\(durableEnd)"),
          ("queue.next_offset", "\(end)"), ("queue.directory", directory.path.string)))
    } else {
      _ = try writer.append(.mark, entries: mark, durableEnd: durableEnd)
    }
    table.apply(mark)
    try writer.active.file.sync()
    let (end, position) = (writer.end, writer.active.position)
    writer.active.segment.update { state in
      state.end = end
      state.byteCount = position
    }
    return Result(store: store, writer: writer, table: table)
  }

  private func walk(_ name: SegmentName, headersOnly: Bool) throws -> Walk {
    let file = try name.state == .active ? directory.openUnshared(name.text, .update) : directory.open(name.text, .read)
    let size = try file.status().size
    var scanner = BlockScanner(file, queueID: queueID, range: 0..<size, expecting: name.base, headersOnly: headersOnly)
    var walk = Walk(size: size, end: name.base, file: file)
    while let item = try scanner.next() {
      switch item {
      case .block(let block, let position):
        walk.headers.append((block.header, position))
        walk.end = block.header.end
      case .header(let header, let position):
        walk.headers.append((header, position))
        walk.end = header.end
      case .damage(let bytes, let first, let resumesAt, let reason):
        if reason == .newerFormat {
          throw QueueError(newerBlockIn: directory.path.appending(name.text), at: bytes.lowerBound)
        }
        walk.damage.append((bytes, first, resumesAt?.base, reason))
      }
    }
    return walk
  }

  /// Cuts the file at the first invalid block at or above D, or behind the last sound block when damage below D reaches the file's end.
  private func cutTornTail(_ walk: inout Walk, _ name: SegmentName, durableEnd: Offset) throws(FileError) {
    guard let torn = walk.damage.first(where: { $0.first >= durableEnd || $0.resumesAt == nil }) else { return }
    let kept = quarantine.setAside(walk.file, torn.bytes.lowerBound..<walk.size, segment: name)
    let position = torn.bytes.lowerBound
    notify(
      QueueNotice(
        torn.first >= durableEnd ? .notice : .error,
        torn.first >= durableEnd
          ? "a torn tail was cut off: bytes that were never acknowledged" : "the end of the active segment is damaged and was cut off",
        ("queue.segment", name.text), ("position", "\(position)"), ("bytes", "\(walk.size - position)"), ("set_aside_as", kept ?? "nothing")
      ))
    try walk.file.truncate(to: position)
    walk.headers.removeAll { $0.position >= position }
    walk.damage.removeAll { $0.bytes.lowerBound >= position }
    walk.size = position
    walk.end = walk.headers.last?.header.end ?? name.base
  }

  private func reportDamage(
    _ damage: (bytes: Range<Int64>, first: Offset, resumesAt: Offset?, reason: BlockDamage), _ name: SegmentName, _ file: any File
  ) {
    let kept = quarantine.setAside(file, damage.bytes, segment: name)
    notify(
      QueueNotice(
        .error, "a segment is damaged; its readable records are served, the others are a gap", ("queue.segment", name.text),
        ("position", "\(damage.bytes.lowerBound)"), ("bytes", "\(damage.bytes.count)"), ("first_offset", "\(damage.first)"),
        ("next_offset", damage.resumesAt.map { "\($0)" } ?? "the segment's end"), ("reason", "\(damage.reason)"),
        ("set_aside_as", kept ?? "nothing")))
  }

  /// The table as it stood when `last` began. Mostly empty, for `last` begins with a complete snapshot; when that one is damaged, older
  /// segments tell.
  private func tableBefore(_ last: SegmentName, among names: [SegmentName], startsWithSnapshot: Bool) throws -> CheckpointTable {
    var table = CheckpointTable()
    guard !startsWithSnapshot else { return table }
    var walks: [Walk] = []
    for name in names.dropLast().reversed() {
      walks.append(try walk(name, headersOnly: true))
      if walks.last!.hasCompleteSnapshot { break }
    }
    for walk in walks.reversed() { for (header, _) in walk.headers { table.apply(header.entries) } }
    return table
  }

  /// The newest segment before `last` with a sound header: counters, epoch and age go on from it when `last` has none.
  private func newestWalk(before last: SegmentName, among names: [SegmentName]) throws -> Walk? {
    for name in names.reversed() where name.base < last.base {
      let walk = try walk(name, headersOnly: true)
      if !walk.headers.isEmpty { return walk }
    }
    return nil
  }

  /// Time while the queue was closed counts as age only when the kernel says that the clock is right.
  private func openAge(after found: Walk) -> UInt64 {
    guard clock.wallIsSynchronised(), let last = found.headers.last?.header else { return found.age }
    let closed = UInt64(max(0, clock.wall() - last.lastTime))
    if closed > 0 { agedWhileClosed(closed) }
    return found.age + closed
  }
}
