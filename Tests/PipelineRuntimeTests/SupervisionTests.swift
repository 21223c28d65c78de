import PipelineCore
import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import PipelineRuntime

/// Sources that fail, and the end of runs.
@Suite(.timeLimit(.minutes(1))) struct SupervisionTests {
  struct Broken: Error, CustomStringConvertible { var description: String { "port 514 is taken;\u{1B}[31m choose another" } }

  @Test func `a source that never worked fails the run with its message, its control characters escaped`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let sink = ScriptedSink()
    let broken = ScriptedSource(["never"]) { _, _ in throw Broken() }
    let other = ScriptedSource(numbered(0..<10)) { _, written in if written == 10 { try await untilCancelled() } }
    let runner = fixture.runner(
      queue, sources: [SourcePlan(name: "other", source: other), SourcePlan(name: "network", source: broken)], sinks: [plan(sink)])
    let outcome = await runner.run(until: .forever)
    #expect(outcome.ending == .failed(SourceFailure(source: "network", message: "port 514 is taken;\\u{1b}[31m choose another")))
    #expect(runner.status().sources.map(\.activity) == [.ended, .failed])
    #expect(outcome.leftBehind.isEmpty)
    await queue.close()
  }

  @Test func `a source that fails later is started again after a wait, and reads nothing twice`() async throws {
    let clock = ManualClock()
    var fixture = RunFixture()
    fixture.clock = clock
    let queue = try fixture.open()
    let lines = numbered(0..<100)
    let flaky = ScriptedSource(lines) { run, written in if written >= run * 30 && run < 4 { throw Broken() } }
    let sink = ScriptedSink()
    let runner = fixture.runner(queue, sources: [SourcePlan(name: "flaky", source: flaky)], sinks: [plan(sink)])
    let run = Task { await runner.run(until: .drained(timeout: nil)) }
    for restart in 1...3 as ClosedRange<UInt64> {
      await runner.sourceProgress[0].wait { status in
        if case .backingOff = status.activity { status.restarts == restart } else { false }
      }
      guard case .backingOff(let until) = runner.sourceProgress[0].value.activity else {
        Issue.record("it is running")
        return
      }
      #expect(until - clock.now == .milliseconds(500 << (restart - 1)))
      clock.advance(by: until - clock.now)
    }
    #expect(await run.value.ending == .drained)
    #expect(sink.output == lines)
    #expect(flaky.runs.value == 4)
    await queue.close()
  }

  @Test func `a stop ends sources first, and everything they handed over is durable and delivered up to a commit`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let endless = ScriptedSource(numbered(0..<100_000), batches: 7) { _, written in if written > 700 { await Task.yield() } }
    let sink = ScriptedSink()
    let runner = fixture.runner(queue, sources: [SourcePlan(name: "source", source: endless)], sinks: [plan(sink)])
    let run = Task { await runner.run(until: .forever) }
    await sink.has { $0.output.count > 1000 }
    run.cancel()
    let outcome = await run.value
    #expect(outcome.ending == .stopped)
    let written = runner.status().sources[0].records
    #expect(queue.durableEnd == Offset(written))
    #expect(outcome.sinks[0].cursor == Offset(UInt64(sink.output.count)), "what was delivered is committed")
    #expect(sink.memory.value.isClosed)
    await queue.close()
    // The next run goes on as if nothing had been.
    let rest = try await fixture.drain(
      sources: [SourcePlan(name: "source", source: ScriptedSource(numbered(0..<5000), batches: 500))], sinks: [plan(sink)])
    #expect(rest.ending == .drained)
    #expect(Array(sink.output.prefix(5000)) == Array(numbered(0..<max(5000, Int(written))).prefix(5000)))
  }

  @Test func `what doesn't end is left behind by name, within the bounds`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let (source, sink) = (ThreadGate(), ThreadGate())
    let stuckSource = ScriptedSource(numbered(0..<20)) { _, written in if written == 20 { source.wait() } }
    let stuckSink = ScriptedSink { (delivery, _) async throws(DeliveryError) in
      sink.wait()
      return delivery.next
    }
    let good = ScriptedSink()
    var bounds = ShutdownBounds()
    (bounds.sources, bounds.synchronize, bounds.sinks, bounds.cancelledSinks) = (
      .milliseconds(20), .seconds(5), .milliseconds(20), .milliseconds(20)
    )
    let runner = fixture.runner(
      queue, sources: [SourcePlan(name: "stuck source", source: stuckSource)], sinks: [plan(stuckSink, "stuck-sink"), plan(good, "good")],
      bounds: bounds)
    let run = Task { await runner.run(until: .forever) }
    await source.entered()
    await sink.entered()
    await good.has { $0.output.count == 20 }
    run.cancel()
    let outcome = await run.value
    #expect(outcome.ending == .stopped)
    #expect(outcome.leftBehind == ["stuck source", "stuck-sink"])
    #expect(outcome.sinks[1].isDone)
    source.open()
    sink.open()
    await eventually { runner.status().sinks[0].activity == .ended && runner.status().sources[0].activity == .ended }
    await queue.close()
  }

  @Test func `every sink has its place before a source begins, so that nothing goes before it was read`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let names = (0..<30).map { "sink-\($0)" }.sorted()
    let found = Watched([String]?.none)
    let looking = ScriptedSource([]) { _, _ in found.change { $0 = queue.consumerNames } }
    let sinks = names.map { plan(ScriptedSink(), $0) }
    let outcome = await fixture.runner(queue, sources: [SourcePlan(name: "source", source: looking)], sinks: sinks).run(until: .sourcesEnd)
    #expect(outcome.ending == .sourcesEnded)
    #expect(found.value == names)
    await queue.close()
  }

  @Test func `a stop ends a run whose sources have ended while the queue is full`() async throws {
    var fixture = RunFixture()
    fixture.options.maxSize = 400 << 10
    let queue = try fixture.open()
    // Lines that don't compress, more than there is room for, and a sink that takes none.
    var random = SplitMix64(seed: 1)
    let lines = (0..<400).map { _ in String((0..<4000).map { _ in Character(UnicodeScalar(UInt8.random(in: 0x30...0x7A, using: &random))) })
    }
    let hanging = ScriptedSink(.repeatsRange) { (_, _) async throws(DeliveryError) in
      try? await untilCancelled()
      throw DeliveryError(.retry(after: nil), "cancelled")
    }
    var bounds = ShutdownBounds.patient
    (bounds.synchronize, bounds.sinks) = (.milliseconds(20), .milliseconds(20))
    let runner = fixture.runner(queue, sources: [source(lines)], sinks: [plan(hanging)], bounds: bounds)
    let run = Task { await runner.run(until: .sourcesEnd) }
    await eventually { queue.status().isFull }
    await runner.sourceProgress[0].wait { $0.activity == .ended }
    run.cancel()
    let outcome = await run.value
    #expect(outcome.ending == .stopped)
    #expect(outcome.leftBehind.isEmpty)
    await queue.close()
  }

  @Test func `a stop before anything began ends at once`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let runner = fixture.runner(
      queue, sources: [SourcePlan(name: "source", source: ScriptedSource([]) { _, _ in try await untilCancelled() })],
      sinks: [plan(ScriptedSink())])
    let run = Task { await runner.run(until: .drained(timeout: nil)) }
    run.cancel()
    #expect(await run.value.ending == .stopped)
    await queue.close()
  }

  @Test func `a wait for a value ends when it is met, with its task, or at its deadline`() async throws {
    let number = Watched(0)
    let met = Task { await number.wait { $0 == 3 } }
    let cancelled = Task { await number.wait { $0 == 99 } }
    for _ in 0..<3 { number.change { $0 += 1 } }
    await met.value
    cancelled.cancel()
    await cancelled.value
    #expect(await !number.wait(until: .now, clock: SystemPipelineClock()) { $0 == 99 })
    #expect(await number.wait(until: .now + .seconds(60), clock: SystemPipelineClock()) { $0 == 3 })
  }

  @Test func `a log line that comes again and again passes once an interval and says how many were held back`() {
    var limiter = LogLimiter()
    let start = ContinuousClock.now
    #expect(limiter.pass(at: start) == 0)
    for second in 1..<10 { #expect(limiter.pass(at: start + .seconds(second)) == nil) }
    #expect(limiter.pass(at: start + .seconds(10)) == 9)
    #expect(limiter.pass(at: start + .seconds(25)) == 0)
  }
}
