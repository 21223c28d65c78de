internal import Logging
internal import PipelineCore
internal import SegmentQueue

/// Keeps one source running until its input ends: starts it again after a failure, with growing waits, from its last durable checkpoints.
struct SourceSupervisor: Sendable {
  /// A source that throws within this time of its first start, with nothing written, never worked: its configuration or its surroundings
  /// are wrong.
  static let startUp = Duration.seconds(10)
  /// A source that ran for this long is given the short wait again.
  static let calm = Duration.seconds(60)
  static let backoff = RetryPolicy(initial: .seconds(1), max: .seconds(60))

  let plan: SourcePlan
  let queue: SegmentQueue
  let clock: any PipelineClock
  let jitter: @Sendable () -> Double
  let logger: Logger
  let progress: Watched<SourceStatus>

  /// Returns when the input has ended or the task was cancelled; what it returns says that the source never worked.
  func run() async -> SourceFailure? {
    var failures = 0
    var isFirst = true
    while !Task.isCancelled {
      let started = clock.now
      progress.change { $0.activity = .running }
      let message: String
      do {
        try await ThreadExecutor.run(named: plan.name) { try await runOnce() }
        progress.change { $0.activity = .ended }
        return nil
      } catch {
        if Task.isCancelled { break }
        message = escapedForLog("\(error)")
      }
      progress.change { $0.lastError = message }
      if isFirst, progress.value.records == 0, clock.now < started + Self.startUp {
        progress.change { $0.activity = .failed }
        return SourceFailure(source: plan.name, message: message)
      }
      isFirst = false
      failures = clock.now >= started + Self.calm ? 1 : failures + 1
      // Not full jitter alone: a source that fails at once must not spin.
      let until = clock.now + Self.backoff.delay(after: failures, retryAfter: nil, jitter: 0.5 + jitter() / 2)
      progress.change {
        $0.activity = .backingOff(until: until)
        $0.restarts += 1
      }
      logger.warning("a source failed and is started again", metadata: ["source.name": "\(plan.name)", "error": "\(message)"])
      try? await clock.sleep(until: until)
    }
    progress.change { $0.activity = .ended }
    return nil
  }

  private func runOnce() async throws {
    let writer = try queue.writer(source: plan.name, whenFull: plan.whenFull)
    // Checkpoints are told as of the durable end: what an earlier attempt wrote must be behind it, or it would be read again.
    try await queue.synchronize()
    try await plan.source.run(from: writer.checkpoints, into: QueueOutput(writer, progress: progress))
  }
}
