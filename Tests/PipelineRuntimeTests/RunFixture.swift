import DurableFiles
import Logging
import PipelineCore
import RecordBlocks
import SegmentQueue
import SystemPackage
import TestSupport
import Testing

@testable import PipelineRuntime

/// A queue on a simulated disk, and runs over it.
struct RunFixture {
  let disk: SimulatedFileSystem
  var options = QueueOptions()
  var deadLetterOptions: QueueOptions?
  var clock: any PipelineClock = SystemPipelineClock()
  var queueClock: any QueueClock = SystemQueueClock()
  var jitter = 0.0
  let path = FilePath("data/queue")

  init(_ disk: SimulatedFileSystem = SimulatedFileSystem()) {
    self.disk = disk
    options.linger = .zero
    options.minFreeDisk = 0
  }

  func open() throws -> SegmentQueue { try SegmentQueue.open(path, name: "queue", options: options, fileSystem: disk, clock: queueClock) }

  func openDeadLetters(for queue: SegmentQueue, create: Bool = true) throws -> SegmentQueue? {
    guard let deadLetterOptions else { return try DeadLetters.open(for: queue, create: create, fileSystem: disk) }
    return try SegmentQueue.open(
      FilePath("data/queue.dead-letters"), name: "queue.dead-letters", options: deadLetterOptions, fileSystem: disk)
  }

  func runner(_ queue: SegmentQueue, sources: [SourcePlan] = [], sinks: [SinkPlan], bounds: ShutdownBounds = .patient)
    -> PipelineRunner
  {
    var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    return PipelineRunner(
      queue: queue, sources: sources, sinks: sinks, deadLetters: { create in try openDeadLetters(for: queue, create: create) },
      clock: clock, logger: logger,
      jitter: { 0 },
      bounds: bounds)
  }

  /// Opens the queue, runs until the sinks are done, closes it.
  @discardableResult
  func drain(sources: [SourcePlan] = [], sinks: [SinkPlan]) async throws -> PipelineOutcome {
    let queue = try open()
    let outcome = await runner(queue, sources: sources, sinks: sinks).run(until: .drained(timeout: nil))
    await queue.close()
    return outcome
  }

  /// What the dead-letter queue holds.
  func deadLetters() async throws -> [String] {
    let queue = try open()
    let letters = try #require(try openDeadLetters(for: queue))
    let lines = try letters.allLines()
    await letters.close()
    await queue.close()
    return lines
  }
}

extension SegmentQueue {
  /// Every line in it, through a consumer of its own.
  func allLines() throws -> [String] {
    let reader = try consumer("reader", kind: .pull)
    var lines: [String] = []
    var offset = startOffset
    while let batch = try reader.read(from: offset, limits: BatchLimits(maxBytes: 1 << 20)) {
      if case .records(let slices) = batch.content { lines += slices.flatMap(ScriptedSink.lines) }
      offset = batch.next
    }
    return lines
  }
}

func plan(_ sink: ScriptedSink, _ name: String = "sink", _ change: (inout SinkPlan) -> Void = { _ in }) -> SinkPlan {
  var plan = SinkPlan(name: name, sink: sink)
  plan.retry = RetryPolicy(initial: .milliseconds(1), max: .milliseconds(2))
  change(&plan)
  return plan
}

func source(_ lines: [String]) -> SourcePlan { SourcePlan(name: "source", source: ScriptedSource(lines)) }

func numbered(_ range: Range<Int>) -> [String] { range.map { "line \($0) of the log" } }

extension ShutdownBounds {
  /// Nothing ends because a machine is busy: only what hangs is left behind, and tests of that set a bound of their own.
  static var patient: ShutdownBounds {
    var bounds = ShutdownBounds()
    (bounds.sources, bounds.synchronize, bounds.sinks, bounds.cancelledSinks) = (.seconds(50), .seconds(50), .seconds(50), .seconds(50))
    return bounds
  }
}

/// A clock that stands still until a test moves it.
final class ManualClock: PipelineClock {
  private let time = Watched(ContinuousClock.now)
  private let start: ContinuousClock.Instant

  init() { start = time.value }

  var now: ContinuousClock.Instant { time.value }
  var unixSeconds: Int64 { 20_000 * 86_400 + (now - start).components.seconds }
  func sleep(until instant: ContinuousClock.Instant) async throws {
    await time.wait { $0 >= instant }
    try Task.checkCancellation()
  }
  func advance(by duration: Duration) { time.change { $0 += duration } }
}
