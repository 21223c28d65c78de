import PipelineCore
import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import PipelineRuntime

/// What an interrupted delivery leaves, and how the next run goes on.
@Suite(.timeLimit(.minutes(1))) struct RepeatedRangeTests {
  /// Runs a sink that hangs in the delivery that begins at `offset` and returns the disk as a `kill -9` leaves it then.
  private func killed(at offset: UInt64, _ fixture: RunFixture, lines: Int, batch: Int) async throws -> (
    RunFixture, hung: ScriptedSink.Sent
  ) {
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(0..<lines))
    let hanging = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if delivery.first.rawValue < offset { return delivery.next }
      try? await untilCancelled()
      throw DeliveryError(.retry(after: nil), "cancelled")
    }
    var bounds = ShutdownBounds.patient
    bounds.sinks = .zero
    let runner = fixture.runner(queue, sinks: [plan(hanging) { $0.batch.maxRecords = batch }], bounds: bounds)
    let run = Task { await runner.run(until: .forever) }
    await hanging.has { $0.sent.last?.range.lowerBound == offset }
    try await queue.writer(source: "another").writeDurably(numbered(0..<20))
    let disk = fixture.disk.crash(.unsyncedLost)
    run.cancel()
    _ = await run.value
    await queue.close()
    var next = RunFixture(disk)
    next.options = fixture.options
    return (next, hanging.sent.last!)
  }

  @Test func `after a crash exactly the range in flight is sent again under its key`() async throws {
    let (fixture, hung) = try await killed(at: 24, RunFixture(), lines: 40, batch: 12)
    #expect(hung.range == 24..<36)
    let sink = ScriptedSink(.repeatsRange)
    // Smaller batches now, and more records: neither may change the range that was sent.
    let outcome = try await fixture.drain(sinks: [plan(sink) { $0.batch = BatchPolicy(maxRecords: 5, maxBytes: 60) }])
    #expect(outcome.ending == .drained)
    #expect(sink.sent.first == hung)
    #expect(sink.sent.dropFirst().allSatisfy { $0.range.count <= 5 })
    #expect(sink.output == Array((numbered(0..<40) + numbered(0..<20))[24...]))
  }

  @Test func `a range in flight that retention has eaten into goes on with a gap and what is left`() async throws {
    var fixture = RunFixture()
    fixture.options.segmentSize = 64 << 10
    let (restarted, hung) = try await killed(at: 0, fixture, lines: 40, batch: 25)
    #expect(hung.range == 0..<25)
    let queue = try restarted.open()
    // The segment with the range's records goes, whoever has not read them.
    try await queue.seal()
    try await queue.writer(source: "another").writeDurably(numbered(0..<3))
    #expect(try queue.trim(before: queue.durableEnd) == Offset(60))
    let sink = ScriptedSink(.repeatsRange)
    let outcome = await restarted.runner(queue, sinks: [plan(sink)]).run(until: .drained(timeout: nil))
    #expect(outcome.ending == .drained)
    #expect(sink.sent.map(\.range) == [0..<60, 60..<63])
    #expect(sink.sent[0].gap?.records == 60)
    #expect(sink.sent[0].key != hung.key)
    await queue.close()
  }

  @Test func `a stop leaves the range in flight as it is`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    let hanging = ScriptedSink(.repeatsRange) { (_, _) async throws(DeliveryError) in
      try? await untilCancelled()
      throw DeliveryError(.retry(after: nil), "cancelled")
    }
    var bounds = ShutdownBounds.patient
    bounds.sinks = .zero
    let runner = fixture.runner(queue, sources: [source(numbered(0..<10))], sinks: [plan(hanging)], bounds: bounds)
    let run = Task { await runner.run(until: .forever) }
    await hanging.has { !$0.sent.isEmpty }
    run.cancel()
    #expect(await run.value.ending == .stopped)
    await queue.close()
    let sink = ScriptedSink(.repeatsRange)
    try await fixture.drain(sinks: [plan(sink)])
    #expect(sink.sent.first == hanging.sent.last)
  }

  @Test func `a failed delivery is repeated as the same range under the same key until it succeeds`() async throws {
    let fixture = RunFixture()
    let sink = ScriptedSink(.repeatsRange) { (delivery, number) async throws(DeliveryError) in
      if number % 4 != 0 { throw DeliveryError(.retry(after: nil), "not now") }
      return delivery.next
    }
    try await fixture.drain(sources: [source(numbered(0..<30))], sinks: [])
    let outcome = try await fixture.drain(sinks: [plan(sink) { $0.batch.maxRecords = 10 }])
    #expect(outcome.ending == .drained)
    for index in sink.sent.indices { #expect(sink.sent[index] == sink.sent[index / 4 * 4]) }
    #expect(sink.output == numbered(0..<30))
  }

  @Test func `what is too large is halved until it fits, in order, each part under a key of its own`() async throws {
    let fixture = RunFixture()
    let sink = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if delivery.recordCount > 3 { throw DeliveryError(.split, "413") }
      return delivery.next
    }
    let outcome = try await fixture.drain(
      sources: [SourcePlan(name: "source", source: ScriptedSource(numbered(0..<11), batches: 11))], sinks: [plan(sink)])
    #expect(outcome.ending == .drained)
    #expect(sink.output == numbered(0..<11))
    #expect(sink.sent.map(\.range) == [0..<11, 0..<5, 0..<2, 2..<5, 5..<11, 5..<8, 8..<11])
    #expect(Set(sink.sent.map(\.key)).count == sink.sent.count)
  }

  @Test func `a sink that is cut back has each line once, whatever fails`() async throws {
    let fixture = RunFixture()
    let sink = ScriptedSink { (delivery, number) async throws(DeliveryError) in
      switch number % 5 {
      case 1: throw DeliveryError(.retry(after: nil), "not now")
      case 3: return delivery.first + delivery.recordCount / 2
      default: return delivery.next
      }
    }
    let outcome = try await fixture.drain(
      sources: [source(numbered(0..<500))], sinks: [plan(sink) { $0.batch.maxRecords = 45 }])
    #expect(outcome.ending == .drained)
    #expect(sink.output == numbered(0..<500))
  }
}
