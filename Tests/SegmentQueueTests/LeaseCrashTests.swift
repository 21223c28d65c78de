import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Workers at random, and a reference that knows for every record what became of it: then every operation of the disk is a place to die at.
/// After each: what was acknowledged is never given again, everything else is, and no count of deliveries is too low.
@Suite(.timeLimit(.minutes(20))) struct LeaseCrashTests {
  private static let recordCount = 60
  private static let census = Census("crash states of leases")

  /// What is known of each record at one operation of the disk.
  private struct Known {
    var operation: Int
    /// Its acknowledgement was answered.
    var acknowledged: Set<UInt64> = []
    /// Its acknowledgement was asked for, and may have got through.
    var maybe: Set<UInt64> = []
    /// How often it was given, as answered.
    var deliveries: [UInt64: Int] = [:]
  }

  private func life(_ seed: UInt64, _ fixture: QueueFixture) async throws -> [Known] {
    var random = SplitMix64(seed: seed)
    var known = [Known(operation: 0)]
    var queue = try fixture.open()
    for start in stride(from: 0, to: Self.recordCount, by: 20) {
      try await queue.writer(source: "app").writeDurably(numbered(start..<start + 20))
    }
    var consumer = try queue.consumer("workers", kind: .lease)
    var leases: [LeaseID] = []
    // The call may get through before it is answered.
    func note(_ change: (inout Known) -> Void) {
      var next = known[known.count - 1]
      next.operation = fixture.disk.operationCount
      change(&next)
      known.append(next)
    }
    note { _ in }
    for _ in 0..<60 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<4:
        let limits = BatchLimits(maxRecords: Int.random(in: 1...9, using: &random), maxBytes: 1 << 20)
        guard let batch = try consumer.lease(limits, for: .seconds(10)).granted else { continue }
        note { for offset in batch.offsets { $0.deliveries[offset] = max(batch.deliveries, $0.deliveries[offset] ?? 0) } }
        consumer.started(batch.lease, for: .seconds(10))
        leases.append(batch.lease)
      case 4..<7:
        guard let lease = leases.randomElement(using: &random) else { continue }
        let offsets = lease.range.lowerBound.rawValue..<lease.range.upperBound.rawValue
        known[known.count - 1].maybe.formUnion(offsets)
        do {
          try consumer.acknowledge(lease)
          note { $0.acknowledged.formUnion(offsets) }
        } catch {
          // Nothing was changed: who asked for it knows no more than before.
          #expect(error.code == .leaseLost)
        }
      case 7:
        if let lease = leases.randomElement(using: &random) { try? consumer.release(lease) }
      case 8: fixture.clock.advance(by: .seconds(Int.random(in: 1...12, using: &random)))
      default:
        await queue.close()
        queue = try fixture.open()
        consumer = try queue.knownConsumer("workers")
      }
    }
    await queue.close()
    return known
  }

  /// Leases and acknowledges all that is left.
  private func drain(_ consumer: QueueConsumer, _ clock: TestClock, _ text: String) throws -> [UInt64: Int] {
    var given: [UInt64: Int] = [:]
    clock.advance(by: .seconds(3600))
    while let batch = try consumer.lease(BatchLimits(maxRecords: 7, maxBytes: 1 << 20), for: .seconds(10)).granted {
      for offset in batch.offsets { #expect(given.updateValue(batch.deliveries, forKey: offset) == nil, "given twice: \(offset) \(text)") }
      try consumer.acknowledge(batch.lease)
    }
    return given
  }

  @Test func `no crash point brings back what was acknowledged, keeps back anything else, or forgets a delivery`() async throws {
    for seed in Exploration.seeds("leases", sample: 2, full: 12) {
      let fixture = QueueFixture()
      fixture.disk.recordCrashPoints()
      let known = try await life(seed, fixture)
      let points = fixture.disk.crashPoints
      #expect(points.count > 60)
      for point in points {
        let number = point.operation.number
        guard let before = known.last(where: { $0.operation < number }), before.operation > 0 else { continue }
        for kind in [CrashKind.everythingKept, .unsyncedLost, .bytesLost, .lastTorn, .lastGarbled, .mixture] {
          let place = Exploration.Place("leases", seed: seed, operation: number, variant: kind.rawValue, variantSeed: 1)
          guard Exploration.takes(place, oneIn: 8) else { continue }
          let text = "before \(point.operation); \(place.replay("SegmentQueueTests.LeaseCrashTests"))"
          let again = QueueFixture(point.crash(kind, seed: seed &* 31 &+ UInt64(number)))
          let queue = try again.open()
          let consumer = try queue.knownConsumer("workers")
          let given = try drain(consumer, again.clock, text)
          for offset in 0..<UInt64(Self.recordCount) {
            if before.acknowledged.contains(offset) {
              #expect(given[offset] == nil, "acknowledged and given again: \(offset), \(text)")
            } else if given[offset] == nil {
              #expect(before.maybe.contains(offset), "neither acknowledged nor given: \(offset), \(text)")
            } else {
              #expect(given[offset]! > before.deliveries[offset] ?? 0, "a delivery of \(offset) is forgotten, \(text)")
            }
          }
          #expect(consumer.cursor == Offset(UInt64(Self.recordCount)), "\(text)")
          Self.census.add(place, result: "\(given.sorted { $0.key < $1.key })")
          await queue.close()
        }
      }
    }
    Self.census.report()
  }

  @Test func `no offset on loan is given to another record, also where a power cut takes back what was visible`() async throws {
    var fixture = QueueFixture()
    fixture.options.sync = .never
    var queue = try fixture.open()
    let consumer = try queue.consumer("workers", kind: .lease)
    try await queue.writer(source: "app").writeDurably(numbered(0..<20))
    let batch = try #require(try consumer.lease(BatchLimits(maxBytes: 1 << 20), for: .seconds(10)).granted)
    #expect(batch.offsets == 0..<20)
    var after = QueueFixture(fixture.disk.crash(.unsyncedLost))
    after.options = fixture.options
    queue = try after.open()
    #expect(queue.durableEnd >= Offset(20))
    let place = try await queue.writer(source: "app").writeDurably(numbered(20..<21)).durableRange()
    #expect(place.lowerBound >= Offset(20))
    await queue.close()
  }

  @Test func `every failing operation of the disk leaves a consumer that goes on`() async throws {
    for seed in Exploration.seeds("lease errors", sample: 3, full: 40) {
      let fixture = QueueFixture()
      let queue = try fixture.open()
      try await queue.writer(source: "app").writeDurably(numbered(0..<Self.recordCount))
      let consumer = try queue.consumer("workers", kind: .lease)
      var random = SplitMix64(seed: seed)
      var acknowledged: Set<UInt64> = []
      var maybe: Set<UInt64> = []
      for _ in 0..<30 {
        if Bool.random(using: &random) {
          fixture.disk.failOperations(with: .ioError, once: true) { $0.path.contains("consumers") }
        }
        do {
          guard let batch = try consumer.lease(BatchLimits(maxRecords: 5, maxBytes: 1 << 20), for: .seconds(10)).granted else {
            fixture.clock.advance(by: .seconds(11))
            continue
          }
          consumer.started(batch.lease, for: .seconds(10))
          maybe.formUnion(batch.offsets)
          try consumer.acknowledge(batch.lease)
          acknowledged.formUnion(batch.offsets)
        } catch {
          #expect(error.code == .io)
        }
      }
      fixture.disk.clearFailures()
      let given = Set(try drain(consumer, fixture.clock, "seed \(seed)").keys)
      #expect(given.isDisjoint(with: acknowledged) && given.union(maybe).count == Self.recordCount)
      await queue.close()
    }
  }
}
