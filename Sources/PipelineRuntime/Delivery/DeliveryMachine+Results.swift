internal import PipelineCore
internal import RecordBlocks

/// What came of the actions.
extension DeliveryMachine {
  /// The sink is open.
  mutating func opened() {
    isOpen = true
    failures = 0
  }

  /// The sink couldn't be opened: nothing of it is rejected for that, however often.
  mutating func openFailed(_ error: DeliveryError, at now: Instant, jitter: Double) {
    failures += 1
    backOff(error, at: now, jitter: jitter)
  }

  /// A batch is in hand. False: a range that may have been sent can no longer be read whole, and what is there is sent as a range of its
  /// own.
  mutating func didRead(_ facts: DeliveryBatchFacts, exactEnd: Offset?) -> Bool {
    precondition(facts.range.lowerBound == position && !facts.range.isEmpty, "a batch that doesn't begin at the position")
    batch = facts
    guard let exactEnd, facts.range.upperBound != exactEnd else { return true }
    ends = []
    return false
  }

  /// What stands at the position is nothing for this sink: another's dead letters, or dead letters that are gone.
  mutating func passedOver(upTo next: Offset, at now: Instant) {
    precondition(next > position, "nothing was passed")
    batch = nil
    position = next
    uncommittedSince = uncommittedSince ?? now
    passed()
  }

  /// Dead letters at the position don't give their records, and never will.
  mutating func cannotRead(upTo end: Offset) {
    batch = nil
    verdict = DeliveryVerdict(range: position..<end, reason: .unreadable, status: "unreadable dead letter")
  }

  /// What was put back from the position on stays a dead letter; that is on the disk.
  mutating func putBackEnded() {
    failures = 0
    turnToQueue()
  }

  /// The queue couldn't be read.
  mutating func readFailed(at now: Instant, jitter: Double) {
    batch = nil
    failures += 1
    notBefore = now + retry.delay(after: failures, retryAfter: nil, jitter: jitter)
  }

  /// The sink has everything before `next`.
  mutating func delivered(upTo next: Offset, at now: Instant) {
    guard let batch else { preconditionFailure("nothing was in hand") }
    precondition(next >= batch.range.lowerBound && next <= batch.range.upperBound, "a sink asked for an offset outside of its delivery")
    let share = Double(next - batch.range.lowerBound) / Double(batch.range.upperBound - batch.range.lowerBound)
    let bytes = next == batch.range.upperBound ? batch.byteCount : Int(Double(batch.byteCount) * share)
    bucket?.take(bytes, at: now)
    uncommittedBytes += bytes
    uncommittedSince = uncommittedSince ?? now
    sinkAsksForCommit = next < batch.range.upperBound
    isStalled = next == batch.range.lowerBound
    position = next
    self.batch = nil
    failures = 0
    passed()
    growAgain()
  }

  /// A sink took nothing, was synced and committed as it asked, and again takes nothing: that isn't progress, whatever it says.
  var wouldStall: Bool { isStalled && !sinkAsksForCommit }

  /// The delivery of the batch in hand failed.
  mutating func deliveryFailed(_ error: DeliveryError, at now: Instant, jitter: Double) {
    guard let batch else { preconditionFailure("nothing was in hand") }
    self.batch = nil
    let range = batch.range
    goBackToCommit()
    switch error.advice {
    case .retry:
      failures += 1
      if failingAt != range.lowerBound {
        failingAt = range.lowerBound
        attempts = 0
      }
      attempts += 1
      if let limit = retry.attempts, attempts >= limit {
        reject(range, .retriesExhausted, "retries exhausted", at: now)
      } else {
        expect(range.upperBound)
        backOff(error, at: now, jitter: jitter)
      }
    case .split where batch.recordCount > 1:
      learnedBytes = max(1, batch.byteCount / 2)
      deliveriesSinceLearned = 0
      expect(range.upperBound)
      expect(range.lowerBound + batch.recordCount / 2)
    case .split: reject(range, .tooLarge, "too large", at: now)
    case .reject(let status): reject(range, .rejected, status, at: now)
    case .unreadable(let records):
      let (start, end) = (max(records.lowerBound, range.lowerBound), min(records.upperBound, range.upperBound))
      if start > range.lowerBound {
        // What is before them goes first, by itself.
        expect(range.upperBound)
        expect(min(start, range.upperBound))
      } else {
        verdict = DeliveryVerdict(range: start..<max(end, start + 1), reason: .unreadable, status: "unreadable block")
      }
    case .waitForOperator:
      failures += 1
      expect(range.upperBound)
      backOff(error, at: now, jitter: jitter)
    }
  }

  /// The sink couldn't be synced: what was delivered since the last commit isn't safe.
  mutating func syncFailed(_ error: DeliveryError, at now: Instant, jitter: Double) {
    batch = nil
    failures += 1
    goBackToCommit()
    backOff(error, at: now, jitter: jitter)
  }

  /// The cursor couldn't be committed; the queue says what stands on the disk.
  mutating func commitFailed(committed: Offset, inFlightEnd: Offset?, at now: Instant, jitter: Double) {
    batch = nil
    failures += 1
    if recovery == .repeatsRange, committed != self.committed {
      // Someone has set the consumer to another place meanwhile.
      position = committed
      ends = []
      verdict = nil
    }
    self.committed = committed
    self.inFlightEnd = inFlightEnd
    goBackToCommit()
    notBefore = now + retry.delay(after: failures, retryAfter: nil, jitter: jitter)
  }

  /// Cursor and range in flight are on the disk.
  mutating func didCommit(_ cursor: Offset, inFlightEnd: Offset?) {
    committed = cursor
    self.inFlightEnd = inFlightEnd
    uncommittedBytes = 0
    uncommittedSince = nil
    sinkAsksForCommit = false
  }

  /// The records of the verdict are where `on_reject` puts them, and their end is committed.
  mutating func didSetAside(_ verdict: DeliveryVerdict) {
    position = verdict.range.upperBound
    didCommit(position, inFlightEnd: nil)
    self.verdict = nil
    failures = 0
    passed()
    // Its state belongs to an earlier offset: let it hear where delivery goes on.
    if recovery == .cutsBack { isOpen = false }
  }

  /// The dead-letter queue wasn't to be had: the sink waits.
  mutating func setAsideFailed(at now: Instant, jitter: Double) {
    failures += 1
    notBefore = now + retry.delay(after: failures, retryAfter: nil, jitter: jitter)
  }

  private mutating func growAgain() {
    guard let bytes = learnedBytes else { return }
    deliveriesSinceLearned += 1
    guard deliveriesSinceLearned >= Self.deliveriesBeforeGrowth else { return }
    deliveriesSinceLearned = 0
    let (doubled, overflows) = bytes.multipliedReportingOverflow(by: 2)
    learnedBytes = overflows || doubled >= batchPolicy.maxBytes ? nil : doubled
  }

  private mutating func reject(_ range: Range<Offset>, _ reason: DeliveryVerdict.Reason, _ status: String, at now: Instant) {
    guard onReject == .wait else {
      verdict = DeliveryVerdict(range: range, reason: reason, status: status)
      return
    }
    failures += 1
    expect(range.upperBound)
    notBefore = now + retry.max
  }

  /// The next batch up to `end` ends there.
  private mutating func expect(_ end: Offset) {
    if let nearest = ends.last, end >= nearest { return }
    ends.append(end)
  }

  private mutating func passed() {
    batchSeen = nil
    while let end = ends.last, end <= position { ends.removeLast() }
    if let failingAt, position > failingAt {
      self.failingAt = nil
      attempts = 0
    }
  }

  /// A sink that can be cut back is opened anew at the last commit; the other kind has committed all before the range that failed.
  private mutating func goBackToCommit() {
    guard recovery == .cutsBack else { return }
    isOpen = false
    position = committed
    uncommittedBytes = 0
    uncommittedSince = nil
    sinkAsksForCommit = false
    isStalled = false
  }

  private mutating func backOff(_ error: DeliveryError, at now: Instant, jitter: Double) {
    let retryAfter: Duration? = if case .retry(let after) = error.advice { after } else { nil }
    notBefore = now + retry.delay(after: failures, retryAfter: retryAfter, jitter: jitter)
  }
}
