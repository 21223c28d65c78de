internal import DurableFiles
internal import RecordBlocks

/// What the queue's threads share, guarded by the queue's monitor. Times are monotonic nanoseconds.
///
/// A record's way: a source's open block → the lane (compressed there, in any order) → the active segment (in order) → `unsynced` →
/// durable: visible,
/// acknowledged, its checkpoints in the table.
struct WriteState {
  /// A block in the active segment that no sync has covered yet; kept so that it can be written again elsewhere when the sync fails.
  struct Unsynced {
    let block: StoredBlock
    /// Not the pending block, whose lines would stay in memory with it.
    let promise: BlockPromise?
    /// Where it ends in the file.
    let position: Int64
  }
  /// What the next sync covers: everything before `position` of this file.
  struct SyncPoint {
    let file: any File
    let segment: Segment
    let position: Int64
  }
  struct GapKey: Hashable {
    let source: UInt32
    let reason: Gap.Reason
  }

  // Before the lane.
  var open: [UInt32: OpenBlock] = [:]
  /// When each source's last block was closed: the first line after a quiet spell goes at once.
  var lastClosed: [UInt32: UInt64] = [:]
  var whenFull: [UInt32: WhenFull] = [:]
  var pendingGaps: [GapKey: Gap] = [:]
  var gapsDue: UInt64?
  var inFlightBytes = 0
  /// Keys whose first request isn't over, and who waits for that.
  var keysInFlight: [String: [UInt64: CheckedContinuation<Void, Never>]] = [:]
  var admission: [UInt64: CheckedContinuation<Void, Never>] = [:]

  // The lane.
  var lane: [PendingBlock] = []
  var writing: PendingBlock?

  // Written, not yet durable.
  var unsynced: [Unsynced] = []
  /// Bytes of memory that these take.
  var unsyncedBytes = 0
  var syncPoint: SyncPoint?
  var isSyncing = false
  var syncIsUrgent = false
  /// The last block that a ``SegmentQueue/SegmentQueue/synchronize()`` waits for: until it is durable, no sync waits for its interval.
  var urgentBlock: BlockPromise?
  var lastSync: UInt64 = 0
  var syncFailure: FileError?
  /// The lane stands still until the spoilt segment is replaced.
  var endOffset: Offset

  // Durable.
  var durableEnd: Offset
  var durableTally: Tally
  var table: CheckpointTable
  /// The newest durable blocks with offsets, for readers that have caught up.
  var recent: [StoredBlock] = []
  var recentBytes = 0
  var recordWaiters = RecordWaiters()
  var lossesSinceOpening: [Gap.Reason: (records: UInt64, bytes: UInt64)] = [:]

  // The whole.
  var nextWaiter: UInt64 = 0
  var isFull = false
  var fullBecauseOf: String?
  /// Monotonic time at which a full queue looks for room again; a commit brings it forward.
  var lookForRoomAt: UInt64 = 0
  var rollRequested = false
  var rollRetryAt: UInt64 = 0
  var isClosing = false
  var writerHasEnded = false
  var syncerHasEnded = false
  var maintenanceHasEnded = false
  var maintenanceWanted = false
  /// Why the last try to seal failed, if it did.
  var sealFailure: QueueError?
  var settledWaiters: [CheckedContinuation<Void, Never>] = []

  /// The source's open block goes into the lane.
  mutating func close(_ source: UInt32, now: UInt64) -> PendingBlock? {
    guard let block = open.removeValue(forKey: source) else { return nil }
    lastClosed[source] = now
    var flags: BlockHeader.Flags = []
    if block.batch.lastIsUnended { flags.insert(.lastIsUnended) }
    if block.batch.firstContinues { flags.insert(.firstContinues) }
    let facts = BlockFacts(
      source: source, recordCount: UInt64(block.batch.recordCount), firstTime: block.firstTime, lastTime: block.lastTime, flags: flags,
      entries: Self.entries(block.changes, source: source) + (block.key.map { [.key($0)] } ?? []))
    let batch = block.takeBatch()
    let isEmpty = batch.isEmpty
    let pending = PendingBlock(
      isEmpty ? .mark : .lines(batch.intoSharedBytes()), facts, whenFull: isEmpty ? .wait : whenFull[source] ?? .wait,
      promise: block.promise)
    lane.append(pending)
    return pending
  }

  static func entries(_ changes: [UInt32: CheckpointChange], source: UInt32) -> [BlockEntry] {
    changes.sorted { $0.key < $1.key }.map { _, change in
      switch change {
      case .set(let stream, let identity, let value): .checkpoint(source: source, stream: stream, identity: identity, value: value)
      case .forget(let stream): .forget(source: source, stream: stream)
      }
    }
  }

  /// Adds a later change to earlier ones; an identity that an earlier one gave is not lost.
  static func merge(_ change: CheckpointChange, into changes: inout [UInt32: CheckpointChange]) {
    switch change {
    case .set(let stream, let identity, let value):
      var identity = identity
      if identity == nil, case .set(_, let earlier, _)? = changes[stream] { identity = earlier }
      changes[stream] = .set(stream: stream, identity: identity, value: value)
    case .forget(let stream): changes[stream] = change
    }
  }

  /// Whether `count` more bytes of lines may be in flight; a batch larger than the bound goes alone.
  func mayAdmit(_ count: Int) -> Bool { inFlightBytes == 0 || inFlightBytes + count <= SegmentQueue.inFlightLimit }

  /// Resumes whoever waits for admission; they look again.
  mutating func takeAdmissionWaiters() -> [CheckedContinuation<Void, Never>] {
    guard !admission.isEmpty else { return [] }
    defer { admission.removeAll() }
    return Array(admission.values)
  }

  /// Everything up to `position` of the active segment is durable: makes it visible and returns what is to be resumed outside the lock.
  mutating func publish(upTo point: SyncPoint, recentLimit: Int) -> Resumptions {
    var resumptions = Resumptions()
    let count = unsynced.firstIndex { $0.position > point.position } ?? unsynced.count
    guard count > 0 else { return resumptions }
    for entry in unsynced[..<count] {
      let header = entry.block.header
      table.apply(header.entries)
      durableEnd = header.end
      durableTally = Tally(after: header)
      unsyncedBytes -= entry.block.memoryByteCount
      if header.offsetCount > 0 {
        recent.append(entry.block)
        recentBytes += entry.block.memoryByteCount
      }
      if let promise = entry.promise {
        promise.base = header.base
        promise.outcome = .durable
        resumptions.tickets += promise.waiters.map { ($0, nil) }
        promise.waiters = []
      }
    }
    unsynced.removeFirst(count)
    let (end, position) = (durableEnd, point.position)
    point.segment.update { state in
      state.byteCount = max(state.byteCount, position)
      state.end = max(state.end, end)
    }
    trimRecent(to: recentLimit)
    resumptions.plain += recordWaiters.take(below: durableEnd)
    return resumptions
  }

  mutating func trimRecent(to limit: Int) {
    var excess = 0
    while recentBytes > limit && excess < recent.count - 1 {
      recentBytes -= recent[excess].memoryByteCount
      excess += 1
    }
    recent.removeFirst(excess)
  }

  /// The block in memory that has `offset`.
  func recentBlock(_ offset: Offset) -> StoredBlock? {
    guard let first = recent.first, first.header.base <= offset else { return nil }
    var low = 0
    var high = recent.count
    while low < high {
      let middle = (low + high) / 2
      if recent[middle].header.end <= offset { low = middle + 1 } else { high = middle }
    }
    guard low < recent.count, recent[low].header.base <= offset else { return nil }
    return recent[low]
  }
}

/// Continuations gathered under the lock, resumed after it.
struct Resumptions {
  var plain: [CheckedContinuation<Void, Never>] = []
  var tickets: [(CheckedContinuation<Void, any Error>, QueueError?)] = []

  func resume() {
    for continuation in plain { continuation.resume() }
    for (continuation, error) in tickets {
      if let error { continuation.resume(throwing: error) } else { continuation.resume() }
    }
  }
}
