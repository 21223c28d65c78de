internal import DurableFiles
internal import RecordBlocks

/// The thread that writes blocks in order, starts new segments, and replaces one that a failed write or sync has spoilt.
///
/// A class, so that nobody keeps a copy of a writer whose files are gone: an open file that was deleted still takes its space.
final class WriterThread: @unchecked Sendable {  // after `init` only its own thread touches it
  private let queue: SegmentQueue
  private var writer: LogWriter
  /// Bytes that may still be written before space is looked at again.
  private var room: Int64 = 0
  /// What found no room last.
  private var wanted = 0
  /// The age at which the active segment's first offset was written; nil while it has none.
  private var activeSince: UInt64?

  /// How long a full queue, a full disk or a failing one is left alone before it is tried again; nanoseconds.
  private static let retryAfter: UInt64 = 1_000_000_000

  /// More than a gap block takes.
  private static let gapByteCount = 512

  private enum Work {
    case block(PendingBlock)
    case gap(WriteState.GapKey, Gap, PendingBlock)
    case lookForRoom
    case roll
    case replace(FileError)
    case sync(WriteState.SyncPoint)
    case end
  }

  init(_ queue: SegmentQueue, _ writer: LogWriter) {
    self.queue = queue
    self.writer = writer
    if writer.activeHoldsOffsets { activeSince = writer.active.createdAge }
  }

  /// Works until the queue is closed.
  func run() {
    while true {
      switch nextWork() {
      case .block(let block): write(block)
      case .gap(let key, let gap, let pending): writeGap(key, gap, pending)
      case .lookForRoom: lookForRoom()
      case .roll: roll()
      case .replace(let error): replaceActive(after: error)
      case .sync(let point): queue.sync(point)
      case .end:
        finish()
        return
      }
    }
  }

  private func nextWork() -> Work {
    let rollAge = queue.options.segmentAge.nanosecondsClamped
    let limit = queue.options.segmentLimit
    let writer = writer
    let activeSince = activeSince
    let maySync = maySync
    return queue.monitor.wait(for: queue.laneChanged) { state, patience -> Work? in
      let now = queue.clock.monotonic()
      func wake(at time: UInt64) { patience = min(patience ?? .max, time - min(now, time)) }
      if let failure = state.syncFailure { return .replace(failure) }
      for (source, block) in state.open {
        if block.deadline <= now || state.isClosing {
          if let closed = state.close(source, now: now) { queue.compress(closed) }
        } else {
          wake(at: block.deadline)
        }
      }
      let mayWrite = state.unsyncedBytes < SegmentQueue.unsyncedLimit
      let isBlocked = state.isFull && now < state.lookForRoomAt
      if isBlocked && !state.isClosing { wake(at: state.lookForRoomAt) }
      if writer.activeHoldsOffsets && state.rollRetryAt <= now {
        let isOld = activeSince.map { writer.openAge - $0 >= rollAge } ?? false
        if state.rollRequested || writer.active.position >= limit || isOld { return .roll }
        if let activeSince { wake(at: now + (rollAge - min(rollAge, writer.openAge - activeSince)) + 1_000_000) }
      } else if !writer.activeHoldsOffsets {
        if state.rollRequested {
          state.rollRequested = false
          for waiter in state.settledWaiters { waiter.resume() }
          state.settledWaiters.removeAll()
        }
      } else {
        wake(at: state.rollRetryAt)
      }
      if mayWrite && !(isBlocked && !state.isClosing) {
        if let due = state.gapsDue, due <= now || state.isClosing, let (key, gap) = state.pendingGaps.first {
          state.pendingGaps[key] = nil
          if state.pendingGaps.isEmpty { state.gapsDue = nil }
          let pending = PendingBlock(gap, source: key.source)
          state.writing = pending
          return .gap(key, gap, pending)
        } else if let due = state.gapsDue {
          wake(at: due)
        }
        if let head = state.lane.first, head.isReady {
          state.lane.removeFirst()
          state.writing = head
          return .block(head)
        }
        // Nothing tries any more, and who asks whether it is full before it writes would be told so for ever.
        if state.isFull && state.lane.isEmpty && !state.isClosing { return .lookForRoom }
      }
      if state.isClosing && (state.lane.isEmpty && state.open.isEmpty) && state.pendingGaps.isEmpty { return .end }
      guard maySync, !state.unsynced.isEmpty, !state.isSyncing, let point = state.syncPoint else { return nil }
      guard state.inFlightBytes == 0 else {
        queue.syncWanted.signal()
        return nil
      }
      state.isSyncing = true
      return .sync(point)
    }
  }

  // MARK: Blocks

  private func write(_ pending: PendingBlock) {
    let needed = pending.storedByteCount
    guard hasRoom(for: needed) else {
      noteFull(pending)
      return
    }
    let durableEnd = queue.durableEnd
    do throws(FileError) {
      let block: StoredBlock
      switch pending.content {
      case .lines(let lines):
        let prepared = pending.prepared ?? StoredBlock.prepare(lines, entryBytes: pending.entryBytes, codec: .shared)
        block = try writer.append(prepared, pending.facts, durableEnd: durableEnd)
      case .mark:
        block = try writer.append(.mark, source: pending.facts.source, entries: pending.facts.entries, durableEnd: durableEnd)
      case .gap(let offsets):
        block = try writer.append(
          .gap, offsetCount: offsets, source: pending.facts.source, entries: pending.facts.entries, durableEnd: durableEnd)
      }
      room -= Int64(block.member.count)
      written(block, pending)
    } catch {
      failedToWrite(pending, error)
    }
  }

  /// The thread syncs by itself while nothing else is on its way: the syncing thread's waking up takes as long as a fast disk's sync.
  private var maySync: Bool { queue.options.sync == .eachBlock }

  /// A block is in the file: whoever waits for room in memory goes on, and the syncing thread takes over, unless the queue is idle.
  private func written(_ block: StoredBlock, _ pending: PendingBlock?) {
    if activeSince == nil && writer.activeHoldsOffsets { activeSince = writer.openAge }
    let point = WriteState.SyncPoint(file: writer.active.file, segment: writer.active.segment, position: writer.active.position)
    let end = writer.end
    let isNeverSynced = queue.options.sync == .never
    let (resumptions, isIdle) = queue.monitor.withLock { state in
      state.writing = nil
      state.endOffset = end
      // While the disk lags, only what a rewrite would need is kept: the compressed lines.
      let kept = state.unsyncedBytes < SegmentQueue.unsyncedLimit / 4 ? block : block.compressedOnly
      state.unsynced.append(WriteState.Unsynced(block: kept, promise: pending?.promise, position: point.position))
      state.unsyncedBytes += kept.memoryByteCount
      state.syncPoint = point
      state.inFlightBytes -= pending?.byteCount ?? 0
      if state.isFull {
        state.isFull = false
        state.fullBecauseOf = nil
      }
      // Without syncs, what is in the file counts as durable: that is what `sync: never` gives up.
      var resumptions = isNeverSynced ? state.publish(upTo: point, recentLimit: SegmentQueue.recentLimit) : Resumptions()
      resumptions.plain += state.takeAdmissionWaiters()
      return (resumptions, state.inFlightBytes == 0)
    }
    resumptions.resume()
    if isNeverSynced { try? queue.tellDurableEnd(end) } else if !(maySync && isIdle) { queue.syncWanted.signal() }
  }

  private func writeGap(_ key: WriteState.GapKey, _ gap: Gap, _ pending: PendingBlock) {
    guard hasRoom(for: Self.gapByteCount) else {
      keep(gap, key, pending)
      return
    }
    do throws(FileError) {
      let block = try writer.append(.gap, offsetCount: 1, source: key.source, entries: [.gap(gap)], durableEnd: queue.durableEnd)
      room -= Int64(block.member.count)
      written(block, pending)
    } catch {
      keep(gap, key, pending)
      recover(from: error)
    }
  }

  /// A gap that can't be written now is added to what comes after it.
  private func keep(_ gap: Gap, _ key: WriteState.GapKey, _ pending: PendingBlock) {
    let now = queue.clock.monotonic()
    let (isClosing, resumptions) = queue.monitor.withLock { state in
      state.writing = nil
      pending.outcome = .dropped
      var resumptions = Resumptions()
      resumptions.tickets = pending.waiters.map { ($0, QueueError(.full, "the queue \(queue.path) has no room for a gap now")) }
      pending.waiters = []
      if state.isClosing { return (true, resumptions) }
      state.pendingGaps[key] = state.pendingGaps[key].map { $0.merging(gap) } ?? gap
      state.gapsDue = now + Self.retryAfter
      return (false, resumptions)
    }
    defer { resumptions.resume() }
    guard isClosing else { return }
    queue.notify(
      QueueNotice(
        .error, "the queue closes without room for a gap: this loss is told here only", ("reason", gap.reason.name),
        ("records", "\(gap.records)"),
        ("bytes", "\(gap.bytes)")))
  }

  // MARK: Room

  /// Whether the queue's bound and the disk's leave room; deletes what may go when they don't.
  private func hasRoom(for needed: Int) -> Bool {
    if Int64(needed) <= room { return true }
    room = queue.measureRoom(unsynced: writer.active.position - writer.active.segment.byteCount)
    if Int64(needed) <= room { return true }
    // All that could go may be in the active segment: with a new one begun it can.
    var hasRolled = false
    while true {
      if queue.makeRoom(for: needed, reason: queue.options.overflow == .dropOldest ? .dropOldest : .retention) {
        room = queue.measureRoom(unsynced: writer.active.position - writer.active.segment.byteCount)
        if Int64(needed) <= room { return true }
        continue
      }
      guard !hasRolled, writer.activeHoldsOffsets, queue.mayReleaseActive(end: writer.end) else { return false }
      hasRolled = true
      roll()
    }
  }

  /// A full queue that nothing is written to looks by itself whether what found no room would find some now.
  private func lookForRoom() {
    let hasRoom = hasRoom(for: wanted)
    let because = hasRoom ? nil : queue.findWhoHolds()
    let now = queue.clock.monotonic()
    queue.monitor.withLock { state in
      state.isFull = !hasRoom
      state.fullBecauseOf = because
      state.lookForRoomAt = now + Self.retryAfter
    }
  }

  /// The queue is full: the block goes back to the lane's front, or is dropped when its source can't wait.
  private func noteFull(_ pending: PendingBlock) {
    wanted = pending.storedByteCount
    let now = queue.clock.monotonic()
    let wall = queue.clock.wall()
    let because = queue.findWhoHolds()
    let (resumptions, isNew) = queue.monitor.withLock { state in
      var resumptions = Resumptions()
      let isNew = !state.isFull
      state.isFull = true
      state.fullBecauseOf = because
      state.writing = nil
      state.lookForRoomAt = now + Self.retryAfter
      let isClosing = state.isClosing
      let leaving = ([pending] + state.lane).filter { $0.whenFull == .dropNewest || isClosing }
      state.lane = ([pending] + state.lane).filter { !($0.whenFull == .dropNewest || isClosing) }
      for block in leaving {
        if block.whenFull == .dropNewest {
          let gap = Gap(
            reason: .dropNewest, records: block.facts.recordCount, bytes: UInt64(block.byteCount), firstTime: block.facts.firstTime,
            lastTime: wall)
          SegmentQueue.addGap(gap, source: block.facts.source, to: &state, now: now)
        }
        block.outcome = .dropped
        resumptions.tickets += block.waiters.map { ($0, QueueError(.full, "the queue \(queue.path) is full and dropped the records")) }
        block.waiters = []
        state.inFlightBytes -= block.byteCount
      }
      resumptions.plain += state.takeAdmissionWaiters()
      return (resumptions, isNew)
    }
    resumptions.resume()
    guard isNew else { return }
    if let free = queue.freeDiskWhenShort(of: pending.storedByteCount) {
      noteFullDisk(("free", "\(free)"), ("min_free_disk", "\(queue.options.minFreeDisk)"))
    } else {
      queue.notify(
        QueueNotice(
          .warning, "the queue is full: sources wait or drop, consumers go on", ("queue.name", queue.name),
          ("because_of", because ?? "the disk"),
          ("max_size", "\(queue.options.maxSize)"), ("stored", "\(queue.store.storedBytes)")))
    }
  }

  private func noteFullDisk(_ facts: (key: String, value: String)...) {
    queue.notify(
      QueueNotice(
        .error, "the disk is full: sources wait, consumers go on; free space, and it goes on by itself",
        metadata: [("queue.name", queue.name), ("queue.path", "\(queue.path)")] + facts))
  }

  // MARK: Errors

  private func failedToWrite(_ pending: PendingBlock, _ error: FileError) {
    queue.monitor.withLock { state in
      state.writing = nil
      state.lane.insert(pending, at: 0)
    }
    recover(from: error, pending)
  }

  private func recover(from error: FileError, _ pending: PendingBlock? = nil) {
    room = 0
    if error.isOutOfSpace {
      wanted = pending?.storedByteCount ?? Self.gapByteCount
      let now = queue.clock.monotonic()
      let isNew = queue.monitor.withLock { state in
        defer {
          state.isFull = true
          state.fullBecauseOf = nil
          state.lookForRoomAt = now + Self.retryAfter
        }
        return !state.isFull
      }
      if isNew { noteFullDisk(("error", error.description)) }
      _ = queue.makeRoom(for: pending?.storedByteCount ?? 4096, reason: .retention)
    } else {
      replaceActive(after: error)
    }
  }

  /// A write or sync of the active segment has failed: its unsynced end can't be trusted any more. Goes on in a new file, where the
  /// blocks still in memory are written again.
  private func replaceActive(after error: FileError) {
    queue.notify(
      QueueNotice(
        .error, "the active segment failed and is left; its unsynced blocks are written again in a new one",
        ("queue.segment", writer.active.segment.name.text),
        ("error", error.description)))
    // A sync in progress is of the old file: let it end.
    let (again, table, end, tally) = queue.monitor.wait(for: queue.syncDone) {
      state, _ -> ([WriteState.Unsynced], CheckpointTable, Offset, Tally)? in
      if state.isSyncing { return nil }
      // Nobody may sync the spoilt file while it is replaced.
      if state.syncFailure == nil { state.syncFailure = error }
      return (state.unsynced, state.table, state.durableEnd, state.durableTally)
    }
    do throws(FileError) {
      try writer.replaceActive(durableEnd: end, durableTally: tally, table: table)
      activeSince = nil
      room = 0
      var rewritten: [WriteState.Unsynced] = []
      for entry in again {
        let block = try writer.appendAgain(entry.block, durableEnd: end)
        rewritten.append(WriteState.Unsynced(block: block, promise: entry.promise, position: writer.active.position))
      }
      if writer.activeHoldsOffsets { activeSince = writer.openAge }
      let point = WriteState.SyncPoint(file: writer.active.file, segment: writer.active.segment, position: writer.active.position)
      let end = writer.end
      queue.monitor.withLock { state in
        state.unsynced = rewritten
        state.unsyncedBytes = rewritten.reduce(0) { $0 + $1.block.memoryByteCount }
        state.syncPoint = point
        state.syncFailure = nil
        state.endOffset = end
        state.maintenanceWanted = true
      }
      queue.syncWanted.signal()
      queue.maintenanceWanted.signal()
    } catch {
      // Still the same trouble: what is in memory waits, and so do the sources. Tried again in a second, or given up when the queue closes.
      let now = queue.clock.monotonic()
      let isClosing = queue.monitor.wait(for: queue.laneChanged) { state, patience -> Bool? in
        if state.isClosing { return true }
        let waited = queue.clock.monotonic() - now
        if waited >= Self.retryAfter { return false }
        patience = Self.retryAfter - waited
        return nil
      }
      if isClosing { fail(QueueError(error)) }
    }
  }

  /// Gives up everything that is not durable: the queue is closing and its disk doesn't answer.
  private func fail(_ error: QueueError) {
    let resumptions = queue.monitor.withLock { state in
      var resumptions = Resumptions()
      for promise in state.unsynced.compactMap(\.promise) + state.lane.map(\.promise) {
        promise.outcome = .failed(error)
        resumptions.tickets += promise.waiters.map { ($0, error) }
        promise.waiters = []
      }
      state.unsynced.removeAll()
      state.lane.removeAll()
      state.open.removeAll()
      state.pendingGaps.removeAll()
      state.syncFailure = nil
      return resumptions
    }
    resumptions.resume()
  }

  // MARK: Segments

  /// Waits until everything written is durable, then starts a new segment. The only append that waits for a sync.
  private func roll() {
    let age = writer.openAge
    queue.monitor.withLock { state in
      state.syncIsUrgent = true
      // The snapshot tells no key that nobody is answered by any more.
      state.table.keys.forget(at: age)
    }
    queue.syncWanted.signal()
    let (table, failure) = queue.monitor.wait(for: queue.syncDone) { state, _ -> (CheckpointTable, FileError?)? in
      if let failure = state.syncFailure { return (state.table, failure) }
      return state.unsynced.isEmpty && !state.isSyncing ? (state.table, nil) : nil
    }
    if failure != nil { return }
    do throws(FileError) {
      try writer.roll(table)
      activeSince = nil
      room = 0
      queue.monitor.withLock { state in
        // An open file that was deleted still takes its space: nothing may keep the old segment's open.
        state.syncPoint = nil
        state.rollRequested = false
        state.maintenanceWanted = true
      }
      queue.maintenanceWanted.signal()
    } catch {
      let now = queue.clock.monotonic()
      queue.monitor.withLock { $0.rollRetryAt = now + Self.retryAfter }
      queue.notify(QueueNotice(.warning, "a new segment can't be started; writing goes on in the old one", ("error", error.description)))
    }
  }

  /// The queue closes: everything is in the file, or can't be. Seals what there is.
  private func finish() {
    if writer.activeHoldsOffsets { roll() }
    let resumptions = queue.monitor.withLock { state in
      var resumptions = Resumptions()
      for block in state.lane {
        block.outcome = .failed(QueueError(.closed, "the queue \(queue.path) was closed"))
        resumptions.tickets += block.waiters.map { ($0, QueueError(.closed, "the queue \(queue.path) was closed")) }
        block.waiters = []
      }
      state.lane.removeAll()
      state.writerHasEnded = true
      return resumptions
    }
    resumptions.resume()
    queue.syncWanted.signal()
  }
}
