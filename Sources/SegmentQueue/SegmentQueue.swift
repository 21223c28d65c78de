public import DurableFiles
internal import Glibc
public import RecordBlocks
public import SystemPackage

/// A durable compressed queue of records in one directory: several sources write, several consumers read, each at its own pace.
///
/// What it promises: what was acknowledged is on stable storage; nothing is visible to a consumer before that; a consumer's commit is on
/// stable storage when it returns;
/// a slow consumer slows nobody while there is room; every loss is told. <doc:Durability> has the order of writes, syncs and renames that
/// this rests on.
///
/// Its threads: one writes blocks in order, one syncs, one seals segments and applies retention; compression runs on threads that all
/// queues share. Methods that block
/// (they say so) belong on a thread of the caller's; the `async` ones never block.
public final class SegmentQueue: Sendable {
  /// The queue's name, for messages and keys.
  public let name: String
  /// The queue's identity, told at its creation.
  public let id: QueueID
  /// Its directory.
  public let path: FilePath
  /// How it was asked to behave.
  public let options: QueueOptions
  /// The queue's `consumers` directory; a file sink keeps its manifest there.
  public let consumersDirectory: any Directory
  /// How often the queue has been opened, this time included.
  public let epoch: UInt32

  let clock: any QueueClock
  let notify: @Sendable (QueueNotice) -> Void
  let store: SegmentStore
  let quarantine: Quarantine
  let monitor: Monitor<WriteState>
  let consumers = Monitor<[String: QueueConsumer]>([:])
  /// Readers without a name, as long as someone keeps them.
  let readers = Monitor<[ObjectIdentifier: WeakReader]>([:])
  /// One at a time seals, repacks, deletes. The thread sanitizer takes a state without bytes for the object around it, so it has one.
  let maintenance = Monitor(false)
  let rootDirectory: any Directory
  /// Open while the queue is held: closing it lets the lock go.
  private let lockFile: Monitor<(any File)?>
  private let openedAge: UInt64
  private let openedAt: UInt64

  let laneChanged = Condition()
  let syncWanted = Condition()
  let syncDone = Condition()
  let maintenanceWanted = Condition()

  /// Lines admitted and not yet written. Two compressors with a block each, one being written and one being filled need about a megabyte;
  /// four keep them busy over hiccups.
  static let inFlightLimit = 4 << 20
  /// Memory for blocks written and not yet synced: they stay there until then.
  static let unsyncedLimit = 6 << 20
  /// Newest blocks kept in memory for consumers that have caught up.
  static let recentLimit = 4 << 20
  /// A block is closed at this many bytes of lines: larger ones compress no better, smaller ones worse (see <doc:BlockFormat>).
  static let blockByteCount = 256 << 10
  /// A block is closed when its checkpoints reach this many bytes: they must fit its header.
  static let entryByteLimit = 48 << 10

  /// The queue's open time, all its life, in nanoseconds: what age is told by.
  var openAge: UInt64 { openedAge + (clock.monotonic() &- openedAt) }

  /// Opens a queue, after recovery, and holds it until ``close()`` or the process's end. Blocking.
  ///
  /// - Parameter create: makes the directory and the queue when there is none.
  /// - Throws: ``QueueError``: `held` names the process that has it, `notAQueue`, `newerFormat`, `damaged`, `networkFileSystem`, `io`.
  public static func open(
    _ path: FilePath, name: String, options: QueueOptions = QueueOptions(), create: Bool = true,
    fileSystem: any FileSystem = LocalFileSystem(),
    clock: any QueueClock = SystemQueueClock(), notify: @escaping @Sendable (QueueNotice) -> Void = { _ in }
  ) throws(QueueError) -> SegmentQueue {
    let opened = try QueueDirectory.open(path, options: options, create: create, fileSystem: fileSystem, clock: clock, notify: notify)
    return try SegmentQueue(opened, name: name, options: options, clock: clock, notify: notify)
  }

  private init(
    _ opened: QueueDirectory, name: String, options: QueueOptions, clock: any QueueClock, notify: @escaping @Sendable (QueueNotice) -> Void
  ) throws(QueueError) {
    self.name = name
    self.options = options
    self.clock = clock
    self.notify = notify
    id = opened.identity.id
    path = opened.root.path
    consumersDirectory = opened.consumers
    rootDirectory = opened.root
    lockFile = Monitor(opened.lock)
    store = opened.recovered.store
    quarantine = opened.quarantine
    let writer = opened.recovered.writer
    epoch = writer.epoch
    openedAge = writer.openAge
    openedAt = clock.monotonic()
    var table = opened.recovered.table
    table.keys.limit(toBytes: options.keyByteLimit)
    monitor = Monitor(
      WriteState(endOffset: writer.end, durableEnd: writer.end, durableTally: writer.tally, table: table))
    try tellDurableEnd(writer.end)
    for (name, file) in opened.cursors {
      consumers.withLock { $0[name] = QueueConsumer(name, self, file) }
    }
    let writerThread = WriterThread(self, writer)
    startThread("queue-write") { writerThread.run() }
    startThread("queue-sync") { [self] in runSyncer() }
    startThread("queue-maintain") { [self] in runMaintenance() }
  }

  // MARK: Facts

  /// The oldest record kept.
  public var startOffset: Offset { store.startOffset }
  /// The next offset to be given, records in memory not counted.
  public var endOffset: Offset { monitor.withLock { $0.endOffset } }
  /// Everything before it is on the disk and visible.
  public var durableEnd: Offset { monitor.withLock { $0.durableEnd } }
  /// It has no room: writers wait, or drop. Ends by itself, when consumers have gone on or the disk has room.
  public var isFull: Bool { monitor.withLock { $0.isFull } }

  // MARK: Writing

  /// A source's writer. The same name finds the same checkpoints again.
  public func writer(source name: String, whenFull: WhenFull = .wait) throws(QueueError) -> SourceWriter {
    guard !name.isEmpty, name.utf8.count <= 255 else {
      throw QueueError(.invalidName, "a source's name has 1 to 255 bytes, '\(name)' doesn't")
    }
    let id: UInt32 = monitor.withLock { state in
      if let known = state.table.sources[name] {
        state.whenFull[known] = whenFull
        return known
      }
      // Numbers not yet durable are in the lane or written.
      let waiting = state.lane + (state.writing.map { [$0] } ?? [])
      let undurable = (waiting.map(\.facts.entries) + state.unsynced.map(\.block.header.entries)).joined()
      for case .source(let id, let other) in undurable where other == name { return id }
      var id = state.table.unusedSource
      for case .source(let other, _) in undurable { id = max(id, other + 1) }
      let now = clock.wall()
      state.lane.append(
        PendingBlock(
          .mark, BlockFacts(source: id, recordCount: 0, firstTime: now, lastTime: now, flags: [], entries: [.source(id: id, name: name)]),
          whenFull: .wait))
      state.whenFull[id] = whenFull
      return id
    }
    laneChanged.signal()
    return SourceWriter(self, name: name, id: id, whenFull: whenFull)
  }

  /// Waits until `count` more bytes may be in flight. A writer that can't wait is let through a full queue: its batch is dropped and
  /// counted in ``enqueue(_:_:from:)``.
  func admit(_ count: Int, whenFull: WhenFull) async throws {
    while let waiter = try admissionTicket(count, whenFull) {
      await waitForAdmission(waiter, count)
    }
  }

  /// Nil when `count` bytes may go on; else the number to wait under.
  @inline(never) private func admissionTicket(_ count: Int, _ whenFull: WhenFull) throws -> UInt64? {
    try Task.checkCancellation()
    return try monitor.withLock { state throws(QueueError) in
      if state.isClosing { throw QueueError(.closed, "the queue \(path) is closed") }
      let drops = state.isFull && whenFull == .dropNewest && options.overflow == .wait
      if drops || state.mayAdmit(count) { return nil }
      state.nextWaiter += 1
      return state.nextWaiter
    }
  }

  @inline(never) private func waitForAdmission(_ waiter: UInt64, _ count: Int) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let resumesNow = monitor.withLock { state in
          // Room may have come, or the task may have been cancelled, between the look and here.
          if Task.isCancelled || state.isClosing || state.mayAdmit(count) { return true }
          state.admission[waiter] = continuation
          return false
        }
        if resumesNow { continuation.resume() }
      }
    } onCancel: {
      monitor.withLock { $0.admission.removeValue(forKey: waiter) }?.resume()
    }
  }

  /// Puts an admitted batch into its source's open block, or into the lane as a block of its own.
  func enqueue(_ batch: consuming RecordBatch, _ changes: [CheckpointChange], from writer: SourceWriter) -> AppendTicket {
    let now = clock.monotonic()
    let wall = clock.wall()
    let source = writer.id
    let byteCount = batch.byteCount
    let changeBytes = changes.reduce(0) { $0 + Self.entryByteCount($1) }
    let linger = options.linger.nanosecondsClamped
    var closed: [PendingBlock] = []
    var taken: RecordBatch? = consume batch
    let ticket: AppendTicket = monitor.withLock { state in
      if state.isFull && writer.whenFull == .dropNewest && options.overflow == .wait && state.inFlightBytes + byteCount > Self.inFlightLimit
      {
        guard let batch = taken.take() else { preconditionFailure("the batch is taken once") }
        Self.addGap(
          Gap(reason: .dropNewest, records: UInt64(batch.recordCount), bytes: UInt64(byteCount), firstTime: wall, lastTime: wall),
          source: source,
          to: &state, now: now)
        return AppendTicket(promise: BlockPromise(.dropped), queue: self, place: 0, count: 0)
      }
      guard let batch = taken.take() else { preconditionFailure("the batch is taken once") }
      state.inFlightBytes += byteCount
      let count = batch.recordCount
      // An unended record ends its block, a continuation begins one; otherwise small batches share a block.
      if let open = state.open[source],
        open.batch.lastIsUnended || (batch.firstContinues && !open.batch.isEmpty) || open.batch.byteCount + byteCount > Self.blockByteCount
          || open.entryBytes + changeBytes > Self.entryByteLimit
      {
        if let block = state.close(source, now: now) { closed.append(block) }
      }
      let quiet = now &- (state.lastClosed[source] ?? 0) >= linger
      if state.open[source] == nil && byteCount >= Self.blockByteCount / 2 {
        // Large enough by itself: taken as it is, not copied.
        let block = OpenBlock(batch, firstTime: wall, deadline: now)
        for change in changes { WriteState.merge(change, into: &block.changes) }
        state.open[source] = block
        let pending = state.close(source, now: now)!
        closed.append(pending)
        return AppendTicket(promise: pending.promise, queue: self, place: 0, count: count)
      }
      let block = state.open[source] ?? OpenBlock(RecordBatch(minimumCapacity: 4096), firstTime: wall, deadline: now + linger)
      let ticket = AppendTicket(promise: block.promise, queue: self, place: block.batch.recordCount, count: count)
      block.batch.append(contentsOf: batch)
      block.lastTime = wall
      block.entryBytes += changeBytes
      for change in changes { WriteState.merge(change, into: &block.changes) }
      let isDue = quiet || block.batch.byteCount >= Self.blockByteCount || block.entryBytes >= Self.entryByteLimit
      state.open[source] = block
      guard isDue else { return ticket }
      let pending = state.close(source, now: now)!
      closed.append(pending)
      return ticket
    }
    for block in closed { compress(block) }
    laneChanged.signal()
    return ticket
  }

  /// Puts a loss into the lane as a block of its own, behind what its source has written.
  func enqueueGap(_ gap: Gap, _ changes: [CheckpointChange], from writer: SourceWriter) -> AppendTicket {
    let now = clock.monotonic()
    var merged: [UInt32: CheckpointChange] = [:]
    for change in changes { WriteState.merge(change, into: &merged) }
    let pending = PendingBlock(gap, source: writer.id, checkpoints: WriteState.entries(merged, source: writer.id))
    let closed = monitor.withLock { state in
      let closed = state.close(writer.id, now: now)
      state.lane.append(pending)
      Self.countLoss(gap, in: &state)
      return closed
    }
    if let closed { compress(closed) }
    laneChanged.signal()
    return AppendTicket(promise: pending.promise, queue: self, place: 0, count: 0)
  }

  private static func entryByteCount(_ change: CheckpointChange) -> Int {
    switch change {
    case .set(_, let identity, let value): 17 + (identity?.count ?? 0) + value.count
    case .forget: 13
    }
  }

  /// Hands a closed block to the compressors; what is small is left to the writing thread.
  func compress(_ block: PendingBlock) {
    guard case .lines(let lines) = block.content, block.byteCount > PendingBlock.inlineLimit else { return }
    CompressionPool.shared.run { [self] in
      let prepared = StoredBlock.prepare(lines, entryBytes: block.entryBytes, codec: .shared)
      monitor.withLock { _ in block.prepared = prepared }
      laneChanged.signal()
    }
  }

  func addGap(_ gap: Gap, source: UInt32) {
    let now = clock.monotonic()
    monitor.withLock { Self.addGap(gap, source: source, to: &$0, now: now) }
    laneChanged.signal()
  }

  static func addGap(_ gap: Gap, source: UInt32, to state: inout WriteState, now: UInt64) {
    let key = WriteState.GapKey(source: source, reason: gap.reason)
    state.pendingGaps[key] = state.pendingGaps[key].map { $0.merging(gap) } ?? gap
    if state.gapsDue == nil { state.gapsDue = now + 1_000_000_000 }
    countLoss(gap, in: &state)
  }

  private static func countLoss(_ gap: Gap, in state: inout WriteState) {
    var known = state.lossesSinceOpening[gap.reason] ?? (0, 0)
    known.records += gap.records
    known.bytes += gap.bytes
    state.lossesSinceOpening[gap.reason] = known
  }

  // MARK: Waiting

  func waitUntilDurable(_ promise: BlockPromise) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      let outcome: PendingBlock.Outcome? = monitor.withLock { _ in
        if promise.outcome == nil { promise.waiters.append(continuation) }
        return promise.outcome
      }
      switch outcome {
      case nil: break
      case .durable: continuation.resume()
      case .dropped: continuation.resume(throwing: QueueError(.full, "the queue \(path) is full and dropped the records"))
      case .failed(let error): continuation.resume(throwing: error)
      }
    }
  }

  /// Returns when every record and every loss that was told before is on the disk. Closes open blocks and brings a sync forward.
  public func synchronize() async throws {
    let now = clock.monotonic()
    var closed: [PendingBlock] = []
    let waiting: [(promise: BlockPromise, isGap: Bool)] = monitor.withLock { state in
      for source in Array(state.open.keys) { if let block = state.close(source, now: now) { closed.append(block) } }
      for (key, gap) in state.pendingGaps { state.lane.append(PendingBlock(gap, source: key.source)) }
      state.pendingGaps.removeAll()
      state.gapsDue = nil
      state.syncIsUrgent = true
      let unwritten = (state.writing.map { [$0] } ?? []) + state.lane
      let waiting =
        state.unsynced.compactMap(\.promise).map { (promise: $0, isGap: false) } + unwritten.map { (promise: $0.promise, isGap: $0.isGap) }
      state.urgentBlock = waiting.last?.promise
      return waiting
    }
    for block in closed { compress(block) }
    laneChanged.signal()
    syncWanted.signal()
    var keptGap = false
    for block in waiting {
      do { try await waitUntilDurable(block.promise) } catch let error as QueueError where error.code == .full {
        if block.isGap { keptGap = true }
      }
    }
    // A loss that found no room was kept for later: now it waits in the lane, as records do.
    if keptGap { try await synchronize() }
  }

  /// Whether it closes, or is closed: who waits for records waits no more.
  public var isClosing: Bool { monitor.withLock { $0.isClosing } }

  /// Suspends until a record after `offset` is durable, the deadline has come (or up to 40 ms ago), the queue closes or the task is
  /// cancelled; returns the durable end. Ten thousand tasks may wait: one costs an entry of a table. All whose offset was passed are resumed
  /// together, in order of arrival.
  public func waitForRecords(beyond offset: Offset, until deadline: ContinuousClock.Instant? = nil) async -> Offset {
    let waiter: UInt64? = monitor.withLock { state in
      if state.durableEnd > offset || state.isClosing { return nil }
      if let deadline, deadline <= .now { return nil }
      state.nextWaiter += 1
      return state.nextWaiter
    }
    guard let waiter else { return durableEnd }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isAdded = monitor.withLock { state in
          // A record may have come, or the task may have been cancelled, between the look and here.
          if state.durableEnd > offset || state.isClosing || Task.isCancelled { return false }
          state.recordWaiters.add(waiter, beyond: offset, until: deadline, continuation)
          return true
        }
        if !isAdded {
          continuation.resume()
        } else if let deadline {
          DeadlineThread.shared.look(at: self, when: deadline)
        }
      }
    } onCancel: {
      monitor.withLock { $0.recordWaiters.take(waiter) }?.resume()
    }
    return durableEnd
  }

  /// Ends the waits whose deadlines have come.
  func endDueWaits() {
    let (due, next) = monitor.withLock { state in
      let due = state.recordWaiters.take(due: .now)
      return (due, state.recordWaiters.earliestDeadline)
    }
    for continuation in due { continuation.resume() }
    if let next { DeadlineThread.shared.look(at: self, when: next) }
  }

  // MARK: Ending

  /// Starts a new segment when the active one holds an offset, and returns when every older one is sealed. Waits while there is no room for
  /// a new one.
  ///
  /// - Throws: ``QueueError``: `io` when sealing fails in several tries at once, `closed`. Sealing is tried again by itself.
  public func seal() async throws {
    try await synchronize()
    let active = store.all.last
    let wanted = monitor.withLock { state in
      guard active.map({ state.durableEnd > $0.base }) ?? false, !state.isClosing else { return false }
      state.rollRequested = true
      return true
    }
    if wanted { laneChanged.signal() }
    // What only a sync was missing for succeeds at once when it is tried again; the first failure may be older than this call.
    var triesLeft = 3
    while true {
      let isSettled = monitor.withLock { !$0.rollRequested || $0.writerHasEnded } && store.all.dropLast().allSatisfy(\.isSealed)
      if isSettled { return }
      await withCheckedContinuation { continuation in
        let hasEnded = monitor.withLock { state in
          if !state.maintenanceHasEnded { state.settledWaiters.append(continuation) }
          state.maintenanceWanted = true
          return state.maintenanceHasEnded
        }
        if hasEnded { continuation.resume() }
        laneChanged.signal()
        maintenanceWanted.signal()
      }
      let (hasEnded, failure) = monitor.withLock { ($0.maintenanceHasEnded, $0.sealFailure) }
      if hasEnded { throw QueueError(.closed, "the queue \(path) is closed") }
      guard let failure else { continue }
      triesLeft -= 1
      if triesLeft == 0 { throw failure }
    }
  }

  /// Ends the queue: what was written is made durable and sealed, threads end, the lock is let go. What a full disk or queue kept from
  /// being written is given up
  /// (it was never acknowledged). Calling it is a courtesy: a process that dies without it loses nothing that was acknowledged.
  public func close() async {
    try? await withoutWaitingForRoom { try await self.synchronize() }
    let resumptions = monitor.withLock { state in
      var resumptions = Resumptions()
      state.isClosing = true
      resumptions.plain += state.takeAdmissionWaiters()
      resumptions.plain += state.recordWaiters.takeAll()
      return resumptions
    }
    resumptions.resume()
    laneChanged.signal()
    syncWanted.signal()
    while !monitor.withLock({ $0.maintenanceHasEnded }) {
      await withCheckedContinuation { continuation in
        let hasEnded = monitor.withLock { state in
          if !state.maintenanceHasEnded { state.settledWaiters.append(continuation) }
          return state.maintenanceHasEnded
        }
        if hasEnded { continuation.resume() }
        maintenanceWanted.signal()
      }
    }
  }

  /// Lets `body` end early when the queue has no room, for then it could wait for ever.
  private func withoutWaitingForRoom(_ body: @escaping @Sendable () async throws -> Void) async throws {
    if monitor.withLock({ $0.isFull || $0.isClosing }) { return }
    try await body()
  }

  /// The injected clock was set: every thread looks at it again.
  func clockChanged() {
    laneChanged.signal()
    syncWanted.signal()
    maintenanceWanted.signal()
  }

  /// Lets other processes read up to `end`; not synced, for it is only true while this process lives.
  func tellDurableEnd(_ end: Offset) throws(QueueError) {
    let file = lockFile.withLock { $0 }
    try asQueueError { () throws(FileError) in try file?.write(LockFile.encode(durableEnd: end, queueID: id), at: 0) }
  }

  /// The queue is closed and may be opened by another.
  func release() { lockFile.withLock { $0 = nil } }
}
