internal import RecordBlocks

/// A block on its way to the disk: closed, not yet durable. Guarded by the queue's monitor once it is in the lane.
final class PendingBlock: @unchecked Sendable {  // immutable but for the fields guarded by the queue's monitor
  /// What is to be written.
  enum Content {
    case lines(SharedBytes)
    case mark
    case gap(offsets: UInt64)
  }
  /// How it ended.
  enum Outcome {
    case durable
    case dropped
    case failed(QueueError)
  }

  let content: Content
  let facts: BlockFacts
  let whenFull: WhenFull
  let entryBytes: Int
  /// Bytes of lines.
  let byteCount: Int

  /// What those who wait for the block wait for; begun when the block was opened.
  let promise: BlockPromise

  // Guarded by the queue's monitor.
  var prepared: StoredBlock.Prepared?
  var outcome: Outcome? {
    get { promise.outcome }
    set { promise.outcome = newValue }
  }
  var waiters: [CheckedContinuation<Void, any Error>] {
    get { promise.waiters }
    set { promise.waiters = newValue }
  }

  init(_ content: Content, _ facts: BlockFacts, whenFull: WhenFull, promise: BlockPromise = BlockPromise()) {
    self.promise = promise
    self.content = content
    self.facts = facts
    self.whenFull = whenFull
    entryBytes = facts.entries.reduce(0) { $0 + $1.encodedByteCount }
    if case .lines(let lines) = content { byteCount = lines.count } else { byteCount = 0 }
  }

  /// A loss as an entry of the log, with the checkpoints that cover it.
  convenience init(_ gap: Gap, source: UInt32, checkpoints: [BlockEntry] = []) {
    self.init(
      .gap(offsets: 1),
      BlockFacts(
        source: source, recordCount: 1, firstTime: gap.firstTime, lastTime: gap.lastTime, flags: [], entries: [.gap(gap)] + checkpoints),
      whenFull: .wait)
  }

  /// Small ones are compressed by the thread that writes them: a hop to another thread costs more than the work.
  static let inlineLimit = 32 << 10

  var isReady: Bool {
    guard case .lines = content else { return true }
    return prepared != nil || byteCount <= Self.inlineLimit
  }

  /// It is a loss, not records.
  var isGap: Bool {
    if case .gap = content { true } else { false }
  }

  /// The bytes that it will take on the disk, nearly.
  var storedByteCount: Int {
    (prepared?.memberByteCount(entryBytes: entryBytes) ?? byteCount / 2) + BlockHeader.minimumByteCount + entryBytes + 64
  }
}

/// How a block ends, for those who wait for that: also for a block that is still being filled. Guarded by the queue's monitor.
final class BlockPromise: @unchecked Sendable {  // the queue's monitor guards all fields
  var outcome: PendingBlock.Outcome?
  /// The block's first offset, once it is durable.
  var base: Offset?
  var waiters: [CheckedContinuation<Void, any Error>] = []

  init(_ outcome: PendingBlock.Outcome? = nil) { self.outcome = outcome }
}

/// A source's block that is still being filled. Guarded by the queue's monitor.
final class OpenBlock {
  let promise = BlockPromise()
  var batch: RecordBatch
  /// The latest change of each stream: the checkpoints after the block's last record.
  var changes: [UInt32: CheckpointChange] = [:]
  var firstTime: Int64
  var lastTime: Int64
  /// Monotonic time at which it closes, full or not.
  var deadline: UInt64
  var entryBytes = 0
  /// The key under which a client sent its records, if it did: then they are all of the block's.
  var key: KeyedBody?

  init(_ batch: consuming RecordBatch, firstTime: Int64, deadline: UInt64) {
    self.batch = batch
    self.firstTime = firstTime
    lastTime = firstTime
    self.deadline = deadline
  }

  /// Gives up the batch; the block is used up.
  func takeBatch() -> RecordBatch {
    var taken = RecordBatch()
    swap(&taken, &batch)
    return taken
  }
}
