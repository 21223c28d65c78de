import PipelineCore
import RecordBlocks
import SegmentQueue
import Testing

@testable import PipelineRuntime

/// Drives a machine by hand: time stands still unless told, records are 10 bytes each.
struct MachineDriver {
  var machine: DeliveryMachine
  var now = ContinuousClock.now
  var unixSeconds: Int64 = 20_000 * 86_400
  var end: Offset
  var phase = RunPhase.running
  var putBack: PutBack?

  init(
    _ recovery: SinkRecovery = .cutsBack, cursor: UInt64 = 0, inFlightEnd: UInt64? = nil, end: UInt64 = 100, opened: Bool = true,
    _ change: (inout SinkPlan) -> Void = { _ in }
  ) {
    var plan = SinkPlan(name: "sink", sink: ScriptedSink(recovery))
    change(&plan)
    machine = DeliveryMachine(plan, recovery: recovery, cursor: Offset(cursor), inFlightEnd: inFlightEnd.map { Offset($0) })
    self.end = Offset(end)
    if opened {
      expectNext(.open)
      machine.opened()
    }
  }

  mutating func next() -> DeliveryAction {
    machine.next(DeliveryFacts(now: now, unixSeconds: unixSeconds, durableEnd: end, phase: phase, putBack: putBack))
  }

  mutating func expectNext(_ expected: DeliveryAction, sourceLocation: SourceLocation = #_sourceLocation) {
    let action = next()
    #expect(action == expected, sourceLocation: sourceLocation)
  }

  mutating func advance(_ duration: Duration) {
    now += duration
    unixSeconds += duration.components.seconds
  }

  /// Expects a read and answers it with as much as is asked for and there.
  mutating func read(_ expected: Range<UInt64>, sourceLocation: SourceLocation = #_sourceLocation) {
    guard case .read(let from, let limits, let exactEnd) = next() else {
      Issue.record("no read", sourceLocation: sourceLocation)
      return
    }
    let byBytes = max(1, limits.maxBytes / 10)
    let count = min(end - from, limits.maxRecords, byBytes)
    let range = from..<from + count
    #expect(range == Offset(expected.lowerBound)..<Offset(expected.upperBound), sourceLocation: sourceLocation)
    let isWhole = machine.didRead(facts(range), exactEnd: exactEnd)
    #expect(isWhole, sourceLocation: sourceLocation)
  }

  func facts(_ range: Range<Offset>, isGap: Bool = false) -> DeliveryBatchFacts {
    let count = range.upperBound - range.lowerBound
    return DeliveryBatchFacts(
      range: range, byteCount: isGap ? 0 : count * 10, recordCount: isGap ? 0 : count, isGap: isGap, reachesEnd: range.upperBound >= end)
  }

  /// Expects the batch in hand to be delivered, and answers.
  mutating func deliver(upTo offset: UInt64, sourceLocation: SourceLocation = #_sourceLocation) {
    expectNext(.deliver, sourceLocation: sourceLocation)
    machine.delivered(upTo: Offset(offset), at: now)
  }

  mutating func fail(_ advice: DeliveryError.Advice, jitter: Double = 1, sourceLocation: SourceLocation = #_sourceLocation) {
    expectNext(.deliver, sourceLocation: sourceLocation)
    machine.deliveryFailed(DeliveryError(advice, "no"), at: now, jitter: jitter)
  }

  mutating func commit(_ cursor: UInt64, inFlightEnd: UInt64? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
    let expected: DeliveryAction =
      inFlightEnd.map { .commitInFlight(cursor: Offset(cursor), end: Offset($0)) } ?? .syncAndCommit(Offset(cursor))
    expectNext(expected, sourceLocation: sourceLocation)
    machine.didCommit(Offset(cursor), inFlightEnd: inFlightEnd.map { Offset($0) })
  }

  mutating func reopen(sourceLocation: SourceLocation = #_sourceLocation) {
    expectNext(.open, sourceLocation: sourceLocation)
    machine.opened()
  }

  mutating func setAside(
    _ range: Range<UInt64>, _ reason: DeliveryVerdict.Reason, _ status: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let verdict = DeliveryVerdict(range: Offset(range.lowerBound)..<Offset(range.upperBound), reason: reason, status: status)
    expectNext(.setAside(verdict), sourceLocation: sourceLocation)
    machine.didSetAside(verdict)
  }

  mutating func waits(_ duration: Duration?, beyond: UInt64? = nil, _ why: DeliveryPause, sourceLocation: SourceLocation = #_sourceLocation)
  {
    expectNext(.wait(until: duration.map { now + $0 }, beyond: beyond.map { Offset($0) }, why), sourceLocation: sourceLocation)
  }
}

@Suite struct DeliveryMachineTests {
  @Suite struct `A sink that can be cut back` {
    @Test func `commits when it has caught up, and then waits for records`() {
      var driver = MachineDriver { $0.batch.maxBytes = 600 }
      driver.read(0..<60)
      driver.deliver(upTo: 60)
      driver.read(60..<100)
      driver.deliver(upTo: 100)
      driver.commit(100)
      driver.waits(nil, beyond: 100, .idle)
    }

    @Test func `commits after 16 MiB or 200 ms, not for each batch`() {
      var driver = MachineDriver(end: 10_000_000) { $0.batch.maxBytes = 4 << 20 }
      for batch in 0..<4 as Range<UInt64> {
        driver.read(batch * 419_430..<(batch + 1) * 419_430)
        driver.deliver(upTo: (batch + 1) * 419_430)
      }
      driver.read(4 * 419_430..<5 * 419_430)
      driver.deliver(upTo: 5 * 419_430)
      driver.commit(5 * 419_430)
      driver.read(5 * 419_430..<6 * 419_430)
      driver.deliver(upTo: 6 * 419_430)
      driver.advance(.milliseconds(199))
      guard case .read = driver.next() else {
        Issue.record("not yet")
        return
      }
      driver.advance(.milliseconds(1))
      driver.commit(6 * 419_430)
    }

    @Test func `commits when it asks, also without progress, and then gets the rest`() {
      var driver = MachineDriver()
      driver.read(0..<100)
      driver.deliver(upTo: 40)
      driver.commit(40)
      driver.read(40..<100)
      driver.deliver(upTo: 40)
      driver.commit(40)
      driver.read(40..<100)
      #expect(driver.machine.wouldStall, "a second time would be no progress")
      driver.deliver(upTo: 100)
      driver.commit(100)
      #expect(!driver.machine.wouldStall)
    }

    @Test func `is opened anew at the last commit after a failed delivery`() {
      var driver = MachineDriver { $0.batch.maxBytes = 300 }
      driver.read(0..<30)
      driver.deliver(upTo: 30)
      driver.read(30..<60)
      driver.fail(.retry(after: nil))
      driver.waits(.seconds(1), .backoff)
      driver.advance(.seconds(1))
      driver.reopen()
      driver.read(0..<30)
      driver.deliver(upTo: 30)
      driver.read(30..<60)
      driver.deliver(upTo: 60)
    }

    @Test func `is opened anew after a failed sync or commit, with growing waits`() {
      var driver = MachineDriver()
      driver.read(0..<100)
      driver.deliver(upTo: 100)
      driver.expectNext(.syncAndCommit(Offset(100)))
      driver.machine.syncFailed(DeliveryError(.retry(after: nil), "disk"), at: driver.now, jitter: 1)
      driver.waits(.seconds(1), .backoff)
      driver.advance(.seconds(1))
      driver.reopen()
      driver.read(0..<100)
      driver.deliver(upTo: 100)
      driver.expectNext(.syncAndCommit(Offset(100)))
      driver.machine.commitFailed(committed: .zero, inFlightEnd: nil, at: driver.now, jitter: 1)
      driver.advance(.seconds(1))
      driver.reopen()
      driver.read(0..<100)
    }

    @Test func `waits ever longer for a destination that can't be opened, and rejects nothing for it`() {
      var driver = MachineDriver(opened: false) { $0.retry.attempts = 2 }
      for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        driver.expectNext(.open)
        driver.machine.openFailed(DeliveryError(.retry(after: nil), "down"), at: driver.now, jitter: 1)
        driver.waits(.seconds(seconds), .backoff)
        driver.advance(.seconds(seconds))
      }
      driver.reopen()
      driver.read(0..<100)
    }

    @Test func `has what it rejects set aside only when all before it is committed`() {
      var driver = MachineDriver { $0.batch.maxBytes = 300 }
      driver.read(0..<30)
      driver.deliver(upTo: 30)
      driver.read(30..<60)
      driver.fail(.reject(status: "400"))
      driver.reopen()
      driver.read(0..<30)
      driver.deliver(upTo: 30)
      driver.commit(30)
      driver.setAside(30..<60, .rejected, "400")
      driver.reopen()
      driver.read(60..<90)
    }
  }

  @Suite struct `A sink that can't be cut back` {
    @Test func `gets a range only after its end and the previous commit were written together`() {
      var driver = MachineDriver(.repeatsRange) { $0.batch.maxRecords = 40 }
      driver.read(0..<40)
      driver.commit(0, inFlightEnd: 40)
      driver.deliver(upTo: 40)
      driver.read(40..<80)
      driver.commit(40, inFlightEnd: 80)
      driver.deliver(upTo: 80)
      driver.read(80..<100)
      driver.commit(80, inFlightEnd: 100)
      driver.deliver(upTo: 100)
      driver.commit(100)
      driver.waits(nil, beyond: 100, .idle)
    }

    @Test func `gets exactly the range in flight first after a restart, whatever its limits are now`() {
      var driver = MachineDriver(.repeatsRange, cursor: 20, inFlightEnd: 70) {
        $0.batch = BatchPolicy(maxRecords: 5, maxBytes: 50, linger: .seconds(1))
      }
      driver.expectNext(.read(from: Offset(20), limits: BatchLimits(maxRecords: 50, maxBytes: .max), exactEnd: Offset(70)))
      driver.read(20..<70)
      driver.deliver(upTo: 70)
      driver.read(70..<75)
      driver.commit(70, inFlightEnd: 75)
    }

    @Test func `goes on with what is left when the range in flight isn't whole any more`() {
      var driver = MachineDriver(.repeatsRange, cursor: 20, inFlightEnd: 70)
      _ = driver.next()
      let isWhole = driver.machine.didRead(driver.facts(Offset(20)..<Offset(50), isGap: true), exactEnd: Offset(70))
      #expect(!isWhole)
      driver.commit(20, inFlightEnd: 50)
      driver.deliver(upTo: 50)
      driver.read(50..<100)
    }

    @Test func `gets the same range again after a failure, without another commit`() {
      var driver = MachineDriver(.repeatsRange) { $0.batch.maxRecords = 40 }
      driver.read(0..<40)
      driver.commit(0, inFlightEnd: 40)
      driver.fail(.retry(after: .seconds(7)), jitter: 0)
      driver.waits(.seconds(7), .backoff)
      driver.advance(.seconds(7))
      driver.end = Offset(1000)
      driver.read(0..<40)
      driver.deliver(upTo: 40)
    }

    @Test func `has a range split at the middle record, each half committed before it is sent`() {
      var driver = MachineDriver(.repeatsRange, end: 7)
      driver.read(0..<7)
      driver.commit(0, inFlightEnd: 7)
      driver.fail(.split)
      driver.read(0..<3)
      driver.commit(0, inFlightEnd: 3)
      driver.fail(.split)
      driver.read(0..<1)
      driver.commit(0, inFlightEnd: 1)
      driver.fail(.split)
      driver.setAside(0..<1, .tooLarge, "too large")
      driver.read(1..<3)
      driver.commit(1, inFlightEnd: 3)
      driver.deliver(upTo: 3)
      driver.read(3..<7)
      driver.commit(3, inFlightEnd: 7)
      driver.deliver(upTo: 7)
      driver.commit(7)
    }

    @Test func `never gives up by itself, and gives up after the attempts that were asked for`() {
      var patient = MachineDriver(.repeatsRange)
      for _ in 0..<500 {
        patient.read(0..<100)
        if patient.machine.inFlightEnd == nil { patient.commit(0, inFlightEnd: 100) }
        patient.fail(.retry(after: nil), jitter: 0)
      }
      var limited = MachineDriver(.repeatsRange) { $0.retry.attempts = 3 }
      for attempt in 1...3 {
        limited.read(0..<100)
        if attempt == 1 { limited.commit(0, inFlightEnd: 100) }
        limited.fail(.retry(after: nil), jitter: 0)
      }
      limited.setAside(0..<100, .retriesExhausted, "retries exhausted")
      limited.waits(nil, beyond: 100, .idle)
    }

    @Test func `waits for an operator ever longer, for ever, whatever the attempts`() {
      var driver = MachineDriver(.repeatsRange) { $0.retry.attempts = 1 }
      driver.read(0..<100)
      driver.commit(0, inFlightEnd: 100)
      for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        driver.fail(.waitForOperator)
        driver.waits(.seconds(seconds), .backoff)
        driver.advance(.seconds(seconds))
        driver.read(0..<100)
      }
    }

    @Test func `is asked to take no more at once than a 413 has taught, until that has gone well for long`() {
      let records: UInt64 = 4 * 200
      var driver = MachineDriver(.repeatsRange, end: records * 3) { $0.batch.maxBytes = 80 }
      driver.read(0..<8)
      driver.commit(0, inFlightEnd: 8)
      driver.fail(.split)
      for first in stride(from: 0, to: records, by: 4) {
        driver.read(first..<first + 4)
        driver.commit(first, inFlightEnd: first + 4)
        driver.deliver(upTo: first + 4)
      }
      driver.read(records..<records + 8)
    }

    @Test func `waits with rejected records when it is told to`() {
      var driver = MachineDriver(.repeatsRange) { $0.onReject = .wait }
      driver.read(0..<100)
      driver.commit(0, inFlightEnd: 100)
      driver.fail(.reject(status: "400"))
      driver.waits(.seconds(60), .backoff)
      driver.advance(.seconds(60))
      driver.read(0..<100)
      driver.deliver(upTo: 100)
    }

    @Test func `keeps a verdict while the dead-letter queue can't be had`() {
      var driver = MachineDriver(.repeatsRange)
      driver.read(0..<100)
      driver.commit(0, inFlightEnd: 100)
      driver.fail(.reject(status: "400"))
      guard case .setAside = driver.next() else {
        Issue.record("no verdict")
        return
      }
      driver.machine.setAsideFailed(at: driver.now, jitter: 1)
      driver.waits(.seconds(1), .backoff)
      driver.advance(.seconds(1))
      driver.setAside(0..<100, .rejected, "400")
    }
  }

  @Suite struct `The consumer's own pace` {
    @Test func `starts one drain a period, up to the end seen at its start`() {
      var driver = MachineDriver {
        $0.pull.every = .seconds(10)
        $0.batch.maxRecords = 60
      }
      driver.read(0..<60)
      driver.end = Offset(500)
      driver.deliver(upTo: 60)
      driver.read(60..<100)
      driver.deliver(upTo: 100)
      driver.commit(100)
      driver.advance(.seconds(4))
      driver.waits(.seconds(6), .pace)
      driver.advance(.seconds(6))
      driver.read(100..<160)
    }

    @Test func `starts at once with the first record after an empty period`() {
      var driver = MachineDriver(end: 0) { $0.pull.every = .seconds(10) }
      driver.waits(nil, beyond: 0, .idle)
      driver.advance(.seconds(25))
      driver.end = Offset(1)
      driver.read(0..<1)
    }

    @Test func `keeps to its rate`() {
      var driver = MachineDriver(end: 1_000_000) { $0.pull.bytesPerSecond = 1 << 20 }
      driver.read(0..<26_214)
      driver.deliver(upTo: 26_214)
      driver.commit(26_214)
      let paid = driver.machine.bucket!.paidAt!
      driver.expectNext(.wait(until: paid, beyond: nil, .pace))
      driver.now = paid
      driver.read(26_214..<52_428)
    }

    @Test func `stays within its window, and looks at the clock again at least each minute`() {
      var driver = MachineDriver { $0.pull.window = LocalWindow(startMinute: 1, endMinute: 2) }
      driver.waits(.seconds(60), .outsideWindow(secondsUntilOpen: 60))
      driver.advance(.seconds(60))
      driver.read(0..<100)
      driver.deliver(upTo: 50)
      driver.advance(.seconds(60))
      driver.commit(50)
      driver.waits(.seconds(60), .outsideWindow(secondsUntilOpen: 86_400 - 60))
    }

    @Test func `waits for a full batch as long as the linger says`() {
      var driver = MachineDriver(.repeatsRange, end: 10) { $0.batch = BatchPolicy(maxRecords: 1000, maxBytes: 500, linger: .seconds(1)) }
      driver.read(0..<10)
      // Fifty such records fill it.
      driver.waits(.seconds(1), beyond: 49, .idle)
      driver.advance(.milliseconds(400))
      driver.end = Offset(49)
      driver.read(0..<49)
      driver.waits(.milliseconds(600), beyond: 49, .idle)
      driver.end = Offset(50)
      driver.read(0..<50)
      driver.commit(0, inFlightEnd: 50)
      driver.deliver(upTo: 50)
      driver.commit(50)
      driver.end = Offset(53)
      driver.read(50..<53)
      driver.waits(.seconds(1), beyond: 99, .idle)
      driver.advance(.seconds(1))
      driver.read(50..<53)
      driver.commit(50, inFlightEnd: 53)
    }
  }

  @Suite struct `The end of a run` {
    @Test func `commits what was delivered and finishes`() {
      var driver = MachineDriver { $0.batch.maxRecords = 10 }
      driver.read(0..<10)
      driver.deliver(upTo: 10)
      driver.phase = .stopping
      driver.commit(10)
      driver.expectNext(.finish)
    }

    @Test func `tries the last commit once`() {
      var driver = MachineDriver(.repeatsRange) { $0.batch.maxRecords = 10 }
      driver.read(0..<10)
      driver.commit(0, inFlightEnd: 10)
      driver.deliver(upTo: 10)
      driver.phase = .stopping
      driver.expectNext(.syncAndCommit(Offset(10)))
      driver.machine.commitFailed(committed: .zero, inFlightEnd: Offset(10), at: driver.now, jitter: 1)
      driver.expectNext(.finish)
    }

    @Test func `leaves a range in flight that wasn't delivered`() {
      var driver = MachineDriver(.repeatsRange)
      driver.read(0..<100)
      driver.commit(0, inFlightEnd: 100)
      driver.fail(.retry(after: nil))
      driver.phase = .stopping
      driver.expectNext(.finish)
      #expect(driver.machine.inFlightEnd == Offset(100))
    }

    @Test func `drains to the end regardless of window, period and linger, and at its rate`() {
      var driver = MachineDriver {
        $0.pull = PullPace(every: .seconds(3600), bytesPerSecond: 100 << 20, window: LocalWindow(startMinute: 600, endMinute: 601))
        $0.batch = BatchPolicy(maxRecords: 60, maxBytes: 1 << 20, linger: .seconds(60))
      }
      driver.phase = .draining(to: Offset(100))
      driver.read(0..<60)
      driver.deliver(upTo: 60)
      driver.now = driver.machine.bucket!.paidAt!
      driver.read(60..<100)
      driver.deliver(upTo: 100)
      driver.commit(100)
      driver.expectNext(.finish)
    }
  }

  @Suite struct `Dead letters that were put back` {
    private let some = PutBack(cursor: Offset(3), inFlightEnd: nil, end: Offset(7))

    @Test func `come before the next new batch, and only when all before them is committed`() {
      var driver = MachineDriver(.repeatsRange) { $0.batch.maxRecords = 10 }
      driver.read(0..<10)
      driver.commit(0, inFlightEnd: 10)
      driver.deliver(upTo: 10)
      driver.putBack = some
      driver.commit(10)
      driver.expectNext(.read(from: Offset(3), limits: BatchLimits(maxRecords: 4, maxBytes: 4 << 20), exactEnd: nil))
      #expect(driver.machine.log == .deadLetters)
      _ = driver.machine.didRead(driver.facts(Offset(3)..<Offset(7)), exactEnd: nil)
      driver.commit(3, inFlightEnd: 7)
      driver.deliver(upTo: 7)
      driver.commit(7)
      driver.putBack = nil
      driver.read(10..<20)
      #expect(driver.machine.log == .queue)
    }

    @Test func `wait for a range that may have been sent`() {
      var driver = MachineDriver(.repeatsRange, inFlightEnd: 10)
      driver.putBack = some
      driver.read(0..<10)
      driver.deliver(upTo: 10)
      driver.commit(10)
      guard case .read(let offset, _, _) = driver.next() else {
        Issue.record("no read")
        return
      }
      #expect(offset == Offset(3))
    }

    @Test func `don't wait for a range that fails or was rejected: its room may depend on them`() {
      var driver = MachineDriver(.repeatsRange, inFlightEnd: 10)
      driver.putBack = some
      driver.read(0..<10)
      driver.fail(.reject(status: "400"))
      guard case .read(let offset, _, _) = driver.next() else {
        Issue.record("no read")
        return
      }
      #expect(offset == Offset(3))
      driver.machine.passedOver(upTo: Offset(7), at: driver.now)
      driver.commit(7)
      driver.putBack = nil
      driver.setAside(0..<10, .rejected, "400")
    }

    @Test func `begin with the range that was in flight`() {
      var driver = MachineDriver(.repeatsRange)
      driver.putBack = PutBack(cursor: Offset(3), inFlightEnd: Offset(5), end: Offset(7))
      driver.expectNext(.read(from: Offset(3), limits: BatchLimits(maxRecords: 2, maxBytes: .max), exactEnd: Offset(5)))
    }

    @Test func `are delivered to output that can be cut back from the last commit on after an error`() {
      var driver = MachineDriver()
      driver.putBack = some
      guard case .read = driver.next() else {
        Issue.record("no read")
        return
      }
      _ = driver.machine.didRead(driver.facts(Offset(3)..<Offset(5)), exactEnd: nil)
      driver.deliver(upTo: 5)
      driver.advance(.milliseconds(200))
      driver.commit(5)
      guard case .read = driver.next() else {
        Issue.record("no read")
        return
      }
      _ = driver.machine.didRead(driver.facts(Offset(5)..<Offset(7)), exactEnd: nil)
      driver.fail(.retry(after: nil), jitter: 0)
      driver.advance(.seconds(100))
      driver.reopen()
      guard case .read(let offset, _, _) = driver.next() else {
        Issue.record("no read")
        return
      }
      #expect(offset == Offset(5))
      #expect(driver.machine.queuePosition == .zero)
    }

    @Test func `that are others' are passed over, and the place committed at the end`() {
      var driver = MachineDriver(.repeatsRange)
      driver.putBack = some
      guard case .read = driver.next() else {
        Issue.record("no read")
        return
      }
      driver.machine.passedOver(upTo: Offset(7), at: driver.now)
      driver.commit(7)
      driver.putBack = nil
      driver.read(0..<100)
    }

    @Test func `are set aside anew when they are rejected again, and what can't be read is dropped`() {
      var driver = MachineDriver(.repeatsRange)
      driver.putBack = some
      guard case .read = driver.next() else {
        Issue.record("no read")
        return
      }
      _ = driver.machine.didRead(driver.facts(Offset(3)..<Offset(5)), exactEnd: nil)
      driver.commit(3, inFlightEnd: 5)
      driver.fail(.reject(status: "400"))
      driver.setAside(3..<5, .rejected, "400")
      guard case .read = driver.next() else {
        Issue.record("no read")
        return
      }
      driver.machine.cannotRead(upTo: Offset(7))
      driver.setAside(5..<7, .unreadable, "unreadable dead letter")
      driver.putBack = nil
      driver.read(0..<100)
    }

    @Test func `that stay dead letters leave the queue where it was`() {
      var driver = MachineDriver(.repeatsRange, cursor: 20)
      driver.putBack = some
      guard case .read = driver.next() else {
        Issue.record("no read")
        return
      }
      driver.machine.putBackEnded()
      driver.putBack = nil
      driver.read(20..<100)
    }

    @Test func `keep the window and the rate, and not the period`() {
      var driver = MachineDriver(.repeatsRange) { $0.pull = PullPace(every: .seconds(3600), bytesPerSecond: 1000) }
      driver.read(0..<100)
      driver.commit(0, inFlightEnd: 100)
      driver.deliver(upTo: 100)
      driver.commit(100)
      driver.putBack = some
      let paid = driver.machine.bucket!.paidAt!
      driver.expectNext(.wait(until: paid, beyond: nil, .pace))
      driver.now = paid
      guard case .read(let offset, _, _) = driver.next() else {
        Issue.record("no read")
        return
      }
      #expect(offset == Offset(3))
    }

    @Test func `are delivered before a drain is over`() {
      var driver = MachineDriver(.repeatsRange, cursor: 100)
      driver.putBack = some
      driver.phase = .draining(to: Offset(100))
      guard case .read = driver.next() else {
        Issue.record("no read")
        return
      }
      driver.machine.passedOver(upTo: Offset(7), at: driver.now)
      driver.commit(7)
      driver.putBack = nil
      driver.expectNext(.finish)
    }
  }
}
