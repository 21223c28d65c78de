import PipelineCore
import RecordBlocks
import SegmentQueue
import SystemPackage
import TestSupport
import Testing

@testable import PipelineRuntime

/// Dead letters that are given to their sink again.
@Suite(.timeLimit(.minutes(2))) struct PutBackTests {
  /// Runs a pipeline over 20 records until its sinks have taken or set aside all of them.
  private func setAside(_ fixture: RunFixture, _ sinks: [SinkPlan]) async throws {
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(0..<20))
    #expect(await fixture.runner(queue, sinks: sinks).run(until: .drained(timeout: nil)).ending == .drained)
    await queue.close()
  }

  private func rejecting(_ offsets: Set<UInt64>, _ recovery: SinkRecovery = .repeatsRange) -> ScriptedSink {
    ScriptedSink(recovery) { (delivery, _) async throws(DeliveryError) in
      if offsets.contains(where: { (delivery.first..<delivery.next).contains(Offset($0)) }) {
        throw DeliveryError(.reject(status: "400"), "no")
      }
      return delivery.next
    }
  }

  /// Lines of 4000 bytes that take about three quarters of that when compressed.
  private func incompressible(_ count: Int) -> [String] {
    var random = SplitMix64(seed: 1)
    return (0..<count).map { _ in
      let bytes = (0..<500).flatMap { _ in
        let word = random.next()
        return (0..<8 as Range<UInt64>).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) & 0x3F + 0x30 }
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  private func one(_ sink: ScriptedSink, _ name: String = "http", _ change: (inout SinkPlan) -> Void = { _ in }) -> SinkPlan {
    plan(sink, name) {
      $0.batch.maxRecords = 1
      change(&$0)
    }
  }

  /// Puts back while nothing runs, as the command line does.
  private func putBack(_ fixture: RunFixture, _ sink: String, among sinks: [String] = ["http"]) async throws -> Int {
    let queue = try fixture.open()
    let office = DeadLetterOffice(sinks: sinks) { create in try fixture.openDeadLetters(for: queue, create: create) }
    defer { withExtendedLifetime(queue) {} }
    do {
      let count = try await office.putBack(sink: sink)
      await office.close()
      await queue.close()
      return count
    } catch {
      await office.close()
      await queue.close()
      throw error
    }
  }

  @Test(arguments: [SinkRecovery.repeatsRange, .cutsBack])
  func `a sink is given its dead letters again, once, before new records, and no other sink is`(recovery: SinkRecovery) async throws {
    let fixture = RunFixture()
    let other = ScriptedSink(.repeatsRange)
    try await setAside(fixture, [one(rejecting([3, 4, 11], recovery)), plan(other, "other")])
    #expect(try await putBack(fixture, "http") == 3)
    #expect(try await putBack(fixture, "http") == 3, "asked again, they are the same three")

    let sink = ScriptedSink(recovery)
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(["new"])
    let again = ScriptedSink(.repeatsRange)
    let runner = fixture.runner(queue, sinks: [plan(sink, "http"), plan(again, "other")])
    #expect(await runner.run(until: .drained(timeout: nil)).ending == .drained)
    let status = runner.status().sinks[0]
    await queue.close()
    #expect(sink.sent.flatMap(\.lines) == ["line 3 of the log", "line 4 of the log", "line 11 of the log", "new"])
    #expect((status.putBackRecords, status.deliveredRecords) == (3, 4))
    #expect(again.sent.flatMap(\.lines) == ["new"])

    let third = ScriptedSink(recovery)
    try await fixture.drain(sinks: [plan(third, "http"), plan(ScriptedSink(.repeatsRange), "other")])
    #expect(third.sent.isEmpty)
    #expect(try await putBack(fixture, "http") == 0)
  }

  @Test func `a running sink that waits for records is given them at once`() async throws {
    let fixture = RunFixture()
    let isOpen = Watched(false)
    let sink = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if !isOpen.value, delivery.first == Offset(2) { throw DeliveryError(.reject(status: "400"), "no") }
      return delivery.next
    }
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(0..<5))
    let runner = fixture.runner(queue, sinks: [one(sink)])
    let run = Task { await runner.run(until: .forever) }
    await runner.sinkProgress[0].wait { $0.cursor == Offset(5) && $0.activity == .idle }
    #expect(try await runner.deadLetters.facts().sinks == [DeadLetterFacts.Sink(name: "http", kept: 1, putBack: 0)])
    isOpen.change { $0 = true }
    #expect(try await runner.deadLetters.putBack(sink: "http") == 1)
    await sink.has { $0.output.count == 5 }
    await runner.sinkProgress[0].wait { $0.putBackRecords == 1 && $0.activity == .idle }
    #expect(try await runner.deadLetters.facts().sinks == [DeadLetterFacts.Sink(name: "http", kept: 0, putBack: 0)])
    run.cancel()
    _ = await run.value
    await queue.close()
    #expect(sink.output == ["line 0 of the log", "line 1 of the log", "line 3 of the log", "line 4 of the log", "line 2 of the log"])
    await #expect(throws: QueueError.self) { _ = try await runner.deadLetters.putBack(sink: "http") }
  }

  @Test func `dead letters go out under keys of their own, the same when they are sent again`() async throws {
    let fixture = RunFixture()
    let first = rejecting([3, 4, 11])
    try await setAside(fixture, [one(first)])
    _ = try await putBack(fixture, "http")
    let sink = ScriptedSink(.repeatsRange) { (delivery, number) async throws(DeliveryError) in
      if number < 3 { throw DeliveryError(.retry(after: nil), "no answer") }
      return delivery.next
    }
    try await fixture.drain(sinks: [plan(sink, "http")])
    #expect(sink.sent.map(\.range) == [0..<3, 0..<3, 0..<3])
    #expect(Set(sink.sent.map(\.key)).count == 1)
    #expect(Set(sink.sent.map(\.key)).isDisjoint(with: first.sent.map(\.key)))
  }

  @Test func `after a crash exactly the dead letters in flight are sent again under their key`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3, 4, 11]))])
    _ = try await putBack(fixture, "http")
    let hanging = ScriptedSink(.repeatsRange) { (_, _) async throws(DeliveryError) in
      try? await untilCancelled()
      throw DeliveryError(.retry(after: nil), "cancelled")
    }
    var bounds = ShutdownBounds.patient
    bounds.sinks = .zero
    let queue = try fixture.open()
    let runner = fixture.runner(queue, sinks: [plan(hanging, "http")], bounds: bounds)
    let run = Task { await runner.run(until: .forever) }
    await hanging.has { !$0.sent.isEmpty }
    let disk = fixture.disk.crash(.unsyncedLost)
    run.cancel()
    _ = await run.value
    await queue.close()
    #expect(hanging.sent.map(\.range) == [0..<3])
    // Smaller batches now: they don't change what was sent.
    let sink = ScriptedSink(.repeatsRange)
    try await RunFixture(disk).drain(sinks: [one(sink)])
    #expect(sink.sent == hanging.sent)
  }

  @Test(arguments: [SinkRecovery.repeatsRange, .cutsBack])
  func `what is rejected again is a dead letter again, and nothing goes round`(recovery: SinkRecovery) async throws {
    let fixture = RunFixture()
    let first = rejecting([3, 4, 11], recovery)
    try await setAside(fixture, [one(first)])
    #expect(try await putBack(fixture, "http") == 3)
    // The second of them, by its place among the dead letters.
    let sink = rejecting([1], recovery)
    sink.memory.change { $0.output = first.output }
    let outcome = try await fixture.drain(sinks: [one(sink)])
    #expect(outcome.ending == .drained)
    #expect(sink.output == first.output + ["line 3 of the log", "line 11 of the log"])
    let letters = try RejectTests.letters(await fixture.deadLetters())
    #expect(letters.map(\.offset) == [3, 4, 11, 4])
    #expect(letters[3] == letters[1])
    #expect(try await putBack(fixture, "http") == 1)
    let third = ScriptedSink(recovery)
    third.memory.change { $0.output = sink.output }
    try await fixture.drain(sinks: [one(third)])
    #expect(third.output == sink.output + ["line 4 of the log"])
    #expect(third.sent.count == 1)
  }

  @Test func `two sinks have their own dead letters in the one queue`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3, 11]), "a"), one(rejecting([4, 11, 12]), "b")])
    #expect(try await putBack(fixture, "b", among: ["a", "b"]) == 3)
    let (a, b) = (ScriptedSink(.repeatsRange), ScriptedSink(.repeatsRange))
    try await fixture.drain(sinks: [plan(a, "a"), plan(b, "b")])
    #expect(a.sent.isEmpty)
    #expect(b.output == ["line 4 of the log", "line 11 of the log", "line 12 of the log"])
    #expect(try await putBack(fixture, "a", among: ["a", "b"]) == 2)
    try await fixture.drain(sinks: [plan(a, "a"), plan(b, "b")])
    #expect(a.output == ["line 3 of the log", "line 11 of the log"])
  }

  @Test func `who has no dead letters is no reason to keep others'`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3]), "a"), one(rejecting([4]), "b")])
    #expect(try await putBack(fixture, "a", among: ["a", "b"]) == 1)
    try await fixture.drain(sinks: [plan(ScriptedSink(.repeatsRange), "a"), plan(ScriptedSink(.repeatsRange), "b")])
    // More of b's: a's place must not hold them once they are put back.
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(20..<30))
    _ = await fixture.runner(queue, sinks: [one(rejecting([]), "a"), one(rejecting([25]), "b")]).run(until: .drained(timeout: nil))
    await queue.close()
    #expect(try await putBack(fixture, "b", among: ["a", "b"]) == 2)
    let again = try fixture.open()
    let letters = try #require(try fixture.openDeadLetters(for: again))
    #expect(letters.status().consumers.first { $0.name == "a" }?.cursor == letters.durableEnd)
    await letters.close()
    await again.close()
  }

  @Test func `a sink that isn't there is refused, with those there are`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3]))])
    do {
      _ = try await putBack(fixture, "htp", among: ["http", "archive"])
      Issue.record("it was taken")
    } catch let error as QueueError {
      #expect(error.code == .unknownConsumer)
      #expect(error.description.contains("there are: archive, http"))
    }
  }

  @Test func `without a dead-letter queue nothing is put back and none is made`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([]))])
    #expect(try await putBack(fixture, "http") == 0)
    let queue = try fixture.open()
    #expect(try fixture.openDeadLetters(for: queue, create: false) == nil)
    await queue.close()
  }

  @Test func `while another holds the dead letters new records are delivered, and what was put back waits`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3]))])
    _ = try await putBack(fixture, "http")
    let queue = try fixture.open()
    let held = try #require(try fixture.openDeadLetters(for: queue))
    try await queue.writer(source: "source").writeDurably(["new"])
    let sink = ScriptedSink(.repeatsRange)
    let runner = fixture.runner(queue, sinks: [one(sink)])
    let run = Task { await runner.run(until: .forever) }
    await sink.has { $0.output == ["new"] }
    do {
      _ = try await runner.deadLetters.facts()
      Issue.record("they were told")
    } catch let error as QueueError {
      #expect(error.code == .held)
    }
    await held.close()
    #expect(try await runner.deadLetters.putBack(sink: "http") == 1)
    await sink.has { $0.output == ["new", "line 3 of the log"] }
    run.cancel()
    _ = await run.value
    await queue.close()
  }

  @Test func `a sink that drops what is rejected drops it also the second time, and it is counted`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3, 4]))])
    _ = try await putBack(fixture, "http")
    let queue = try fixture.open()
    let runner = fixture.runner(queue, sinks: [one(rejecting([0])) { $0.onReject = .drop }])
    _ = await runner.run(until: .drained(timeout: nil))
    #expect(runner.status().sinks[0].dropped == 1)
    await queue.close()
    #expect(try await fixture.deadLetters().count == 2)
  }

  @Test func `dead letters that were deleted are a gap, counted, and the rest arrives`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3, 4]))])
    let queue = try fixture.open()
    let letters = try #require(try fixture.openDeadLetters(for: queue))
    try await letters.seal()
    await letters.close()
    try await queue.writer(source: "source").writeDurably(numbered(20..<30))
    _ = await fixture.runner(queue, sinks: [one(rejecting([25]))]).run(until: .drained(timeout: nil))
    await queue.close()
    #expect(try await putBack(fixture, "http") == 3)
    let again = try fixture.open()
    let trimmed = try #require(try fixture.openDeadLetters(for: again))
    #expect(try trimmed.trim(before: Offset(2)) == Offset(2))
    await trimmed.close()
    await again.close()
    let sink = ScriptedSink(.repeatsRange)
    #expect(try await fixture.drain(sinks: [plan(sink, "http")]).ending == .drained)
    #expect(sink.output == ["line 25 of the log"])
    let last = try fixture.open()
    let kept = try #require(try fixture.openDeadLetters(for: last))
    #expect(kept.status().consumers.first { $0.name == "http" }?.lostRecords == 2)
    await kept.close()
    await last.close()
  }

  @Test func `setting the consumer back makes delivered ones dead letters again`() async throws {
    let fixture = RunFixture()
    try await setAside(fixture, [one(rejecting([3, 4], .cutsBack))])
    _ = try await putBack(fixture, "http")
    try await fixture.drain(sinks: [one(ScriptedSink())])
    let queue = try fixture.open()
    let letters = try #require(try fixture.openDeadLetters(for: queue))
    try letters.consumer("http", kind: .sink).seek(to: .oldest)
    await letters.close()
    await queue.close()
    let untouched = ScriptedSink()
    try await fixture.drain(sinks: [one(untouched)])
    #expect(untouched.sent.isEmpty)
    #expect(try await putBack(fixture, "http") == 2)
    try await fixture.drain(sinks: [one(untouched)])
    #expect(untouched.sent.flatMap(\.lines) == ["line 3 of the log", "line 4 of the log"])
  }

  @Test func `a full dead-letter queue ends a put-back that is rejected again, and the sink goes on`() async throws {
    var fixture = RunFixture()
    var options = QueueOptions()
    options.maxSize = 4 << 20
    options.minFreeDisk = 0
    options.linger = .zero
    fixture.deadLetterOptions = options
    let lines = incompressible(1300)
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(lines)
    let rejects = ScriptedSink(.repeatsRange) { (_, _) async throws(DeliveryError) in throw DeliveryError(.reject(status: "400"), "no") }
    var bounds = ShutdownBounds.patient
    bounds.sinks = .milliseconds(20)
    let runner = fixture.runner(queue, sinks: [plan(rejects, "http") { $0.batch.maxRecords = 10 }], bounds: bounds)
    let run = Task { await runner.run(until: .forever) }
    let isThere = { runner.status().deadLetters?.isFull == true || runner.status().sinks[0].cursor == queue.durableEnd }
    await eventually(isThere)
    run.cancel()
    _ = await run.value
    await queue.close()
    let before = try await fixture.deadLetters().count
    #expect(try await putBack(fixture, "http") == before)
    let again = try fixture.open()
    let next = fixture.runner(
      again, sinks: [plan(rejects, "http") { $0.batch.maxRecords = 10 }], bounds: bounds)
    let second = Task { await next.run(until: .forever) }
    await next.sinkProgress[0].wait { $0.lastError?.contains("almost full") == true }
    #expect(try await next.deadLetters.facts().sinks.first?.putBack == 0)
    second.cancel()
    _ = await second.value
    await again.close()
  }

  @Test func `a sink that waits for room among the dead letters delivers them when they are put back`() async throws {
    var fixture = RunFixture()
    var options = QueueOptions()
    options.maxSize = 600 << 10
    options.minFreeDisk = 0
    options.linger = .zero
    fixture.deadLetterOptions = options
    let lines = incompressible(400)
    let isOpen = Watched(false)
    let sink = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if !isOpen.value { throw DeliveryError(.reject(status: "400"), "no") }
      return delivery.next
    }
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(lines)
    let runner = fixture.runner(queue, sinks: [plan(sink, "http") { $0.batch.maxRecords = 10 }])
    let run = Task { await runner.run(until: .drained(timeout: nil)) }
    await eventually { runner.status().deadLetters?.isFull == true }
    await runner.sinkProgress[0].wait { $0.activity == .settingAside }
    isOpen.change { $0 = true }
    let count = try await runner.deadLetters.putBack(sink: "http")
    #expect(count > 0)
    #expect(await run.value.ending == .drained)
    await queue.close()
    // What waited for room is a dead letter now; with it everything is there, each once.
    let left = try RejectTests.letters(await fixture.deadLetters()).map(\.offset)
    let again = try await putBack(fixture, "http")
    #expect(again > 0 && again <= left.count)
    try await fixture.drain(sinks: [plan(sink, "http")])
    #expect(sink.output.sorted() == lines.sorted())
  }

  @Test func `any bytes come back from a dead letter, and nothing else is taken for one`() throws {
    for count in [0, 1, 2, 3, 4, 255, 256, 257, 10_000] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }.map { $0 == 0x0A ? 0 : $0 }
      var letters = RecordBatch()
      DeadLetterRecord(consumer: "a\",\"bytes\":\"AAAA\"}", reason: "rejected", status: "\",\"offset\":1,\"bytes\":\"")
        .append(SharedBytes(copying: bytes), offset: Offset(.max), to: &letters)
      let line = letters.withLines { Array($0.dropLast()) }
      var records = RecordBatch()
      let offset = line.withUnsafeBytes { DeadLetters.appendRecord(of: $0, to: &records) }
      #expect(offset == Offset(.max))
      #expect(records.withLines { Array($0) } == bytes + [0x0A])
    }
    let odd = [
      "", "{}", "\"}", ",\"bytes\":\"\"}", "{\"offset\":,\"bytes\":\"\"}", "{\"reason\":\"a\",\"offset\":x,\"bytes\":\"\"}",
      "{\"reason\":\"a\",\"offset\":1,\"bytes\":\"A\"}", "{\"reason\":\"a\",\"offset\":1,\"bytes\":\"A===\"}",
      "{\"reason\":\"a\",\"offset\":1,\"bytes\":\"AA=A\"}", "{\"reason\":\"a\",\"offset\":1,\"bytes\":\"Cg==\"}",
      "{\"reason\":\"a\",\"offset\":1,\"bytes\":\"AAA=AAAA\"}", "{\"reason\":\"a\",\"offset\":99999999999999999999,\"bytes\":\"\"}",
    ]
    for text in odd {
      var records = RecordBatch()
      let offset = Array(text.utf8).withUnsafeBytes { DeadLetters.appendRecord(of: $0, to: &records) }
      #expect(offset == nil, "\(text)")
      #expect(records.withLines { $0.count } == 0)
    }
  }

  @Test func `a mark and a sink's state go through one slot and come out again`() {
    let mark = PutBackMark(deadLetters: QueueID(high: 7, low: .max), seekCount: 3, cursor: Offset(1 << 40))
    for state: [UInt8]? in [nil, [], [1, 2, 3], PutBackMark.wrapped([9], with: mark)] {
      let marked = PutBackMark.unwrapped(PutBackMark.wrapped(state, with: mark))
      #expect(marked.state == state)
      #expect(marked.mark == mark)
      #expect(PutBackMark.unwrapped(PutBackMark.wrapped(state, with: nil)).state == state)
    }
    #expect(PutBackMark.wrapped([1, 2], with: nil) == [1, 2], "states are written as older versions write them")
  }
}
