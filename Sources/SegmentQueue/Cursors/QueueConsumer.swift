internal import DurableFiles
public import RecordBlocks

/// A named reader of a queue with its saved place. Its cursor is its own: what it does or doesn't do slows no source and no other
/// consumer while there is room.
///
/// One reader at a time: a second that reads under the same name would only disturb the first's place. All methods that touch the disk
/// block.
public final class QueueConsumer: Sendable {
  struct State {
    var file: Result<CursorFile, QueueError>
    var reader: LogReader?
    /// Counters at ends of batches that were read and not yet committed.
    var marks: [Offset: Tally] = [:]
    /// Losses that were read as gaps and not yet committed past, by their first offset.
    var toldLosses: [Offset: (end: Offset, records: UInt64, bytes: UInt64)] = [:]
    var lastCallAge: UInt64
    /// A sink of a running pipeline: never silent.
    var isOpen = false
    /// The ranges on loan, by their first offset.
    var loans: [Offset: Loan] = [:]
  }

  /// The consumer's name.
  public let name: String
  unowned let queue: SegmentQueue
  let state: Monitor<State>
  /// Tells of leases that came back.
  let leasesChanged = ChangeSignal()

  /// Ends of uncommitted batches that are remembered; a consumer that reads further without a commit has its counters looked up.
  private static let markLimit = 1024

  init(_ name: String, _ queue: SegmentQueue, _ file: Result<CursorFile, QueueError>) {
    self.name = name
    self.queue = queue
    var age: UInt64 = 0
    var loans: [Offset: Loan] = [:]
    if case .success(let file) = file {
      age = file.current.lastCallAge
      loans = Self.loans(of: file.current, now: queue.clock.monotonic())
    }
    state = Monitor(State(file: file, lastCallAge: age, loans: loans))
  }

  /// Letters, digits, `.`, `_`, `-`, at most 64, first a letter or digit; not ending like the files that stand beside a consumer's.
  public static func isValid(name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard (1...64).contains(bytes.count), !name.hasSuffix(".files"), !name.hasSuffix(".tmp") else { return false }
    func isWord(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
    return isWord(bytes[0]) && bytes.allSatisfy { isWord($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D }
  }

  // MARK: Facts

  private var record: CursorRecord? { state.withLock { try? $0.file.get().current } }

  /// What kind of reader it is.
  public var kind: ConsumerKind { record?.kind ?? .pull }
  /// The committed place: the next record to read.
  public var cursor: Offset { record?.cursor ?? .zero }
  /// Committed with the cursor before a batch was sent where it can't be taken back: after a crash exactly `cursor..<inFlightEnd` is sent
  /// again.
  public var inFlightEnd: Offset? { record?.inFlightEnd }
  /// How often it was set to another place; part of the key under which batches are sent.
  public var seekCount: UInt64 { record?.seekCount ?? 0 }
  /// What the sink committed with the cursor.
  public var sinkState: [UInt8]? { record?.state }
  /// Records at the cursor are gone: a gap will be read first.
  public var dataWasLost: Bool { record?.loss != nil }
  /// What it is told next when records at its cursor are gone; nil when none are. Blocking (disk).
  public var pendingLoss: QueueFiles.PendingLoss? {
    guard var loss = record?.pendingLoss(startOffset: queue.startOffset, tally: { try? queue.makeReader().tally(at: $0) }) else {
      return nil
    }
    loss.gap.tellTime(queue.clock.wall())
    return loss
  }
  /// What it pins.
  public var hold: Hold { record?.hold ?? .all }
  /// Why its file can't be used, if it can't.
  public var failure: QueueError? {
    state.withLock { state in
      if case .failure(let error) = state.file { return error }
      return nil
    }
  }

  /// What may not be deleted for its sake: everything, when its file is unreadable.
  var needed: Offset { state.withLock { (try? $0.file.get().needed) ?? .zero } }

  func silence(at age: UInt64) -> UInt64 {
    state.withLock { state in
      // One whose file can't be read holds everything until that is decided: nobody knows when it called last.
      guard case .success = state.file, !state.isOpen else { return 0 }
      return age &- min(age, state.lastCallAge)
    }
  }

  // MARK: Reading

  /// What is durable from `offset` on within the limits: records, or the one gap that stands there; nil when nothing durable is there.
  /// Blocking (disk).
  ///
  /// Batches snap down to whole blocks where one fits; else a block is cut. One record longer than `maxBytes` comes alone. A batch ends
  /// before a gap.
  public func read(from offset: Offset, limits: BatchLimits) throws(QueueError) -> QueueBatch? {
    let age = queue.openAge
    return try state.withLock { state throws(QueueError) in
      state.lastCallAge = age
      let record = try state.file.get().current
      if let loss = record.loss, offset < loss.end { return try gap(offset, loss, record, &state) }
      // Segments that are missing without a word were nobody's decision; the counters tell all the same what was in them.
      let start = queue.startOffset
      if offset < start { return try gap(offset, CursorRecord.Loss(end: start, reason: .retention), record, &state) }
      let reader = state.reader ?? queue.makeReader()
      state.reader = reader
      guard let batch = try reader.read(from: offset, limits: limits) else { return nil }
      if state.marks.count >= Self.markLimit { state.marks.removeAll() }
      state.marks[batch.next] = batch.tally
      return batch
    }
  }

  /// The loss that begins at the cursor, from `offset` on.
  private func gap(_ offset: Offset, _ loss: CursorRecord.Loss, _ record: CursorRecord, _ state: inout State) throws(QueueError)
    -> QueueBatch
  {
    let before = state.marks[offset] ?? record.tally
    let after = try queue.makeReader().tally(at: loss.end)
    state.marks[loss.end] = after
    var loss = loss
    // What gaps were read since the cursor had of these bytes isn't known: then none are told twice.
    if before.lost != record.tally.lost { loss.gapBytes = 0 }
    var gap = loss.gap(from: before, to: after)
    gap.tellTime(queue.clock.wall())
    if state.toldLosses.count >= Self.markLimit { state.toldLosses.removeAll() }
    state.toldLosses[offset] = (
      loss.end, after.records - min(before.records, after.records), after.bytes - min(before.bytes, after.bytes)
    )
    return QueueBatch(first: offset, next: loss.end, content: .gap(gap), byteCount: 0, recordCount: 0, tally: after)
  }

  // MARK: Committing

  /// Saves the consumer's place; on the disk on return (one `fdatasync`). Blocking.
  ///
  /// - Parameters:
  ///   - cursor: the next record to read; not before the committed one.
  ///   - inFlightEnd: the end of a batch that is about to be sent where it can't be taken back.
  ///   - sinkState: what the sink needs to go on from exactly here; nil leaves it as it is.
  ///   - dropped: the records that this passes were never delivered: they count as lost to this consumer.
  public func commit(_ cursor: Offset, inFlightEnd: Offset? = nil, sinkState: [UInt8]? = nil, dropping dropped: Bool = false)
    throws(QueueError)
  {
    let durableEnd = queue.durableEnd
    guard cursor <= durableEnd, inFlightEnd.map({ $0 >= cursor && $0 <= durableEnd }) ?? true else {
      throw QueueError(.invalidOffset, "consumer '\(name)' can't be committed at \(cursor): the durable end is \(durableEnd)")
    }
    let age = queue.openAge
    try state.withLock { state throws(QueueError) in
      var file = try state.file.get()
      let record = file.current
      guard record.ledger == nil else {
        throw QueueError(.wrongMode, "consumer '\(name)' is one of leases: its cursor follows what is acknowledged")
      }
      guard cursor >= record.cursor else {
        throw QueueError(
          .invalidOffset, "consumer '\(name)' is at \(record.cursor) and can't be committed back at \(cursor); seek it there instead")
      }
      let tally = try tally(at: cursor, record, &state)
      state.lastCallAge = age
      let lost = try lost(upTo: cursor, tally, record, dropped: dropped, &state)
      try change(&file, &state) { new in
        if let loss = new.loss, cursor >= loss.end { new.loss = nil }
        // Gaps that were read before they were deleted: their bytes would be told twice.
        if tally.lost != new.tally.lost { new.loss?.gapBytes = 0 }
        new.lostRecords = new.lostRecords.addingClamped(lost.records)
        new.lostBytes = new.lostBytes.addingClamped(lost.bytes)
        new.cursor = cursor
        new.tally = tally
        new.inFlightEnd = inFlightEnd
        new.lastCallAge = age
        if let sinkState { new.state = sinkState }
      }
      state.marks = state.marks.filter { $0.key >= cursor }
      state.toldLosses = state.toldLosses.filter { $0.key >= cursor }
    }
    queue.consumerMoved()
  }

  /// What a commit at `cursor` adds to the losses: all that it passes when that was dropped, else what was read as a gap. What was read
  /// as records before it was deleted is not lost.
  private func lost(upTo cursor: Offset, _ tally: Tally, _ record: CursorRecord, dropped: Bool, _ state: inout State) throws(QueueError)
    -> (records: UInt64, bytes: UInt64)
  {
    func since(_ before: Tally, _ after: Tally) -> (records: UInt64, bytes: UInt64) {
      (after.records - min(before.records, after.records), after.bytes - min(before.bytes, after.bytes))
    }
    if dropped { return since(record.tally, tally) }
    let told = state.toldLosses.values.filter { $0.end <= cursor }
    guard told.isEmpty, let loss = record.loss, cursor >= loss.end, state.marks[cursor] == nil else {
      return told.reduce((0, 0)) { ($0.0 + $1.records, $0.1 + $1.bytes) }
    }
    // Nothing was read at all.
    return since(record.tally, try queue.makeReader().tally(at: loss.end))
  }

  /// Sets the consumer to another place, back or forth; its keys change. Blocking; durable on return.
  public func seek(to place: StartAt) throws(QueueError) {
    let (start, end) = (queue.startOffset, queue.durableEnd)
    let target: Offset
    switch place {
    case .oldest: target = start
    case .newest: target = end
    case .at(let raw):
      target = Offset(raw)
      guard target >= start, target <= end else {
        throw QueueError(.invalidOffset, "offset \(raw) is not in the queue: it has \(start) to \(end)")
      }
    }
    try state.withLock { state throws(QueueError) in
      var file = try state.file.get()
      let tally = try queue.makeReader().tally(at: target)
      try change(&file, &state) { new in
        new.cursor = target
        new.tally = tally
        new.inFlightEnd = nil
        new.loss = nil
        new.seekCount += 1
        new.state = nil
        new.ledger?.ranges.removeAll()
      }
      state.loans.removeAll()
      state.marks.removeAll()
      state.toldLosses.removeAll()
      state.reader = nil
    }
    settle(before: target)
    queue.consumerMoved()
    leasesChanged.signal()
  }

  /// Opens the file again, which couldn't be read when the queue was opened: descriptors or the disk were in trouble.
  func readAgain(in directory: any Directory) throws(QueueError) {
    let (id, durableEnd) = (queue.id, queue.durableEnd)
    try state.withLock { state throws(QueueError) in
      let file: CursorFile
      do throws(CursorFile.Failure) {
        guard let found = try CursorFile(opening: name, in: directory, queueID: id) else { return }
        file = found
      } catch {
        guard case .file(let error) = error else { return }
        throw QueueError(error)
      }
      // Recovery didn't hear of it: offsets that it knows may have been given again.
      let known = max(file.current.cursor, file.current.inFlightEnd ?? .zero)
      guard known <= durableEnd else {
        throw QueueError(
          .io,
          "consumer '\(name)' stands at \(known), ahead of the log's end \(durableEnd), and couldn't be read when the queue was opened; open the queue again"
        )
      }
      state.lastCallAge = file.current.lastCallAge
      state.loans = Self.loans(of: file.current, now: queue.clock.monotonic())
      state.file = .success(file)
    }
  }

  /// Changes what it may pin. Blocking; durable on return.
  public func changeHold(to hold: Hold) throws(QueueError) {
    try state.withLock { state throws(QueueError) in
      var file = try state.file.get()
      if file.current.hold != hold { try change(&file, &state) { $0.hold = hold } }
    }
    queue.consumerMoved()
  }

  /// A declared consumer's settings, as its pipeline file has them now. A sink runs from now on; a batch job that is declared hasn't called.
  func open(hold: Hold) throws(QueueError) {
    let age = queue.openAge
    try state.withLock { state throws(QueueError) in
      var file = try state.file.get()
      if file.current.kind == .sink {
        state.isOpen = true
        state.lastCallAge = age
      }
      if file.current.hold != hold {
        try change(&file, &state) { $0.hold = hold }
      }
    }
  }

  // MARK: Retention's side

  /// Brings the older slot past `end` when the newer one is: for what both are past may go.
  func settle(before end: Offset) {
    state.withLock { state in
      guard case .success(var file) = state.file, file.needed < end, file.current.needed >= end else { return }
      try? change(&file, &state) { _ in }
    }
  }

  /// Records before `newStart` are about to go and this consumer has not read them: it is written into both its slots first.
  /// - Parameter gaps: the gaps of the log that go with them, by their offsets.
  func lose(upTo newStart: Offset, _ reason: Gap.Reason, gaps: [(offset: Offset, bytes: UInt64)]) throws(FileError) {
    let now = queue.clock.wall()
    try state.withLock { state throws(FileError) in
      guard case .success(var file) = state.file else { return }
      // Also after an error: the file knows that it is spoilt.
      defer { state.file = .success(file) }
      for _ in 0..<2 where file.needed < newStart {
        // Also after an error: the file knows that it is spoilt.
        defer { state.file = .success(file) }
        try file.commit { record in
          guard record.needed < newStart else { return }
          let gapBytes = gaps.reduce(UInt64(0)) { $0.addingClamped($1.offset >= record.needed ? $1.bytes : 0) }
          record.loss = CursorRecord.Loss(
            end: newStart, reason: reason, firstTime: record.loss?.firstTime ?? now, lastTime: now,
            gapBytes: (record.loss?.gapBytes ?? 0).addingClamped(gapBytes))
        }
      }
    }
  }

  /// The file of `segment` was unlinked: an idle reader must not keep its space.
  func letGo(of segment: Segment) { state.withLock { $0.reader?.letGo(of: segment) } }

  func removeFile() throws(FileError) {
    try state.withLock { state throws(FileError) in
      guard case .success(let file) = state.file else { return }
      try file.remove()
      state.file = .failure(QueueError(.unknownConsumer, "the consumer '\(name)' was deleted"))
    }
  }

  func change(_ file: inout CursorFile, _ state: inout State, _ body: (inout CursorRecord) -> Void) throws(QueueError) {
    var failure: FileError?
    do throws(FileError) { try file.commit(body) } catch { failure = error }
    // Also after an error: the file knows that it is spoilt.
    state.file = .success(file)
    if let failure { throw QueueError(failure) }
  }

  private func tally(at cursor: Offset, _ record: CursorRecord, _ state: inout State) throws(QueueError) -> Tally {
    if cursor == record.cursor { return record.tally }
    if let mark = state.marks[cursor] { return mark }
    return try queue.makeReader().tally(at: cursor)
  }

  // MARK: Status

  /// The consumer's facts. Blocking when records at its cursor are gone (disk).
  public func status() -> ConsumerStatus { status(of: queue, end: queue.monitor.withLock { $0.durableTally }) }

  func status(of queue: SegmentQueue, end: Tally) -> ConsumerStatus {
    let now = queue.clock.monotonic()
    let (record, leases, error) = state.withLock { state -> (CursorRecord?, LeaseStatus?, QueueError?) in
      switch state.file {
      case .success(let file): return (file.current, Self.leaseStatus(file.current, state.loans, now: now), nil)
      case .failure(let error): return (nil, nil, error)
      }
    }
    let standing = record?.standing(at: end) { try? queue.makeReader().tally(at: $0) } ?? CursorRecord.Standing()
    return ConsumerStatus(
      name: name, kind: record?.kind ?? .pull, cursor: record?.cursor ?? .zero, inFlightEnd: record?.inFlightEnd,
      hold: record?.hold ?? .all,
      lagRecords: standing.lagRecords, lagBytes: standing.lagBytes, pinnedBytes: queue.storedBytes(from: record?.needed ?? .zero),
      lostRecords: standing.lostRecords, lostBytes: standing.lostBytes,
      silence: .nanoseconds(Int64(clamping: silence(at: queue.openAge))), failure: error?.description, leases: leases)
  }
}
