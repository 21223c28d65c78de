import PipelineCore
import RecordBlocks
import SegmentQueue
import SystemPackage
import TestSupport
import Testing

@testable import PipelineRuntime

@Suite(.timeLimit(.minutes(1))) struct RunTests {
  @Test func `a run drains everything from sources to sinks, each sink on one thread of its own`() async throws {
    let fixture = RunFixture()
    let lines = numbered(0..<5000)
    let plain = ScriptedSink()
    let ahead = ScriptedSink()
    let remote = ScriptedSink(.repeatsRange)
    let outcome = try await fixture.drain(
      sources: [SourcePlan(name: "source", source: ScriptedSource(lines, batches: 37))],
      sinks: [
        plan(plain, "plain"),
        plan(ahead, "ahead") {
          $0.readsLinesAhead = true
          $0.batch.maxBytes = 1000
        },
        plan(remote, "remote") { $0.batch.maxRecords = 100 },
      ])
    #expect(outcome.ending == .drained)
    #expect(outcome.sinks.allSatisfy { $0.isDone && $0.lagRecords == 0 })
    #expect(outcome.leftBehind.isEmpty)
    for sink in [plain, ahead, remote] {
      #expect(sink.output == lines)
      #expect(sink.memory.value.threads.count == 1)
      #expect(sink.memory.value.isClosed)
    }
    #expect(Set([plain, ahead, remote].flatMap(\.memory.value.threads)).count == 3)
  }

  @Test func `a run that doesn't drain ends with its sources, all of it durable`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let hanging = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      try? await untilCancelled()
      throw DeliveryError(.retry(after: nil), "cancelled")
    }
    var bounds = ShutdownBounds.patient
    bounds.sinks = .milliseconds(20)
    let outcome = await fixture.runner(queue, sources: [source(numbered(0..<100))], sinks: [plan(hanging)], bounds: bounds)
      .run(until: .sourcesEnd)
    #expect(outcome.ending == .sourcesEnded)
    #expect(queue.durableEnd == Offset(100))
    #expect(outcome.sinks[0].cursor == .zero)
    #expect(outcome.sinks[0].lagRecords == 100)
    #expect(outcome.leftBehind.isEmpty)
    await queue.close()
  }

  @Test func `a hanging sink slows neither sources nor other sinks`() async throws {
    var fixture = RunFixture()
    fixture.jitter = 1
    let queue = try fixture.open()
    let lines = numbered(0..<3000)
    let hanging = ScriptedSink(.repeatsRange) { (_, _) async throws(DeliveryError) in
      try? await untilCancelled()
      throw DeliveryError(.retry(after: nil), "cancelled")
    }
    let failing = ScriptedSink(.repeatsRange) { (_, _) async throws(DeliveryError) in throw DeliveryError(.retry(after: nil), "down") }
    let quick = ScriptedSink()
    var bounds = ShutdownBounds.patient
    bounds.sinks = .milliseconds(20)
    let runner = fixture.runner(
      queue, sources: [source(lines)], sinks: [plan(hanging, "hanging"), plan(failing, "failing"), plan(quick, "quick")], bounds: bounds)
    let run = Task { await runner.run(until: .forever) }
    await quick.has { $0.output.count == 3000 }
    await failing.has { $0.sent.count > 3 }
    let status = runner.status()
    #expect(status.sinks.map(\.name) == ["hanging", "failing", "quick"])
    #expect(status.sinks[0].activity == .delivering)
    #expect(status.sinks[1].retries > 0)
    #expect(status.sinks[1].lastError == "down")
    #expect(status.sources[0].records == 3000)
    run.cancel()
    let outcome = await run.value
    #expect(outcome.ending == .stopped)
    #expect(outcome.leftBehind.isEmpty)
    #expect(outcome.sinks[2].cursor == Offset(3000))
    #expect(quick.output == lines)
    await queue.close()
  }

  @Test func `draining that takes too long tells what is left over, and why`() async throws {
    let clock = ManualClock()
    var fixture = RunFixture()
    (fixture.clock, fixture.jitter) = (clock, 1)
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(0..<100))
    let down = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if delivery.first >= Offset(20) { throw DeliveryError(.retry(after: .seconds(300)), "the destination is down") }
      return delivery.next
    }
    let runner = fixture.runner(queue, sinks: [plan(down) { $0.batch.maxRecords = 20 }])
    let run = Task { await runner.run(until: .drained(timeout: .seconds(60))) }
    await runner.sinkProgress[0].wait { status in
      if case .backingOff = status.activity { true } else { false }
    }
    // Draining begins when it does: the clock goes on until the run has ended.
    let ticking = Task {
      while !Task.isCancelled {
        clock.advance(by: .seconds(60))
        await Task.yield()
      }
    }
    let outcome = await run.value
    ticking.cancel()
    #expect(outcome.ending == .leftovers)
    let rest = outcome.sinks[0]
    #expect(rest.cursor == Offset(20))
    #expect(rest.end == Offset(100))
    #expect(rest.lagRecords == 80)
    #expect(rest.lastError == "the destination is down")
    await queue.close()
  }

  @Test func `a sink whose consumer is refused stands still and the others go on`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    _ = try queue.consumer("taken", kind: .pull)
    let taken = ScriptedSink()
    let other = ScriptedSink()
    let runner = fixture.runner(queue, sources: [source(numbered(0..<10))], sinks: [plan(taken, "taken"), plan(other, "other")])
    let outcome = await runner.run(until: .drained(timeout: nil))
    #expect(outcome.ending == .leftovers)
    #expect(outcome.sinks.map(\.isDone) == [false, true])
    #expect(outcome.sinks[0].lastError?.contains("taken") == true)
    #expect(taken.sent.isEmpty)
    #expect(other.output.count == 10)
    await queue.close()
  }

  @Test func `a sink whose consumer can't be made for want of room is tried again until it can`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    fixture.disk.failOperations(with: .noSpace) { $0.path.contains("consumers/late") }
    let late = ScriptedSink()
    let other = ScriptedSink()
    let runner = fixture.runner(queue, sources: [source(numbered(0..<10))], sinks: [plan(late, "late"), plan(other, "other")])
    let run = Task { await runner.run(until: .drained(timeout: nil)) }
    await runner.sinkProgress[1].wait { $0.deliveredRecords == 10 }
    await runner.sinkProgress[0].wait { $0.retries > 2 }
    #expect(late.sent.isEmpty)
    fixture.disk.clearFailures()
    let outcome = await run.value
    #expect(outcome.ending == .drained)
    #expect(late.output == numbered(0..<10))
    await queue.close()
  }

  @Test func `a stop ends the wait for a consumer that can't be made`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    fixture.disk.failOperations(with: .tooManyOpenFiles) { $0.path.contains("consumers/late") }
    let late = ScriptedSink()
    let runner = fixture.runner(queue, sources: [source(numbered(0..<10))], sinks: [plan(late, "late")])
    let run = Task { await runner.run(until: .forever) }
    await runner.sinkProgress[0].wait { $0.retries > 2 }
    run.cancel()
    let outcome = await run.value
    #expect(outcome.ending == .stopped)
    #expect(outcome.leftBehind.isEmpty)
    #expect(runner.status().sinks[0].activity == .ended)
    await queue.close()
  }

  @Test func `gaps are delivered like anything else, and counted`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "network")
    let gap = Gap(reason: .kernelDrop, records: 7, bytes: 700, firstTime: 1, lastTime: 2)
    writer.recordGap(gap)
    try await queue.synchronize()
    let sink = ScriptedSink()
    let runner = fixture.runner(queue, sources: [source(numbered(0..<10))], sinks: [plan(sink)])
    let outcome = await runner.run(until: .drained(timeout: nil))
    #expect(outcome.ending == .drained)
    #expect(sink.sent.compactMap(\.gap) == [gap])
    #expect(sink.output == numbered(0..<10))
    #expect(runner.status().sinks[0].gapRecords == 7)
    #expect(runner.status().sinks[0].deliveredRecords == 10)
    await queue.close()
  }

  @Test func `a consumer's period is kept by the clock`() async throws {
    let clock = ManualClock()
    var fixture = RunFixture()
    fixture.clock = clock
    let queue = try fixture.open()
    let writer = try queue.writer(source: "source")
    let sink = ScriptedSink()
    let runner = fixture.runner(queue, sinks: [plan(sink) { $0.pull.every = .seconds(10) }])
    let run = Task { await runner.run(until: .forever) }
    try await writer.writeDurably(numbered(0..<5))
    await sink.has { $0.output.count == 5 }
    try await writer.writeDurably(numbered(5..<9))
    await runner.sinkProgress[0].wait { $0.activity == .pacing }
    #expect(sink.output.count == 5)
    clock.advance(by: .seconds(10))
    await sink.has { $0.output.count == 9 }
    run.cancel()
    // The bounds of the stop are told by the same clock; nothing here needs them.
    #expect(await run.value.ending == .stopped)
    await queue.close()
  }
}

extension SourceWriter {
  func writeDurably(_ lines: [String]) async throws {
    var batch = RecordBatch()
    for line in lines {
      var line = line
      line.withUTF8 { batch.append(UnsafeRawBufferPointer($0)) }
    }
    try await write(batch, checkpoints: []).durable()
  }
}
