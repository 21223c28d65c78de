internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// Every decision of a delivery loop, without its waiting and doing: what has happened goes in, what to do next comes out.
///
/// The order that it keeps: a range is delivered, the sink synced, the cursor committed. A sink that can be cut back gets many ranges
/// between commits
/// and after an error begins again at the last commit. A sink that can't gets a range only after its end was committed as in flight, and
/// after an error
/// or a crash gets exactly that range again.
///
/// It delivers from two logs: the queue, and, when dead letters were put back, from those first. It turns from one to the other only when
/// all that was delivered is committed.
struct DeliveryMachine {
  /// Bytes of lines delivered after which a sink that can be cut back is synced and committed.
  static let commitBytes = 16 << 20
  /// Time after which it is.
  static let commitInterval = Duration.milliseconds(200)
  /// After so many deliveries within a size that a 413 taught, twice as much is tried again: limits may be raised, or be of the compressed
  /// size.
  static let deliveriesBeforeGrowth = 200
  /// The longest wait for a window without looking at the clock on the wall again, which may have been set.
  static let longestWindowWait = 60

  let recovery: SinkRecovery
  let batchPolicy: BatchPolicy
  let pull: PullPace
  let retry: RetryPolicy
  let onReject: RejectPolicy

  /// What is delivered now.
  private(set) var log = DeliveryLog.queue
  /// Where that log is delivered.
  private var place: DeliveryPlace
  /// The queue's place while dead letters are delivered.
  private var queuePlace: DeliveryPlace?
  var isOpen = false
  var batch: DeliveryBatchFacts?
  /// Delivered since the last commit.
  var uncommittedBytes = 0
  var uncommittedSince: Instant?
  var sinkAsksForCommit = false
  /// The sink took nothing of a batch, asking for a commit that it now had.
  var isStalled = false
  var notBefore: Instant?
  /// Failures in a row.
  var failures = 0
  /// Bytes that the destination takes at once, as far as it has refused more; and the deliveries since.
  var learnedBytes: Int?
  var deliveriesSinceLearned = 0
  var bucket: TokenBucket?
  var drainEnd: Offset?
  var drainStarted: Instant?
  var batchSeen: Instant?
  var triedLastCommit = false

  /// The machine of a consumer that stands at `cursor`.
  init(_ plan: SinkPlan, recovery: SinkRecovery, cursor: Offset, inFlightEnd: Offset?) {
    self.recovery = recovery
    batchPolicy = plan.batch
    pull = plan.pull
    retry = plan.retry
    onReject = plan.onReject
    place = DeliveryPlace(recovery, cursor: cursor, inFlightEnd: inFlightEnd)
    bucket = plan.pull.bytesPerSecond.map { TokenBucket(bytesPerSecond: $0) }
  }

  private var hasUncommitted: Bool { position != committed || sinkAsksForCommit }

  /// What to do now.
  mutating func next(_ facts: DeliveryFacts) -> DeliveryAction {
    if facts.phase == .stopping {
      batch = nil
      guard isOpen, hasUncommitted, !triedLastCommit else { return .finish }
      triedLastCommit = true
      return .syncAndCommit(position)
    }
    if let until = notBefore {
      if facts.now < until { return .wait(until: until, beyond: nil, .backoff) }
      notBefore = nil
    }
    guard isOpen else { return .open }
    if let action = turn(facts) { return action }
    if let action = settleVerdict() { return action }
    if mustCommit(facts) { return .syncAndCommit(position) }
    if log == .queue, case .draining(let target) = facts.phase, position >= target {
      return hasUncommitted ? .syncAndCommit(position) : .finish
    }
    if let pause = pause(facts) {
      batch = nil
      return hasUncommitted ? .syncAndCommit(position) : pause
    }
    guard let batch else { return readAction(facts) }
    if let pause = linger(batch, facts) {
      self.batch = nil
      return hasUncommitted ? .syncAndCommit(position) : pause
    }
    if recovery == .repeatsRange, committed != position || inFlightEnd != batch.range.upperBound {
      return .commitInFlight(cursor: position, end: batch.range.upperBound)
    }
    return .deliver
  }

  /// Dead letters that were put back come before the next new batch. A range that may have been sent comes before them, unless it fails or
  /// is rejected: what has no room among the dead letters gets it only by their delivery.
  private mutating func turn(_ facts: DeliveryFacts) -> DeliveryAction? {
    switch log {
    case .queue:
      guard let putBack = facts.putBack, ends.isEmpty || failures > 0 || verdict != nil else { return nil }
      batch = nil
      if hasUncommitted { return .syncAndCommit(position) }
      queuePlace = place
      place = DeliveryPlace(recovery, cursor: putBack.cursor, inFlightEnd: putBack.inFlightEnd)
      log = .deadLetters
    case .deadLetters:
      guard position >= end(facts) else { return nil }
      if hasUncommitted { return .syncAndCommit(position) }
      turnToQueue()
    }
    batchSeen = nil
    return nil
  }

  /// Goes on with the queue's records.
  mutating func turnToQueue() {
    guard let queuePlace else { preconditionFailure("no dead letters are delivered") }
    place = queuePlace
    self.queuePlace = nil
    log = .queue
    batch = nil
  }

  /// Where the log that is delivered ends at present.
  private func end(_ facts: DeliveryFacts) -> Offset {
    switch log {
    case .queue: facts.durableEnd
    case .deadLetters: facts.putBack?.end ?? position
    }
  }

  /// Records that can't be delivered are set aside when everything before them is committed: what is set aside is never delivered again.
  private mutating func settleVerdict() -> DeliveryAction? {
    guard let current = verdict else { return nil }
    if position >= current.range.upperBound {  // retention was faster
      verdict = nil
      return nil
    }
    guard position >= current.range.lowerBound else { return nil }
    if hasUncommitted { return .syncAndCommit(position) }
    return .setAside(DeliveryVerdict(range: position..<current.range.upperBound, reason: current.reason, status: current.status))
  }

  private func mustCommit(_ facts: DeliveryFacts) -> Bool {
    guard hasUncommitted else { return false }
    if sinkAsksForCommit { return true }
    if position >= end(facts) { return true }
    guard recovery == .cutsBack else { return false }  // it rides on the next range's commit
    if uncommittedBytes >= Self.commitBytes { return true }
    guard let uncommittedSince else { return true }
    return facts.now >= uncommittedSince + Self.commitInterval
  }

  /// The consumer's own pace.
  private mutating func pause(_ facts: DeliveryFacts) -> DeliveryAction? {
    let keepsHours: Bool
    if case .draining = facts.phase { keepsHours = false } else { keepsHours = true }
    if keepsHours, let seconds = pull.window?.secondsUntilOpen(at: facts.unixSeconds), seconds > 0 {
      return .wait(
        until: facts.now + .seconds(min(seconds, Self.longestWindowWait)), beyond: nil, .outsideWindow(secondsUntilOpen: seconds))
    }
    if log == .queue, position >= facts.durableEnd { return .wait(until: nil, beyond: position, .idle) }
    if log == .queue, keepsHours, let every = pull.every, position >= drainEnd ?? .zero {
      if let drainStarted, facts.now < drainStarted + every { return .wait(until: drainStarted + every, beyond: nil, .pace) }
      drainEnd = facts.durableEnd
      drainStarted = facts.now
    }
    if let until = bucket?.waits(at: facts.now) { return .wait(until: until, beyond: nil, .pace) }
    return nil
  }

  private func readAction(_ facts: DeliveryFacts) -> DeliveryAction {
    if recovery == .repeatsRange, let end = ends.last {
      return .read(from: position, limits: BatchLimits(maxRecords: end - position, maxBytes: .max), exactEnd: end)
    }
    var records = batchPolicy.maxRecords
    if let end = ends.last { records = min(records, end - position) }
    if let verdict, verdict.range.lowerBound > position { records = min(records, verdict.range.lowerBound - position) }
    if log == .deadLetters { records = min(records, end(facts) - position) }
    if log == .queue, case .running = facts.phase, pull.every != nil, let drainEnd, drainEnd > position {
      records = min(records, drainEnd - position)
    }
    let bytes = min(batchPolicy.maxBytes, learnedBytes ?? .max, bucket?.largestBatchBytes ?? .max)
    return .read(from: position, limits: BatchLimits(maxRecords: records, maxBytes: bytes), exactEnd: nil)
  }

  /// A batch that isn't full waits for more. How many records would fill it is told by those that it has.
  private mutating func linger(_ batch: DeliveryBatchFacts, _ facts: DeliveryFacts) -> DeliveryAction? {
    guard log == .queue, batchPolicy.linger > .zero, batch.reachesEnd, !batch.isGap, ends.isEmpty, pull.every == nil,
      facts.phase == .running
    else {
      return nil
    }
    let fullBytes = min(batchPolicy.maxBytes, learnedBytes ?? .max)
    guard batch.recordCount < batchPolicy.maxRecords, batch.byteCount < fullBytes else { return nil }
    let seen = batchSeen ?? facts.now
    batchSeen = seen
    guard facts.now < seen + batchPolicy.linger else { return nil }
    let byBytes = Double(fullBytes) / Double(max(batch.byteCount, 1)) * Double(batch.recordCount)
    let full = max(batch.recordCount + 1, min(batchPolicy.maxRecords, Int(byBytes.rounded(.up))))
    return .wait(until: seen + batchPolicy.linger, beyond: position + (full - 1), .idle)
  }
}

/// Where delivery stands in a log.
struct DeliveryPlace {
  /// The next offset to deliver.
  var position: Offset
  /// The cursor on the disk.
  var committed: Offset
  /// The end of the range in flight on the disk.
  var inFlightEnd: Offset?
  /// The ends that the next batches must have, the nearest last: a range that may have been sent, or its halves.
  var ends: [Offset] = []
  var verdict: DeliveryVerdict?
  /// What fails, and how often it was tried.
  var failingAt: Offset?
  var attempts = 0

  init(_ recovery: SinkRecovery, cursor: Offset, inFlightEnd: Offset?) {
    position = cursor
    committed = cursor
    if recovery == .repeatsRange, let inFlightEnd, inFlightEnd > cursor {
      self.inFlightEnd = inFlightEnd
      ends = [inFlightEnd]
    }
  }
}

/// The place in the log that is delivered.
extension DeliveryMachine {
  /// See ``DeliveryPlace/position``.
  var position: Offset {
    get { place.position }
    set { place.position = newValue }
  }
  /// See ``DeliveryPlace/committed``.
  var committed: Offset {
    get { place.committed }
    set { place.committed = newValue }
  }
  /// See ``DeliveryPlace/inFlightEnd``.
  var inFlightEnd: Offset? {
    get { place.inFlightEnd }
    set { place.inFlightEnd = newValue }
  }
  /// See ``DeliveryPlace/ends``.
  var ends: [Offset] {
    get { place.ends }
    set { place.ends = newValue }
  }
  var verdict: DeliveryVerdict? {
    get { place.verdict }
    set { place.verdict = newValue }
  }
  /// See ``DeliveryPlace/failingAt``.
  var failingAt: Offset? {
    get { place.failingAt }
    set { place.failingAt = newValue }
  }
  /// See ``DeliveryPlace/failingAt``.
  var attempts: Int {
    get { place.attempts }
    set { place.attempts = newValue }
  }
  /// The next offset of the queue to deliver, whichever log is delivered now.
  var queuePosition: Offset { queuePlace?.position ?? position }
}
