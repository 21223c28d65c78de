public import Logging
internal import PipelineCore
internal import RecordBlocks
public import SegmentQueue
internal import Synchronization

/// Runs one pipeline: sources into an opened queue, and the queue's records into sinks, each at its own pace.
///
/// It knows no configuration and no concrete source or sink, and holds nothing that a crash could cost: whatever a process that was
/// killed had not
/// committed is done again by the next. Each source and each sink has a thread of its own.
public final class PipelineRunner: Sendable {
  private let queue: SegmentQueue
  private let sources: [SourcePlan]
  private let sinks: [SinkPlan]
  private let clock: any PipelineClock
  private let jitter: @Sendable () -> Double
  private let logger: Logger
  private let bounds: ShutdownBounds
  private let control = Watched(RunState())
  /// What its sinks set aside, and what goes to them again.
  public let deadLetters: DeadLetterOffice
  let sourceProgress: [Watched<SourceStatus>]
  let sinkProgress: [Watched<SinkStatus>]
  private let board: StatusBoard
  private let hasRun = Mutex(false)

  /// A pipeline over `queue`, which the caller opened and closes after the run.
  ///
  /// - Parameters:
  ///   - openDeadLetters: opens the dead-letter queue, and makes it when told to, which is when the first record is rejected (blocking; see
  ///     ``DeadLetters/open(for:create:fileSystem:clock:notify:)``). The run closes it.
  ///   - jitter: random numbers in 0...1 for backoff.
  ///   - bounds: how long the parts of a stop may take.
  public init(
    queue: SegmentQueue, sources: [SourcePlan], sinks: [SinkPlan],
    deadLetters openDeadLetters: @escaping @Sendable (_ create: Bool) throws -> SegmentQueue?,
    clock: any PipelineClock = SystemPipelineClock(), logger: Logger, jitter: @escaping @Sendable () -> Double = { .random(in: 0...1) },
    bounds: ShutdownBounds = ShutdownBounds()
  ) {
    precondition(Set(sources.map(\.name)).count == sources.count, "two sources of one name")
    precondition(Set(sinks.map(\.name)).count == sinks.count, "two sinks of one name")
    self.queue = queue
    self.sources = sources
    self.sinks = sinks
    self.clock = clock
    self.jitter = jitter
    self.bounds = bounds
    var logger = logger
    logger[metadataKey: "queue.name"] = "\(queue.name)"
    self.logger = logger
    deadLetters = DeadLetterOffice(sinks: sinks.map(\.name), openDeadLetters)
    sourceProgress = sources.map { Watched(SourceStatus(name: $0.name)) }
    sinkProgress = sinks.map { Watched(SinkStatus(name: $0.name)) }
    board = StatusBoard(queue, sources: sourceProgress, sinks: sinkProgress, deadLetters: deadLetters)
  }

  /// What is going on; from any thread, at any time, cheap enough for twice a second.
  public func status() -> PipelineStatus { board.look(at: clock.now) }

  /// Runs until `ending`, or until the task is cancelled: then sources are stopped, the queue synced, and sinks finish what they have in
  /// hand, sync and
  /// commit, all within ``ShutdownBounds``. Only once for a runner.
  public func run(until ending: RunEnding) async -> PipelineOutcome {
    let isFirst = hasRun.withLock { hasRun in
      defer { hasRun = true }
      return !hasRun
    }
    precondition(isFirst, "a runner runs once")
    // Cancellation must reach the parts in an order, and a task can't cancel its children one by one: they are owned here, and awaited in
    // `supervise`.
    let run = Task { await supervise(ending) }
    return await withTaskCancellationHandler {
      await run.value
    } onCancel: {
      control.change { $0.stopRequested = true }
    }
  }

  private func supervise(_ ending: RunEnding) async -> PipelineOutcome {
    let sampler = Task { [board, clock] in
      while !Task.isCancelled {
        _ = board.look(at: clock.now)
        try? await clock.sleep(until: clock.now + .seconds(1))
      }
    }
    await placeSinks()
    let sinkTask = Task { await runSinks() }
    let sourceTask = Task { await runSources() }
    let reached = await reach(ending)
    let leftBehind = await stop(sourceTask, sinkTask)
    sampler.cancel()
    await sampler.value
    let outcome = outcome(reached, leftBehind: leftBehind)
    await deadLetters.close()
    return outcome
  }

  // MARK: Parts

  /// Sees to it that each sink has its place in the queue before the first record comes: what nobody holds is deleted for want of space, and
  /// a source may fill a small queue sooner than a slow disk has a new sink's cursor. One that can't be made now is tried again by its sink.
  private func placeSinks() async {
    await ThreadExecutor.run(named: "sinks") { [queue, sinks] in
      for plan in sinks { _ = try? queue.consumer(plan.name, kind: .sink, startAt: plan.startAt, hold: plan.hold) }
    }
  }

  private func runSources() async {
    await withTaskGroup(of: SourceFailure?.self) { group in
      for (plan, progress) in zip(sources, sourceProgress) {
        let supervisor = SourceSupervisor(plan: plan, queue: queue, clock: clock, jitter: jitter, logger: logger, progress: progress)
        group.addTask { await supervisor.run() }
      }
      for await failure in group {
        guard let failure else { continue }
        logger.error("a source can't work", metadata: ["source.name": "\(failure.source)", "error": "\(failure.message)"])
        control.change { $0.failure = $0.failure ?? failure }
      }
    }
    control.change { $0.sourcesEnded = true }
  }

  private func runSinks() async {
    await openDeadLetters()
    let context = DeliveryLoop.Context(
      queue: queue, deadLetters: deadLetters, control: control, clock: clock, jitter: jitter, logger: logger)
    await withTaskGroup(of: Void.self) { group in
      for (plan, progress) in zip(sinks, sinkProgress) {
        group.addTask { await ThreadExecutor.run(named: plan.name) { await Self.runSink(plan, progress, context) } }
      }
    }
    control.change { $0.sinksEnded = true }
  }

  /// What was put back goes out first, so the dead letters that there are must be open.
  private func openDeadLetters() async {
    do {
      try await ThreadExecutor.run(named: "dead letters") { [deadLetters] () async throws(any Error) in _ = try deadLetters.openExisting() }
    } catch {
      logger.error(
        "the dead letters can't be opened; what was put back waits, new records are delivered", metadata: ["error": "\(error)"])
    }
  }

  private static func runSink(_ plan: SinkPlan, _ progress: Watched<SinkStatus>, _ context: DeliveryLoop.Context) async {
    guard let consumer = await openConsumer(plan, progress, context) else { return }
    passDeadLetters(plan, consumer, context)
    await DeliveryLoop(plan, consumer: consumer, progress: progress, context: context).run()
  }

  /// What an earlier run rejected and set aside, and didn't commit before it ended, isn't given to the sink again: it might be taken now, and
  /// would be there twice. A range that was set aside in part goes out once more as a whole.
  private static func passDeadLetters(_ plan: SinkPlan, _ consumer: QueueConsumer, _ context: DeliveryLoop.Context) {
    guard let box = context.deadLetters.openBox(of: plan.name),
      let end = box.settledEnd(of: context.queue.id, stream: DeadLetterMail.stream, seekCount: consumer.seekCount),
      end > consumer.cursor, end >= consumer.inFlightEnd ?? .zero
    else { return }
    // Without this commit they are rejected, recognised and passed as they were before.
    try? consumer.commit(end)
  }

  /// The sink's consumer: tried again until a full disk or a want of descriptors has passed. Nil when trying again can't help, or when the
  /// run ends before.
  private static func openConsumer(
    _ plan: SinkPlan, _ progress: Watched<SinkStatus>, _ context: DeliveryLoop.Context
  ) async -> QueueConsumer? {
    var failures = 0
    var limiter = LogLimiter()
    while true {
      do throws(QueueError) {
        return try context.queue.consumer(plan.name, kind: .sink, startAt: plan.startAt, hold: plan.hold)
      } catch {
        progress.change { $0.lastError = error.description }
        guard error.code == .io || error.code == .full else {
          // One unreadable cursor must not stop the others; what this one may not have read stays.
          context.logger.error(
            "a sink's consumer can't be opened; the sink stands still, the others go on",
            metadata: ["sink.name": "\(plan.name)", "error": "\(error.description)"])
          progress.change { $0.activity = .refused(error.description) }
          return nil
        }
        failures += 1
        let until = context.clock.now + plan.retry.delay(after: failures, retryAfter: nil, jitter: context.jitter())
        progress.change {
          $0.activity = .backingOff(until: until)
          $0.retries += 1
        }
        if let heldBack = limiter.pass(at: context.clock.now) {
          context.logger.error(
            "a sink's consumer can't be opened now; it is tried again, the other sinks go on",
            metadata: [
              "sink.name": "\(plan.name)", "error": "\(error.description)", "again_in": "\(secondsText(until - context.clock.now))",
              "held_back": "\(heldBack)",
            ])
        }
        if await context.control.wait(until: until, clock: context.clock, for: { $0.phase == .stopping }) {
          progress.change { $0.activity = .ended }
          return nil
        }
      }
    }
  }

  // MARK: The end

  /// Waits for what ends the run.
  private func reach(_ ending: RunEnding) async -> PipelineOutcome.Ending {
    await control.wait { $0.stopRequested || $0.failure != nil || ($0.sourcesEnded && ending != .forever) }
    if let ending = early { return ending }
    // Not awaited itself: in a full queue it lasts until a consumer makes room, and a stop must end it.
    Task { [queue, control, logger] in
      do { try await queue.synchronize() } catch {
        logger.error("the queue can't be synced; what isn't on the disk is read again by the next run", metadata: ["error": "\(error)"])
      }
      control.change { $0.isDurable = true }
    }
    await control.wait { $0.stopRequested || $0.isDurable }
    if let ending = early { return ending }
    guard case .drained(let timeout) = ending else { return .sourcesEnded }
    control.change { $0.phase = .draining(to: queue.durableEnd) }
    let isOver: @Sendable (RunState) -> Bool = { $0.stopRequested || $0.sinksEnded }
    if let timeout {
      _ = await control.wait(until: clock.now + timeout, clock: clock, for: isOver)
    } else {
      await control.wait(for: isOver)
    }
    if let ending = early { return ending }
    return .drained
  }

  private var early: PipelineOutcome.Ending? {
    let state = control.value
    if let failure = state.failure { return .failed(failure) }
    return state.stopRequested ? .stopped : nil
  }

  /// Ends sources, then the queue's writing, then sinks, each within its bound; names what didn't end.
  private func stop(_ sources: Task<Void, Never>, _ sinks: Task<Void, Never>) async -> [String] {
    sources.cancel()
    let sourcesEnded = await control.wait(until: clock.now + bounds.sources, clock: clock) { $0.sourcesEnded }
    // Not awaited: a disk that hangs must not hold up the stop, and `close()` of the queue syncs in any case.
    Task { [queue, control] in
      try? await queue.synchronize()
      control.change { $0.isSynchronised = true }
    }
    _ = await control.wait(until: clock.now + bounds.synchronize, clock: clock) { $0.isSynchronised }
    control.change { $0.phase = .stopping }
    var sinksEnded = await control.wait(until: clock.now + bounds.sinks, clock: clock) { $0.sinksEnded }
    sinks.cancel()
    if !sinksEnded { sinksEnded = await control.wait(until: clock.now + bounds.cancelledSinks, clock: clock) { $0.sinksEnded } }
    var names: [String] = []
    if sourcesEnded { await sources.value } else { names += sourceProgress.map(\.value).filter { $0.activity != .ended }.map(\.name) }
    if sinksEnded { await sinks.value } else { names += sinkProgress.map(\.value).filter { !$0.hasEnded }.map(\.name) }
    if !names.isEmpty {
      logger.error(
        "sources or sinks don't end when told to and are left behind; nothing is lost when the process ends",
        metadata: ["names": "\(names.joined(separator: ", "))"])
    }
    return names
  }

  private func outcome(_ reached: PipelineOutcome.Ending, leftBehind: [String]) -> PipelineOutcome {
    let status = queue.status()
    let rests = sinkProgress.map(\.value).map { sink in
      let putBack = deadLetters.openBox(of: sink.name)?.putBack != nil
      let consumer = status.consumers.first { $0.name == sink.name && $0.failure == nil }
      return PipelineOutcome.SinkRest(
        name: sink.name, cursor: sink.cursor, end: status.durableEnd, lagRecords: consumer?.lagRecords ?? 0,
        lagBytes: consumer?.lagBytes ?? 0, hasDeadLettersPutBack: putBack, lastError: sink.lastError)
    }
    var reached = reached
    if reached == .drained, !rests.allSatisfy(\.isDone) { reached = .leftovers }
    return PipelineOutcome(ending: reached, sinks: rests, leftBehind: leftBehind)
  }
}

extension SinkStatus {
  /// Nothing runs for it any more.
  fileprivate var hasEnded: Bool {
    switch activity {
    case .ended, .refused: true
    default: false
    }
  }
}
