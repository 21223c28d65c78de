internal import Dispatch
internal import Glibc
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization
internal import SystemPackage

/// Runs pipelines side by side in this process: opens what they need, runs them, shows how they are, ends them.
final class PipelineHost: Sendable {
  /// A stop is over by then, whatever hangs: what is durable stays so, and nothing else was promised.
  private static let longestStop = DispatchTimeInterval.milliseconds(4800)

  private struct Hosted {
    var definition: PipelineDefinition
    var queue: SegmentQueue
    var runner: PipelineRunner
  }

  private struct State {
    var hosted: [Hosted] = []
    var work: Task<Void, Never>?
    var stopRequested = false
    /// Every runner has ended: what was promised is on the disk.
    var runnersEnded = false
    var failed = false
  }

  private let once: Bool
  private let ending: RunEnding
  private let server: ServerHost
  private let log: ProcessLog
  private let level: Logger.Level
  private let logger: Logger
  private let state = Mutex(State())

  init(once: Bool, ending: RunEnding, server: ServerHost, log: ProcessLog, level: Logger.Level) {
    self.once = once
    self.ending = ending
    self.server = server
    self.log = log
    self.level = level
    logger = log.logger("sluice", level: level)
  }

  // MARK: Opening

  /// Opens everything, sockets first: what can't work is an error before the first queue is touched. Blocking.
  func open(_ pipelines: [PipelineDefinition]) throws {
    logger.info(
      "starting",
      metadata: [
        "version": "\(VersionCommand.version)", "codec": "\(BlockCodec.shared.description)", "pid": "\(getpid())",
        "working_directory": "\(Process.workingDirectory)",
      ])
    let onlyStandardOutput = pipelines.flatMap(\.sinks).allSatisfy { $0.kind.isStandardOutput }
    let mostOpenFiles = Self.mostOpenFiles(pipelines)
    let prepared = try pipelines.map { pipeline in
      try parts(of: pipeline, endsWithReader: onlyStandardOutput, mostOpenFiles: mostOpenFiles)
    }
    for (pipeline, parts) in zip(pipelines, prepared) {
      let queue = try openQueue(pipeline)
      try prepareConsumers(pipeline, queue)
      let logger = componentLogger(pipeline)
      let notices = logger.notices(of: queue.name + DeadLetters.suffix)
      let runner = PipelineRunner(
        queue: queue, sources: parts.sources, sinks: parts.sinks.map { makeSink in makeSink(queue) },
        deadLetters: { create in try DeadLetters.open(for: queue, create: create, notify: notices) }, logger: logger)
      state.withLock { $0.hosted.append(Hosted(definition: pipeline, queue: queue, runner: runner)) }
      server.serve(queue, runner, parts.facts)
      reportStart(pipeline, queue)
    }
  }

  /// A file source's share of the process's descriptors, when each queue, sink and other source has what it needs at its busiest.
  private static func mostOpenFiles(_ pipelines: [PipelineDefinition]) -> Int {
    let fileSources = pipelines.flatMap(\.sources).count { if case .file = $0.kind { true } else { false } }
    let others = 16 + 12 * pipelines.count + 8 * pipelines.flatMap(\.sinks).count + 4 * pipelines.flatMap(\.sources).count
    return max(4, (Process.fileLimit - others) / max(1, fileSources))
  }

  /// The sources, sockets bound, and what makes the sinks once the queue is open.
  private func parts(of pipeline: PipelineDefinition, endsWithReader: Bool, mostOpenFiles: Int) throws -> (
    sources: [SourcePlan], sinks: [(SegmentQueue) -> SinkPlan], facts: PipelineParts
  ) {
    let logger = componentLogger(pipeline)
    do {
      var facts = PipelineParts()
      let sources = try pipeline.sources.map { definition in
        let component = Components.sources[definition.kind.type]
        let made = try component.make(SourceContext(definition: definition, once: once, mostOpenFiles: mostOpenFiles, logger: logger))
        facts.sourceTypes[definition.name] = definition.kind.type
        facts.files[definition.name] = made.files
        return SourcePlan(name: definition.name, source: made.source, whenFull: WhenFull(definition.whenFull))
      }
      let sinks = try pipeline.sinks.map { definition in
        let context = SinkContext(definition: definition, onReaderGone: { [self] in readerIsGone(endsRun: endsWithReader) }, logger: logger)
        facts.sinkTypes[definition.name] = definition.kind.type
        return try Components.sinks[definition.kind.type].check(context)
      }
      return (sources: sources, sinks: sinks, facts: facts)
    } catch let failure as CommandFailure {
      throw CommandFailure(failure.code, "\(pipeline.file): \(failure.message)")
    } catch {
      throw CommandFailure(.usage, "\(pipeline.file): \(error)")
    }
  }

  private func openQueue(_ pipeline: PipelineDefinition) throws(CommandFailure) -> SegmentQueue {
    let definition = pipeline.queue
    do {
      return try SegmentQueue.open(
        FilePath(Process.absolute(definition.path)), name: definition.name, options: QueueOptions(definition),
        notify: logger.notices(of: definition.name))
    } catch {
      throw CommandFailure(ExitCode(error.code), "\(pipeline.file): \(error.description)")
    }
  }

  /// Makes the pull consumers that the file declares, and tells of those that no file names any more.
  private func prepareConsumers(_ pipeline: PipelineDefinition, _ queue: SegmentQueue) throws(CommandFailure) {
    do {
      for consumer in pipeline.consumers {
        var (kind, maxDeliveries) = (ConsumerKind.pull, Int?.none)
        if case .lease(let most) = consumer.mode { (kind, maxDeliveries) = (.lease, most) }
        _ = try queue.consumer(
          consumer.name, kind: kind, startAt: StartAt(consumer.startAt), hold: Hold(consumer.hold), maxDeliveries: maxDeliveries)
      }
    } catch {
      throw CommandFailure(ExitCode(error.code), "\(pipeline.file): \(error.description)")
    }
    let named = Set(pipeline.sinks.map(\.name) + pipeline.consumers.map(\.name))
    for consumer in queue.status().consumers where !named.contains(consumer.name) {
      logger.warning(
        "a consumer that the pipeline file does not name holds records; name it there again, or remove its file while the queue is idle",
        metadata: [
          "queue.name": "\(queue.name)", "consumer.name": "\(consumer.name)", "kind": "\(consumer.kind.name)",
          "hold": "\(consumer.hold.text)",
          "lag_records": "\(consumer.lagRecords)", "lag_bytes": "\(consumer.lagBytes)", "holds_stored_bytes": "\(consumer.pinnedBytes)",
          "file": "\(queue.path.appending("consumers").appending(consumer.name))",
        ])
    }
  }

  private func reportStart(_ pipeline: PipelineDefinition, _ queue: SegmentQueue) {
    let status = queue.status()
    logger.info(
      "pipeline starts",
      metadata: [
        "queue.name": "\(queue.name)", "file": "\(Process.absolute(pipeline.file))", "queue.path": "\(queue.path)",
        "offsets": "\(status.startOffset)..<\(status.durableEnd)",
        "stored_bytes": "\(status.storedBytes)", "sources": "\(pipeline.sources.map(\.name).joined(separator: ","))",
        "sinks": "\(pipeline.sinks.map(\.name).joined(separator: ","))",
      ])
    for case (let name, .file(let file)) in pipeline.sources.map({ ($0.name, $0.kind) }) {
      logger.info(
        "source reads files",
        metadata: [
          "queue.name": "\(queue.name)", "source.name": "\(name)", "paths": .array(file.paths.map { .string(Process.absolute($0)) }),
          "exclude": .array(file.exclude.map { .string($0) }),
        ])
    }
    for case (let name, .file(let file)) in pipeline.sinks.map({ ($0.name, $0.kind) }) {
      logger.info(
        "sink writes files", metadata: ["queue.name": "\(queue.name)", "sink.name": "\(name)", "path": "\(Process.absolute(file.path))"])
    }
    guard let letters = try? QueueFiles.open(FilePath(queue.path.string + DeadLetters.suffix)) else { return }
    let kept = letters.consumers.filter { $0.kind == .sink }.map(\.lagRecords).max() ?? 0
    if kept > 0 {
      logger.notice(
        "there are dead letters: records that a destination refused for good; 'sluice queue cat --decode' prints them, 'sluice queue put-back' gives them to their sink again",
        metadata: ["queue.name": "\(queue.name)", "path": "\(letters.path)", "records": "\(kept)"])
    }
  }

  private func componentLogger(_ pipeline: PipelineDefinition) -> Logger {
    var logger = log.logger("sluice", level: level)
    logger[metadataKey: "queue.name"] = "\(pipeline.queue.name)"
    return logger
  }

  // MARK: Running

  /// Runs until all pipelines have ended or a signal came. Throws the exit code that isn't 0.
  func run(showsStatus: Bool) async throws {
    let signals = StopSignals(
      stop: { [self] name in
        logger.notice("stopping; a second signal stops at once", metadata: ["signal": "\(name)"])
        stop()
      },
      hangUp: { [logger, server] in
        server.reload()
        logger.notice("SIGHUP: certificates and tokens are read again; pipeline files only at a start")
      })
    let hosted = state.withLock { $0.hosted }
    let runners = hosted.map(\.runner)
    let outcomes = Mutex([(Int, PipelineOutcome)]())
    let work = Task {
      await withTaskGroup(of: (Int, PipelineOutcome).self) { group in
        for (index, runner) in runners.enumerated() { group.addTask { [ending] in (index, await runner.run(until: ending)) } }
        for await (index, outcome) in group {
          if case .failed = outcome.ending { group.cancelAll() }
          outcomes.withLock { $0.append((index, outcome)) }
        }
      }
    }
    await server.open(hosted.map(\.queue))
    let isStopping = state.withLock { state in
      state.work = work
      return state.stopRequested
    }
    if isStopping { work.cancel() }
    let ticker = Task { [log] in
      let screen = showsStatus && DiagnosticOutput.shared.canRedraw ? StatusScreen(runners: runners) : nil
      while !Task.isCancelled {
        screen?.draw()
        log.tellRepeated()
        try? await Task.sleep(for: screen == nil ? .seconds(5) : .milliseconds(500))
      }
    }
    await work.value
    // Before the queues are closed: who waits is answered, what was pushed is on the disk.
    await server.stop()
    ticker.cancel()
    await ticker.value
    DiagnosticOutput.shared.clear()
    let ended = outcomes.withLock { $0 }.sorted { $0.0 < $1.0 }.map(\.1)
    // From here on nothing that was promised is undone by an end at any moment.
    state.withLock { $0.runnersEnded = ended.allSatisfy(\.leftBehind.isEmpty) }
    // What was left behind still uses its queue: the process's end is the only one that it needs.
    if ended.allSatisfy(\.leftBehind.isEmpty) { for one in hosted { await one.queue.close() } }
    for (one, outcome) in zip(hosted, ended) { report(one, outcome) }
    log.tellRepeated(all: true)
    withExtendedLifetime(signals) {}
    if let failure = failure(of: ended) { throw failure }
  }

  /// Asks all pipelines to end, and sees to it that the process does.
  private func stop() {
    let work = state.withLock { state in
      state.stopRequested = true
      return state.work
    }
    work?.cancel()
    // Who waits for records is answered at once; the pipelines' end isn't waited for.
    Task { [server] in await server.stop() }
    DispatchQueue.global(qos: .userInitiated).asyncAfter(deadline: .now() + Self.longestStop) { [self] in
      let isDurable = state.withLock { $0.runnersEnded }
      DiagnosticOutput.shared.clear()
      if !isDurable {
        logger.error("the stop took too long and was cut short; what was acknowledged is on the disk, the next run goes on from there")
      }
      _exit(isDurable ? exitCodeWhenStopped.rawValue : ExitCode.failure.rawValue)
    }
  }

  /// Who asked for an end that a signal kept from coming must learn of it.
  private var exitCodeWhenStopped: ExitCode { once || ending != .sourcesEnd ? .leftOver : .success }

  private func readerIsGone(endsRun: Bool) {
    if endsRun {
      logger.notice("nobody reads standard output any more; stopping")
      state.withLock { $0.failed = true }
      stop()
    } else {
      logger.warning("nobody reads standard output any more; the other sinks go on, what this one has not delivered stays in the queue")
    }
  }

  // MARK: The end

  private func report(_ hosted: Hosted, _ outcome: PipelineOutcome) {
    let status = hosted.runner.status()
    var metadata: Logger.Metadata = [
      "queue.name": "\(hosted.queue.name)", "ending": "\(outcome.ending.word)", "durable_end": "\(status.queue.durableEnd)",
      "records_in": "\(status.sources.reduce(0) { $0 + $1.records })", "bytes_in": "\(status.sources.reduce(0) { $0 + $1.bytes })",
    ]
    for sink in status.sinks { metadata["sink.\(sink.name).records_out"] = "\(sink.deliveredRecords)" }
    for rest in outcome.sinks where !rest.isDone { metadata["sink.\(rest.name).lag_records"] = "\(rest.lagRecords)" }
    logger.info("pipeline ended", metadata: metadata)
  }

  private func failure(of outcomes: [PipelineOutcome]) -> CommandFailure? {
    for case .failed(let failure) in outcomes.map(\.ending) {
      return CommandFailure(.failure, "source '\(failure.source)': \(failure.message)")
    }
    if state.withLock({ $0.failed }) { return CommandFailure(.failure, "") }
    if outcomes.contains(where: { !$0.leftBehind.isEmpty }) { return CommandFailure(.failure, "") }
    let rests = outcomes.flatMap(\.sinks).filter { !$0.isDone }
    if outcomes.contains(where: { $0.ending == .leftovers }) {
      let lines = rests.map { rest in
        "sink '\(rest.name)' has \(HumanText.count(rest.lagRecords, "record")) (\(HumanText.bytes(rest.lagBytes))) left"
          + (rest.hasDeadLettersPutBack ? ", and dead letters that were put back" : "")
          + (rest.lastError.map { "; its last error: \($0)" } ?? "")
      }
      return CommandFailure(.leftOver, lines: lines + ["the next run goes on with them"])
    }
    if outcomes.contains(where: { $0.ending == .stopped }), exitCodeWhenStopped != .success {
      return CommandFailure(exitCodeWhenStopped, "stopped by a signal before everything was done; the next run goes on")
    }
    return nil
  }
}

extension PipelineOutcome.Ending {
  /// The word of the log.
  fileprivate var word: String {
    switch self {
    case .stopped: "stopped"
    case .sourcesEnded: "sources_ended"
    case .drained: "drained"
    case .leftovers: "left_over"
    case .failed: "failed"
    }
  }
}
