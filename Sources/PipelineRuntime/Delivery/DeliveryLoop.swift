internal import Logging
internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// Brings the queue's records to one sink: does what its ``DeliveryMachine`` says, and tells it what came of it.
///
/// Runs on a thread of its own, since reads, commits and file sinks block.
final class DeliveryLoop {
  /// What a loop works with; the same for all sinks of a run.
  struct Context: Sendable {
    var queue: SegmentQueue
    var deadLetters: DeadLetterOffice
    var control: Watched<RunState>
    var clock: any PipelineClock
    /// A random number in 0...1.
    var jitter: @Sendable () -> Double
    var logger: Logger
  }

  let plan: SinkPlan
  let context: Context
  let consumer: QueueConsumer
  let progress: Watched<SinkStatus>
  let logger: Logger
  var machine: DeliveryMachine
  /// The batch in hand: what the machine's facts speak of.
  var loaded: LoadedBatch?
  private var reader: BatchReader
  /// How far dead letters are delivered, when output that can be cut back has told it and their own cursor may not.
  var mark: PutBackMark?
  /// Dead letters that were delivered since the last commit.
  var letters = PassedLetters()
  /// How often something was put back when the machine was asked last.
  private(set) var seenRequests: UInt64 = 0
  /// Delivered to a sink that may yet be cut back, so not yet told.
  private var uncounted = DeliveredCounts()
  private var limiters: [String: LogLimiter] = [:]

  init(_ plan: SinkPlan, consumer: QueueConsumer, progress: Watched<SinkStatus>, context: Context) {
    self.plan = plan
    self.context = context
    self.consumer = consumer
    self.progress = progress
    var logger = context.logger
    logger[metadataKey: "sink.name"] = "\(plan.name)"
    self.logger = logger
    machine = DeliveryMachine(plan, recovery: plan.sink.recovery, cursor: consumer.cursor, inFlightEnd: consumer.inFlightEnd)
    reader = BatchReader(consumer, ahead: plan.readsLinesAhead)
    mark = PutBackMark.unwrapped(consumer.sinkState).mark
    progress.change { $0.cursor = consumer.cursor }
  }

  /// Delivers until the run's phase ends it.
  func run() async {
    settleMark()
    while await step() {}
    await reader.end()
    await plan.sink.close()
    progress.change { $0.activity = .ended }
  }

  private func step() async -> Bool {
    let phase = context.control.value.phase
    let now = context.clock.now
    let end = context.queue.durableEnd
    // Before it is looked at: what is put back from here on ends the next wait.
    seenRequests = context.deadLetters.requests.value
    let action = machine.next(
      DeliveryFacts(now: now, unixSeconds: context.clock.unixSeconds, durableEnd: end, phase: phase, putBack: putBack))
    if machine.batch == nil { loaded = nil }
    switch action {
    case .finish: return false
    case .wait(let until, let beyond, let why): await wait(until: until, beyond: beyond, why, phase: phase)
    case .open: await open()
    case .read(let offset, let limits, let exactEnd):
      switch machine.log {
      case .queue: await read(from: offset, limits: limits, exactEnd: exactEnd, durableEnd: end)
      case .deadLetters: readDeadLetters(from: offset, limits: limits, exactEnd: exactEnd)
      }
    case .commitInFlight(let cursor, let end): await syncAndCommit(cursor, inFlightEnd: end)
    case .syncAndCommit(let cursor): await syncAndCommit(cursor, inFlightEnd: nil)
    case .deliver: await deliver()
    case .setAside(let verdict): await setAside(verdict)
    }
    return true
  }

  private func wait(until: Instant?, beyond: Offset?, _ why: DeliveryPause, phase: RunPhase) async {
    let activity: SinkActivity =
      switch why {
      case .idle: .idle
      case .pace: .pacing
      case .outsideWindow(let seconds): .outsideWindow(secondsUntilOpen: seconds)
      case .backoff: .backingOff(until: until ?? context.clock.now)
      }
    progress.change { $0.activity = activity }
    let (queue, clock, control, requests, seen) = (
      context.queue, context.clock, context.control, context.deadLetters.requests, seenRequests
    )
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await control.wait { $0.phase != phase } }
      group.addTask { await requests.wait { $0 != seen } }
      if let beyond { group.addTask { _ = await queue.waitForRecords(beyond: beyond, until: nil) } }
      if let until { group.addTask { try? await clock.sleep(until: until) } }
      await group.next()
      group.cancelAll()
    }
  }

  private func open() async {
    let isHeld = !consumer.dataWasLost && (machine.log == .queue || !ownBox.consumer.dataWasLost)
    let start = SinkStart(
      state: PutBackMark.unwrapped(consumer.sinkState).state.map { SinkState($0) }, cursor: machine.queuePosition, queueHoldsCursor: isHeld)
    do throws(DeliveryError) {
      try await plan.sink.open(start)
      machine.opened()
    } catch {
      machine.openFailed(error, at: context.clock.now, jitter: context.jitter())
      report(error, "the sink can't be opened")
    }
  }

  private func read(from offset: Offset, limits: BatchLimits, exactEnd: Offset?, durableEnd: Offset) async {
    do throws(QueueError) {
      guard let batch = try await reader.load(from: offset, limits: limits, exactEnd: exactEnd) else {
        return readFailed("the queue gave nothing at offset \(offset), although records up to \(durableEnd) are durable")
      }
      loaded = batch
      let facts = DeliveryBatchFacts(
        range: batch.range, byteCount: batch.byteCount, recordCount: batch.recordCount, isGap: batch.gap != nil,
        reachesEnd: batch.range.upperBound >= durableEnd)
      if !machine.didRead(facts, exactEnd: exactEnd), let exactEnd {
        logger.warning(
          "a range that may have been sent is no longer whole in the queue; what is left goes under a key of its own and may arrive twice",
          metadata: ["range": "\(offset)..<\(exactEnd)", "left": "\(batch.range)"])
      }
    } catch {
      readFailed(error.description)
    }
  }

  func readFailed(_ message: String) {
    machine.readFailed(at: context.clock.now, jitter: context.jitter())
    note(message)
    say(.error, "the queue can't be read", message)
  }

  private func deliver() async {
    guard let batch = loaded else { preconditionFailure("nothing was read") }
    progress.change { $0.activity = .delivering }
    let range = batch.range
    let (log, reader) = machine.log == .queue ? (context.queue, consumer) : (ownBox.queue, ownBox.consumer)
    let key = "\(log.id)-\(plan.name)-\(reader.seekCount)-\(range.lowerBound)-\(range.upperBound)"
    let delivery = Delivery(first: range.lowerBound, next: range.upperBound, content: batch.content, idempotencyKey: key)
    do throws(DeliveryError) {
      let next = try await plan.sink.deliver(delivery)
      if next == range.lowerBound, machine.wouldStall {
        throw DeliveryError(.retry(after: nil), "the sink takes nothing at offset \(next), although all before it is committed")
      }
      machine.delivered(upTo: next, at: context.clock.now)
      count(batch, upTo: next)
    } catch {
      machine.deliveryFailed(error, at: context.clock.now, jitter: context.jitter())
      forgetUncommitted()
      report(error, "a delivery failed", ["range": "\(range)"])
    }
    loaded = nil
  }

  private func count(_ batch: LoadedBatch, upTo next: Offset) {
    uncounted.add(batch, upTo: next)
    if machine.log == .deadLetters {
      let records = UInt64(batch.delivered(upTo: next).records)
      letters.count += records
      uncounted.putBack += records
    }
    // What can be cut back counts when its commit can't be taken back any more.
    if plan.sink.recovery == .repeatsRange { tellCounts() }
  }

  private func tellCounts() {
    progress.change { $0.add(uncounted) }
    uncounted = DeliveredCounts()
  }

  /// What was delivered to output that can be cut back, and not committed, wasn't.
  private func forgetUncommitted() {
    uncounted = DeliveredCounts()
    if plan.sink.recovery == .cutsBack { letters = PassedLetters() }
  }

  private func syncAndCommit(_ cursor: Offset, inFlightEnd: Offset?) async {
    let state: SinkState
    do throws(DeliveryError) {
      state = try await plan.sink.sync()
    } catch {
      machine.syncFailed(error, at: context.clock.now, jitter: context.jitter())
      forgetUncommitted()
      return report(error, "the sink can't sync its output")
    }
    commit(cursor, inFlightEnd: inFlightEnd, state: state)
  }

  /// Commits and tells the machine; false when the queue couldn't.
  @discardableResult
  func commit(_ cursor: Offset, inFlightEnd: Offset?, state: SinkState?, dropping dropped: Bool = false) -> Bool {
    do throws(QueueError) {
      switch machine.log {
      case .queue: try consumer.commit(cursor, inFlightEnd: inFlightEnd, sinkState: stateBytes(state), dropping: dropped)
      case .deadLetters: try commitDeadLetters(cursor, inFlightEnd: inFlightEnd, state: state, dropping: dropped)
      }
    } catch {
      let (committed, end) = committedPlace
      machine.commitFailed(committed: committed, inFlightEnd: end, at: context.clock.now, jitter: context.jitter())
      forgetUncommitted()
      note(error.description)
      say(.error, "the cursor can't be committed", error.description)
      return false
    }
    machine.didCommit(cursor, inFlightEnd: inFlightEnd)
    tellCounts()
    progress.change {
      $0.commits += 1
      $0.cursor = consumer.cursor
    }
    return true
  }

  /// What the disk says of the log that is delivered.
  private var committedPlace: (cursor: Offset, inFlightEnd: Offset?) {
    switch machine.log {
    case .queue: (consumer.cursor, consumer.inFlightEnd)
    // Of output that can be cut back the last commit that succeeded tells.
    case .deadLetters:
      plan.sink.recovery == .cutsBack ? (machine.committed, nil) : (ownBox.consumer.cursor, ownBox.consumer.inFlightEnd)
    }
  }

  /// Counts and logs a failure. After the run's last patience has ended, what fails was cancelled: that is no failure.
  private func report(_ error: DeliveryError, _ text: Logger.Message, _ metadata: Logger.Metadata = [:]) {
    if Task.isCancelled { return }
    note(error.message)
    let level: Logger.Level = error.advice == .waitForOperator ? .error : .warning
    say(level, text, error.message, metadata)
  }

  func note(_ message: String) {
    progress.change {
      $0.retries += 1
      $0.lastError = escapedForLog(message)
    }
  }

  /// Logs what is likely to come again and again.
  func say(_ level: Logger.Level, _ text: Logger.Message, _ message: String, _ metadata: Logger.Metadata = [:]) {
    guard let heldBack = limiters[text.description, default: LogLimiter()].pass(at: context.clock.now) else { return }
    var metadata = metadata
    metadata["error"] = "\(escapedForLog(message))"
    if let again = machine.notBefore { metadata["again_in"] = "\(secondsText(again - context.clock.now))" }
    if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
    logger.log(level: level, text, metadata: metadata)
  }
}
