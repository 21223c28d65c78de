import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Every single operation of every scenario is a place to die at, in every way that the fault model has. After each: what was acknowledged
/// is there, in order, once; nothing that a consumer saw is gone; no cursor is ahead of the end; sources go on exactly where their lines
/// end. Then the same for every operation of the recovery itself.
@Suite(.timeLimit(.minutes(60))) struct CrashTests {
  private static let census = Census("crash states")

  /// How many seeds of a variant are tried at each point when all are.
  private func variantSeeds(_ kind: CrashKind) -> ClosedRange<UInt64> {
    switch kind {
    case .mixture: 1...4
    case .lastTorn, .lastGarbled, .mixtureDamagingSharedSectors: 1...2
    default: 1...1
    }
  }

  @Test(arguments: QueueScenario.allCases) func `no crash point loses, doubles or invents anything`(_ scenario: QueueScenario) async throws
  {
    for seed in Exploration.seeds(scenario.rawValue, sample: 1, full: 8) {
      let life = QueueLife(scenario.fixture(seed: seed), seed: seed)
      life.fixture.disk.recordCrashPoints()
      try await scenario.run(life)
      #expect(life.fixture.disk.retriedSyncs.isEmpty)
      let points = life.fixture.disk.crashPoints
      #expect(points.count > 30)
      for point in points { await explore(scenario, life, point) }
    }
    Self.census.report()
  }

  private func explore(_ scenario: QueueScenario, _ life: QueueLife, _ point: SimulatedFileSystem.CrashPoint) async {
    let number = point.operation.number
    var promise: QueueLife.Promise?
    for kind in CrashKind.allCases {
      for variant in variantSeeds(kind) {
        let place = Exploration.Place(
          scenario.rawValue, seed: life.seed, operation: number, variant: kind.rawValue, variantSeed: variant)
        guard Exploration.takes(place, oneIn: 16) else { continue }
        let told = promise ?? life.promise(before: number)
        promise = told
        let text = "before \(point.operation); \(place.replay("SegmentQueueTests.CrashTests"))"
        let isDamaged = kind == .mixtureDamagingSharedSectors
        let disk = point.crash(kind, seed: life.seed &* 1_000_003 &+ UInt64(number) &* 31 &+ variant)
        let dying = disk.crash(.everythingKept)
        let result = await life.check(disk, told, mayLose: scenario.mayLose, isDamaged: isDamaged, text)
        Self.census.add(place, result: result)
        if !isDamaged { await dieAgain(scenario, life, told, dying, place, text) }
      }
    }
  }

  /// Dies a second time, at one operation of the recovery: which one and how the place decides.
  private func dieAgain(
    _ scenario: QueueScenario, _ life: QueueLife, _ promise: QueueLife.Promise, _ disk: SimulatedFileSystem, _ place: Exploration.Place,
    _ text: String
  ) async {
    var random = SplitMix64(seed: Exploration.digest("\(place)"))
    disk.recordCrashPoints()
    var fixture = QueueFixture(disk)
    fixture.options = life.fixture.options
    guard let queue = try? fixture.open() else { return }
    let points = disk.crashPoints
    await queue.close()
    guard let point = points.randomElement(using: &random) else { return }
    let kinds: [CrashKind] = [.everythingKept, .unsyncedLost, .bytesLost, .namesLost, .lastTorn, .lastGarbled, .mixture]
    let kind = kinds.randomElement(using: &random)!
    let second = point.crash(kind, seed: random.next())
    let again = Exploration.Place(
      "\(scenario.rawValue)+recovery", seed: life.seed, operation: place.operation,
      variant: "\(place.variant)+\(point.operation.number)+\(kind)", variantSeed: place.variantSeed)
    let result = await life.check(
      second, promise, mayLose: scenario.mayLose, isDamaged: false, "then before \(point.operation) of the recovery, \(kind), \(text)")
    Self.census.add(again, result: result)
  }
}
