import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import PipelineRuntime

/// Records that no worker acknowledges: every operation of the disk is a place to die at while they become dead letters, are put back and
/// become some again. After each they are dead letters once, and every other record was acknowledged once.
@Suite(.timeLimit(.minutes(20))) struct LeaseLettersTests {
  private static let census = Census("crash states of leases' dead letters")
  private static let lineCount = 24
  private static let poison: Set<UInt64> = [3, 4, 17]
  private static let limits = BatchLimits(maxRecords: 6, maxBytes: 1 << 20)

  private func lines(_ slices: [BlockSlice]) -> [String] { slices.flatMap(ScriptedSink.lines) }

  /// Can be set forward.
  private final class ForwardClock: QueueClock {
    private let system = SystemQueueClock()
    private let ahead = Locked<UInt64>(0)
    func monotonic() -> UInt64 { system.monotonic() + ahead.withLock { $0 } }
    func wall() -> Int64 { system.wall() }
    func wallIsSynchronised() -> Bool { false }
    func advanceAnHour() { ahead.withLock { $0 += 3_600_000_000_000 } }
  }

  /// A worker that works until nothing is left; what it takes is told with the operation of the disk behind its acknowledgement.
  private func work(
    _ fixture: RunFixture, takesAll: Bool = false, putsBack: Bool = false, _ took: (_ lines: [String], _ operation: Int) -> Void
  ) async throws {
    var fixture = fixture
    let clock = ForwardClock()
    fixture.queueClock = clock
    let queue = try fixture.open()
    let office = DeadLetterOffice(sinks: []) { [fixture] create in try fixture.openDeadLetters(for: queue, create: create) }
    _ = try await office.facts()
    let letters = LeaseLetters(office, queue)
    let consumer = try queue.consumer("load", kind: .lease, maxDeliveries: 2)
    // After a crash some are on loan to nobody.
    clock.advanceAnHour()
    if putsBack { _ = try await office.putBack(sink: "load") }
    func isRejected(_ lines: [String]) -> Bool {
      !takesAll && lines.contains { line in Self.poison.contains { line == numbered(Int($0)..<Int($0) + 1)[0] } }
    }
    loop: while true {
      switch try letters.lend(to: "load", Self.limits, maxDeliveries: 2) {
      case .granted(let batch):
        let lines = lines(batch.slices)
        if isRejected(lines) {
          try letters.release(batch.lease, of: "load")
        } else {
          try letters.acknowledge(batch.lease, of: "load")
          try letters.acknowledge(batch.lease, of: "load")
          took(lines, fixture.disk.operationCount)
        }
        continue loop
      case .exhausted(let range, let deliveries):
        try await letters.keepAgain(range, of: "load", deliveries: deliveries)
        continue loop
      case .nothing: break
      }
      switch try consumer.lease(Self.limits, for: .seconds(60)) {
      case .granted(let batch):
        let lines = lines(batch.slices)
        if isRejected(lines) {
          try consumer.release(batch.lease)
        } else {
          try consumer.acknowledge(batch.lease)
          took(lines, fixture.disk.operationCount)
        }
      case .exhausted(let lease, let deliveries): try await letters.setAside(lease, deliveries: deliveries, of: consumer)
      case .nothing: break loop
      }
    }
    #expect(consumer.cursor == Offset(UInt64(Self.lineCount)))
    await office.close()
    await queue.close()
  }

  private func filled(_ seed: UInt64) async throws -> RunFixture {
    let fixture = RunFixture(SimulatedFileSystem(seed: seed))
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(0..<Self.lineCount))
    await queue.close()
    return fixture
  }

  private func kept(_ fixture: RunFixture) async throws -> [UInt64] {
    let queue = try fixture.open()
    let letters = try fixture.openDeadLetters(for: queue, create: false)
    let kept = try RejectTests.letters(letters?.allLines() ?? []).map(\.offset)
    await letters?.close()
    await queue.close()
    return kept
  }

  @Test func `what no worker acknowledges is a dead letter once, whenever the process dies`() async throws {
    for seed in Exploration.seeds("set-aside", sample: 1, full: 6) {
      let fixture = try await filled(seed)
      fixture.disk.recordCrashPoints()
      var taken: [(lines: [String], operation: Int)] = []
      try await work(fixture) { taken.append(($0, $1)) }
      #expect(taken.flatMap(\.lines).count == Self.lineCount - Self.poison.count)
      for point in fixture.disk.crashPoints {
        for kind in CrashKind.allCases where kind != .mixtureDamagingSharedSectors {
          let place = Exploration.Place("set-aside", seed: seed, operation: point.operation.number, variant: "\(kind)", variantSeed: 1)
          guard Exploration.takes(place, oneIn: 8) else { continue }
          let text = "before \(point.operation); \(place.replay("LeaseLettersTests"))"
          let crashed = RunFixture(point.crash(kind, seed: seed &* 1_000_003 &+ UInt64(point.operation.number)))
          let before = taken.filter { $0.operation < point.operation.number }.flatMap(\.lines)
          var after: [String] = []
          try await work(crashed) { lines, _ in after += lines }
          let sound = numbered(0..<Self.lineCount).enumerated().filter { !Self.poison.contains(UInt64($0.offset)) }.map(\.element)
          #expect(Set(before).isDisjoint(with: after), "acknowledged and given again, \(text)")
          #expect(Set(before + after).isSubset(of: sound) && after.count == Set(after).count, "\(text)")
          // What was given for the last time when the process died is one as well, though nobody had refused it: a record, as it goes then.
          let letters = try await kept(crashed)
          let extra = Set(letters).subtracting(Self.poison)
          #expect(letters.count == Set(letters).count && Self.poison.isSubset(of: letters) && extra.count <= 1, "\(letters), \(text)")
          #expect(Set(before + after).isDisjoint(with: extra.map { numbered(Int($0)..<Int($0) + 1)[0] }), "\(text)")
          // Those whose acknowledgement was on its way may be neither.
          #expect(sound.count - before.count - after.count - extra.count <= Self.limits.maxRecords, "\(text)")
          Self.census.add(place, result: "\(before.count) \(after.count)")
        }
      }
    }
    Self.census.report()
  }

  @Test func `what is put back and not taken is a dead letter again, once, whenever the process dies`() async throws {
    for seed in Exploration.seeds("set-aside-again", sample: 1, full: 6) {
      let fixture = try await filled(seed)
      try await work(fixture) { _, _ in }
      fixture.disk.recordCrashPoints()
      try await work(fixture, putsBack: true) { lines, _ in Issue.record("taken: \(lines)") }
      #expect(try await kept(fixture) == Self.poison.sorted() + Self.poison.sorted())
      for point in fixture.disk.crashPoints {
        for kind in CrashKind.allCases where kind != .mixtureDamagingSharedSectors {
          let place = Exploration.Place(
            "set-aside-again", seed: seed, operation: point.operation.number, variant: "\(kind)", variantSeed: 1)
          guard Exploration.takes(place, oneIn: 8) else { continue }
          let text = "before \(point.operation); \(place.replay("LeaseLettersTests"))"
          let crashed = RunFixture(point.crash(kind, seed: seed &* 1_000_003 &+ UInt64(point.operation.number)))
          var taken: [String] = []
          try await work(crashed, takesAll: true, putsBack: true) { lines, _ in taken += lines }
          let expected = Self.poison.sorted().map { numbered(Int($0)..<Int($0) + 1)[0] }
          #expect(taken.sorted() == expected.sorted(), "\(text)")
          Self.census.add(place, result: "\(taken)")
        }
      }
    }
    Self.census.report()
  }
}
