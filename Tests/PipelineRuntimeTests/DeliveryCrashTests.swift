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
}
