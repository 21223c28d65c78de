import DurableFiles
import Glibc
import RecordBlocks
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Every single operation of every scenario fails: alone, and with those after it. The queue doesn't crash, serves nothing wrong, says
/// what happened, never syncs a file again whose sync has failed, and goes on by itself when the trouble is over; and a crash after the
/// trouble finds what a crash without it would.
@Suite(.timeLimit(.minutes(60))) struct ErrorPointTests {
  private static let census = Census("error points")

  private enum Trouble: String, CaseIterable {
    case once, lasting
    /// How many operations fail one after the other.
    var length: Int { self == .once ? 1 : 25 }
  }

  private static let codes: [(name: String, code: Errno)] = [
    ("EIO", .ioError), ("ENOSPC", .noSpace), ("EMFILE", .tooManyOpenFiles), ("EINTR", .interrupted),
  ]

  /// Halves of seconds after which a life that hasn't ended is held to be stuck.
  private static let patience = 20_000

  @Test(arguments: QueueScenario.allCases) func `no error point loses or doubles anything, or stops the queue for good`(
    _ scenario: QueueScenario
  ) async throws {
    let name = "errors-\(scenario.rawValue)"
    for seed in Exploration.seeds(name, sample: 1, full: 2) {
      let untroubled = QueueLife(scenario.fixture(seed: seed), seed: seed)
      try await scenario.run(untroubled)
      for number in 1...untroubled.fixture.disk.operationCount {
        for (codeName, code) in Self.codes {
          for trouble in Trouble.allCases {
            let place = Exploration.Place(
              name, seed: seed, operation: number, variant: "\(codeName)-\(trouble.rawValue)", variantSeed: 1)
            guard Exploration.takes(place, oneIn: 36) else { continue }
            await explore(scenario, place, code, number..<number + trouble.length)
          }
        }
      }
    }
    Self.census.report()
  }

  private func explore(_ scenario: QueueScenario, _ place: Exploration.Place, _ code: Errno, _ numbers: Range<Int>) async {
    let life = QueueLife(scenario.fixture(seed: place.seed), seed: place.seed, survivesErrors: true)
    let disk = life.fixture.disk
    // For want of space, what everybody has read may go early.
    let mayLose = scenario.mayLose || code == .noSpace
    disk.failOperations(numbers: numbers, with: code)
    disk.recordCrashPoints { $0.isChange && $0.number > numbers.lowerBound }
    let isOver = Flag()
    Task {
      do {
        try await scenario.run(life)
        isOver.set(.success(()))
      } catch {
        isOver.set(.failure(error))
      }
    }
    // On a thread of its own: what it waits for must not depend on Swift's few threads and timers.
    await withCheckedContinuation { continuation in
      startThread("ticks") {
        var ticks = 0
        while isOver.value == nil, ticks < Self.patience {
          life.tick()
          ticks += 1
          usleep(1000)
        }
        continuation.resume()
      }
    }
    let failed = disk.log.first { $0.number == numbers.lowerBound }
    let text = "\(failed.map { "\($0)" } ?? "nothing") failed with \(place.variant); \(place.replay("SegmentQueueTests.ErrorPointTests"))"
    switch isOver.value {
    case nil:
      Issue.record("\(text): it doesn't go on although the trouble is over: \(life.fixture.notices.messages)")
      return
    case .failure(let error): Issue.record("\(text): \(error)")
    case .success: break
    }
    let syncs = disk.retriedSyncs
    #expect(syncs.isEmpty, "\(text): synced again after a failed sync: \(syncs)")
    if let failed, failed.isChange, !failed.path.hasSuffix("/lock"), !failed.path.contains("quarantine") {
      #expect(!(life.errors + life.fixture.notices.messages).isEmpty, "\(text): nobody was told")
    }
    for error in life.errors { #expect(error.contains("cannot ") || error.contains("data/queue"), "\(text): an unclear error: \(error)") }
    let promise = life.promise(before: .max)
    let points = disk.crashPoints
    let results = [
      await life.check(disk.crash(.unsyncedLost), promise, mayLose: mayLose, isDamaged: false, "after a power cut, \(text)"),
      await life.check(disk.crash(.everythingKept), promise, mayLose: mayLose, isDamaged: false, text),
    ]
    Self.census.add(place, result: results.joined())
    // A crash while the trouble lasts or soon after it.
    var random = SplitMix64(seed: Exploration.digest("\(place)"))
    for _ in 0..<3 {
      let near = points.prefix(40)
      guard let point = near.randomElement(using: &random) else { return }
      let kind = [CrashKind.unsyncedLost, .bytesLost, .namesLost, .mixture, .mixture].randomElement(using: &random)!
      let crashed = point.crash(kind, seed: random.next())
      let result = await life.check(
        crashed, life.promise(before: point.operation.number), mayLose: mayLose, isDamaged: false,
        "then a crash (\(kind)) before \(point.operation), \(text)")
      let again = Exploration.Place(
        place.scenario + "+crash", seed: place.seed, operation: place.operation,
        variant: "\(place.variant)+\(point.operation.number)+\(kind)", variantSeed: 1)
      Self.census.add(again, result: result)
    }
  }
}

/// How a life ended, once it has.
private final class Flag: Sendable {
  private let result = Mutex<Result<Void, any Error>?>(nil)
  var value: Result<Void, any Error>? { result.withLock { $0 } }
  func set(_ value: Result<Void, any Error>) { result.withLock { $0 = value } }
}
