import PipelineCore
import RecordBlocks
import SegmentQueue
import Synchronization
import TestSupport
import Testing

@testable import PipelineRuntime

/// Every operation of a delivery to a destination that takes nothing back (an HTTP endpoint that knows keys) is a place to die at: batches
/// that are too large and are halved, records that are rejected and become dead letters, the dead-letter queue's creation. After each,
/// what the destination took under different keys is every line once, in order, and every rejected line is a dead letter once.
@Suite(.timeLimit(.minutes(60))) struct DeliveryCrashTests {
  private static let census = Census("crash states of a delivery")
  private static let lineCount = 36
  private static let poison: Set<UInt64> = [4, 17, 18]

  /// A destination that remembers what it took, and at which operation of the disk.
  private final class Destination: Sendable {
    struct Taken: Sendable {
      var operation: Int
      var key: String
      var lines: [String]
    }

    let taken: Mutex<[Taken]>

    init(_ taken: [Taken] = []) { self.taken = Mutex(taken) }

    func sink(_ disk: SimulatedFileSystem) -> ScriptedSink {
      ScriptedSink(.repeatsRange) { [self] (delivery, _) async throws(DeliveryError) in
        if delivery.recordCount > 5 { throw DeliveryError(.split, "413") }
        let offsets = delivery.first.rawValue..<delivery.next.rawValue
        if DeliveryCrashTests.poison.contains(where: { offsets.contains($0) }) {
          throw delivery.recordCount > 1 ? DeliveryError(.split, "413") : DeliveryError(.reject(status: "400"), "no")
        }
        guard case .records(let slices) = delivery.content else { return delivery.next }
        let lines = slices.flatMap(ScriptedSink.lines)
        taken.withLock { $0.append(Taken(operation: disk.operationCount, key: delivery.idempotencyKey, lines: lines)) }
        return delivery.next
      }
    }

    /// What it has made of it: a key that it knows counts once.
    var lines: [String] {
      var keys: Set<String> = []
      return taken.withLock { $0 }.flatMap { keys.insert($0.key).inserted ? $0.lines : [] }
    }
  }

  @Test func `no crash point of a delivery loses or doubles a line or a dead letter`() async throws {
    for seed in Exploration.seeds("delivery", sample: 1, full: 3) {
      let fixture = RunFixture(SimulatedFileSystem(seed: seed))
      let filling = try fixture.open()
      try await filling.writer(source: "source").writeDurably(numbered(0..<Self.lineCount))
      await filling.close()
      fixture.disk.recordCrashPoints()
      let destination = Destination()
      let maxRecords = 7 + Int(seed) * 2
      try await fixture.drain(sinks: [plan(destination.sink(fixture.disk), "http") { $0.batch.maxRecords = maxRecords }])
      let points = fixture.disk.crashPoints
      #expect(points.count > 50)
      for point in points {
        for kind in CrashKind.allCases where kind != .mixtureDamagingSharedSectors {
          for variant in 1...(kind.isSeeded ? 3 : 1) as ClosedRange<UInt64> {
            let place = Exploration.Place(
              "delivery", seed: seed, operation: point.operation.number, variant: "\(kind)", variantSeed: variant)
            guard Exploration.takes(place, oneIn: 12) else { continue }
            let disk = point.crash(kind, seed: seed &* 1_000_003 &+ UInt64(point.operation.number) &* 31 &+ variant)
            let taken = destination.taken.withLock { $0 }.filter { $0.operation < point.operation.number }
            // Smaller batches now: what was in flight must go out as it was all the same.
            try await goOn(disk, taken, maxRecords - 3, place, "before \(point.operation); \(place.replay("DeliveryCrashTests"))")
          }
        }
      }
    }
    Self.census.report()
  }

  private func goOn(
    _ disk: SimulatedFileSystem, _ taken: [Destination.Taken], _ maxRecords: Int, _ place: Exploration.Place, _ text: String
  ) async throws {
    let fixture = RunFixture(disk)
    let destination = Destination(taken)
    let outcome = try await fixture.drain(sinks: [plan(destination.sink(disk), "http") { $0.batch.maxRecords = maxRecords }])
    #expect(outcome.ending == .drained, "\(text)")
    let expected = numbered(0..<Self.lineCount).enumerated().filter { !Self.poison.contains(UInt64($0.offset)) }.map(\.element)
    #expect(destination.lines == expected, "\(text)")
    let letters = try RejectTests.letters(await fixture.deadLetters())
    #expect(letters.map(\.offset) == Self.poison.sorted(), "\(text)")
    let sent = destination.taken.withLock { $0.dropFirst(taken.count).map(\.key) }
    Self.census.add(place, result: "\(taken.count) \(sent.first.map { $0.split(separator: "-").suffix(2).joined() } ?? "") \(sent.count)")
  }

  @Test func `after a crash an endpoint that takes everything is not sent what is a dead letter already`() async throws {
    let name = "changed-mind"
    for seed in Exploration.seeds(name, sample: 1, full: 1) {
      let fixture = RunFixture(SimulatedFileSystem(seed: seed))
      let filling = try fixture.open()
      try await filling.writer(source: "source").writeDurably(numbered(0..<Self.lineCount))
      await filling.close()
      fixture.disk.recordCrashPoints()
      let destination = Destination()
      try await fixture.drain(sinks: [plan(destination.sink(fixture.disk), "http") { $0.batch.maxRecords = 9 }])
      for point in fixture.disk.crashPoints {
        for kind in CrashKind.allCases where kind != .mixtureDamagingSharedSectors {
          let place = Exploration.Place(name, seed: seed, operation: point.operation.number, variant: "\(kind)", variantSeed: 1)
          guard Exploration.takes(place, oneIn: 8) else { continue }
          let text = "before \(point.operation); \(place.replay("DeliveryCrashTests"))"
          let crashed = RunFixture(point.crash(kind, seed: seed &* 1_000_003 &+ UInt64(point.operation.number)))
          let known = PutBackDestination(destination.taken.withLock { $0 }.filter { $0.operation < point.operation.number })
          // It takes the lines of this test's log, also those that it rejected before.
          try await run(crashed, known.sink(crashed.disk, rejecting: nil), batch: 4, text)
          let queue = try crashed.open()
          let letters = try crashed.openDeadLetters(for: queue, create: false)
          let kept = try RejectTests.letters(letters?.allLines() ?? []).map(\.line)
          await letters?.close()
          await queue.close()
          #expect((known.lines + kept).sorted() == numbered(0..<Self.lineCount).sorted(), "\(text)")
          Self.census.add(place, result: "\(name) \(kept.count)")
        }
      }
    }
  }

  // MARK: Put back

  /// Output that a crash cuts back to a committed length: the lines, and at which operation of the disk each was written.
  private final class CutDestination: Sendable {
    struct Line: Sendable {
      var operation: Int
      var text: String
    }

    let lines: Mutex<[Line]>
    init(_ lines: [Line] = []) { self.lines = Mutex(lines) }

    func sink(_ disk: SimulatedFileSystem) -> CutSink { CutSink(self, disk) }
  }

  private final class CutSink: Sink {
    let recovery = SinkRecovery.cutsBack
    private let destination: CutDestination
    private let disk: SimulatedFileSystem

    init(_ destination: CutDestination, _ disk: SimulatedFileSystem) {
      self.destination = destination
      self.disk = disk
    }

    func open(_ start: SinkStart) async throws(DeliveryError) {
      // The earlier sink's state isn't this one's.
      let state = start.state.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
      let kept = state.hasPrefix("cut at ") ? Int(state.dropFirst(7)) ?? 0 : 0
      destination.lines.withLock { $0.removeLast(max(0, $0.count - kept)) }
    }

    func deliver(_ delivery: Delivery) async throws(DeliveryError) -> Offset {
      guard case .records(let slices) = delivery.content else { return delivery.next }
      let operation = disk.operationCount
      destination.lines.withLock { lines in
        lines += slices.flatMap(ScriptedSink.lines).map { CutDestination.Line(operation: operation, text: $0) }
      }
      return delivery.next
    }

    func sync() async throws(DeliveryError) -> SinkState { SinkState(Array("cut at \(destination.lines.withLock { $0.count })".utf8)) }
    func close() async {}
  }

  private static func poisonOf(_ sink: String) -> Set<UInt64> { sink == "http" ? [4, 9, 10, 12, 17, 18] : [5, 18] }
  /// Rejected also the second time.
  private static let poisonLine = "line 17 of the log"
  /// Taken then.
  private static let remedied = [4, 9, 10, 12, 18].map { "line \($0) of the log" }

  /// A queue whose two sinks have rejected some records: what one of them set aside lies between the other's.
  private func putBackDisk(seed: UInt64) async throws -> RunFixture {
    let fixture = RunFixture(SimulatedFileSystem(seed: seed))
    for range in [0..<14, 14..<Self.lineCount] {
      let queue = try fixture.open()
      try await queue.writer(source: "source").writeDurably(numbered(range))
      await queue.close()
      for name in ["http", "other"] {
        try await fixture.drain(sinks: [plan(RejectTests.sink(rejecting: Self.poisonOf(name)), name) { $0.batch.maxRecords = 1 }])
      }
    }
    return fixture
  }

  /// Puts back as the command line does, then runs; tells how many that are, and by which operation of the disk it was answered.
  private func putBackAndRun(_ fixture: RunFixture, _ sink: any Sink, batch: Int) async throws -> (count: Int, answered: Int) {
    let queue = try fixture.open()
    let office = DeadLetterOffice(sinks: ["http", "other"]) { create in try fixture.openDeadLetters(for: queue, create: create) }
    let count = try await office.putBack(sink: "http")
    let answered = fixture.disk.operationCount
    await office.close()
    await queue.close()
    try await run(fixture, sink, batch: batch)
    return (count, answered)
  }

  private func run(_ fixture: RunFixture, _ sink: any Sink, batch: Int, _ text: String = "") async throws {
    let queue = try fixture.open()
    var plan = SinkPlan(name: "http", sink: sink)
    plan.retry = RetryPolicy(initial: .milliseconds(1), max: .milliseconds(2))
    plan.batch.maxRecords = batch
    let outcome = await fixture.runner(queue, sinks: [plan]).run(until: .drained(timeout: nil))
    #expect(outcome.ending == .drained, "\(text)")
    await queue.close()
  }

  @Test(arguments: [SinkRecovery.repeatsRange, .cutsBack])
  func `no crash point of a put-back loses or doubles a dead letter`(recovery: SinkRecovery) async throws {
    let name = "put-back-\(recovery)"
    for seed in Exploration.seeds(name, sample: 1, full: 2) {
      let fixture = try await putBackDisk(seed: seed)
      fixture.disk.recordCrashPoints()
      let (http, cut) = (PutBackDestination(), CutDestination())
      let sink: any Sink = recovery == .repeatsRange ? http.sink(fixture.disk) : cut.sink(fixture.disk)
      let (count, answered) = try await putBackAndRun(fixture, sink, batch: 1 + Int(seed))
      #expect(count == 6)
      let points = fixture.disk.crashPoints
      #expect(points.count > 30)
      for point in points {
        for kind in CrashKind.allCases where kind != .mixtureDamagingSharedSectors {
          for variant in 1...(kind.isSeeded ? 3 : 1) as ClosedRange<UInt64> {
            let place = Exploration.Place(name, seed: seed, operation: point.operation.number, variant: "\(kind)", variantSeed: variant)
            guard Exploration.takes(place, oneIn: 6) else { continue }
            let text = "before \(point.operation); \(place.replay("DeliveryCrashTests"))"
            let crashed = RunFixture(point.crash(kind, seed: seed &* 1_000_003 &+ UInt64(point.operation.number) &* 31 &+ variant))
            // What was asked for before the answer may be there or not: asking again is right in both cases. After it nobody asks again.
            let asksAgain = point.operation.number <= answered
            switch recovery {
            case .repeatsRange:
              let known = PutBackDestination(http.taken.withLock { $0 }.filter { $0.operation < point.operation.number })
              try await goOn(crashed, known.sink(crashed.disk), asksAgain, text)
              #expect(known.lines == Self.remedied, "\(text)")
              let letters = try RejectTests.letters(await crashed.deadLetters()).filter { $0.consumer == "http" }
              #expect(letters.map(\.offset) == [4, 9, 10, 12, 17, 18, 17], "\(text)")
            case .cutsBack:
              let known = CutDestination(cut.lines.withLock { $0 }.filter { $0.operation < point.operation.number })
              try await goOn(crashed, known.sink(crashed.disk), asksAgain, text)
              let expected = Self.poisonOf("http").sorted().map { "line \($0) of the log" }
              #expect(known.lines.withLock { $0.map(\.text) } == expected, "\(text)")
            }
            Self.census.add(place, result: "\(name) \(asksAgain)")
          }
        }
      }
    }
    Self.census.report()
  }

  private func goOn(_ fixture: RunFixture, _ sink: any Sink, _ asksAgain: Bool, _ text: String) async throws {
    // Other batches now: what was in flight must go out as it was all the same.
    if asksAgain { _ = try await putBackAndRun(fixture, sink, batch: 5) } else { try await run(fixture, sink, batch: 5, text) }
    // And nothing is left to do.
    let queue = try fixture.open()
    let office = DeadLetterOffice(sinks: ["http"]) { create in try fixture.openDeadLetters(for: queue, create: create) }
    let facts = try await office.facts()
    #expect(facts.sinks.first { $0.name == "http" }?.putBack == 0, "\(text)")
    #expect(facts.sinks.first { $0.name == "other" }?.kept == 2, "\(text)")
    await office.close()
    await queue.close()
  }

  /// An endpoint that rejects one line, whatever it comes with, and knows keys.
  private final class PutBackDestination: Sendable {
    let taken: Mutex<[Destination.Taken]>
    init(_ taken: [Destination.Taken] = []) { self.taken = Mutex(taken) }

    func sink(_ disk: SimulatedFileSystem, rejecting rejected: String? = DeliveryCrashTests.poisonLine) -> ScriptedSink {
      ScriptedSink(.repeatsRange) { [self] (delivery, _) async throws(DeliveryError) in
        guard case .records(let slices) = delivery.content else { return delivery.next }
        let lines = slices.flatMap(ScriptedSink.lines)
        if let rejected, lines.contains(rejected) {
          throw lines.count > 1 ? DeliveryError(.split, "413") : DeliveryError(.reject(status: "400"), "no")
        }
        taken.withLock { $0.append(Destination.Taken(operation: disk.operationCount, key: delivery.idempotencyKey, lines: lines)) }
        return delivery.next
      }
    }

    var lines: [String] {
      var keys: Set<String> = []
      return taken.withLock { $0 }.flatMap { keys.insert($0.key).inserted ? $0.lines : [] }
    }
  }
}
