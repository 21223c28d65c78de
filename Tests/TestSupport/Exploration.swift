internal import Glibc
internal import Synchronization

/// How far the crash and error points of a scripted life are gone through: a seeded sample in every test run, all of them when
/// `SLUICE_EXPLORE=full` is set, one of them when `SLUICE_REPLAY` names it.
public enum Exploration {
  /// One thing that was tried: `SCENARIO:SEED:OPERATION:VARIANT:VARIANT-SEED`.
  public struct Place: Sendable, Hashable, CustomStringConvertible {
    /// The script.
    public var scenario: String
    /// What chose the script's sizes.
    public var seed: UInt64
    /// Before which operation of the disk it died, or which one failed.
    public var operation: Int
    /// The class of what was done there.
    public var variant: String
    /// Which of the class's variants.
    public var variantSeed: UInt64

    /// A place of these facts.
    public init(_ scenario: String, seed: UInt64, operation: Int, variant: String, variantSeed: UInt64) {
      (self.scenario, self.seed, self.operation) = (scenario, seed, operation)
      (self.variant, self.variantSeed) = (variant, variantSeed)
    }

    fileprivate init?(_ text: String) {
      let parts = text.split(separator: ":").map(String.init)
      guard parts.count == 5, let seed = UInt64(parts[1]), let operation = Int(parts[2]), let variantSeed = UInt64(parts[4]) else {
        return nil
      }
      self.init(parts[0], seed: seed, operation: operation, variant: parts[3], variantSeed: variantSeed)
    }

    /// As `SLUICE_REPLAY` takes it.
    public var description: String { "\(scenario):\(seed):\(operation):\(variant):\(variantSeed)" }

    /// What to type to see it again.
    public func replay(_ suite: String) -> String { "replay: SLUICE_REPLAY=\(self) swift test --filter \(suite)" }

    /// Whether it is to be tried when `asked` was asked for. Threads may have shifted an operation's number by a few.
    fileprivate func isNear(_ asked: Place) -> Bool {
      scenario == asked.scenario && seed == asked.seed && variant == asked.variant && variantSeed == asked.variantSeed
        && abs(operation - asked.operation) <= 4
    }
  }

  /// Whether everything is gone through.
  public static let isFull = variable("SLUICE_EXPLORE") == "full"

  /// Whether one place is tried again: then it may be worth a word.
  public static var isReplay: Bool { asked != nil }

  private static let asked: Place? = variable("SLUICE_REPLAY").map { text in
    guard let place = Place(text) else { preconditionFailure("SLUICE_REPLAY=\(text) is no SCENARIO:SEED:OPERATION:VARIANT:VARIANT-SEED") }
    return place
  }

  /// The seeds of scripts: `sample` of them, or `full`, or the one to be replayed.
  public static func seeds(_ scenario: String, sample: Int, full: Int) -> [UInt64] {
    if let asked { return asked.scenario == scenario ? [asked.seed] : [] }
    return (1...UInt64(isFull ? full : sample)).map { $0 }
  }

  /// Whether a place is tried in this run. A sample takes each `oneIn`th, which ones the place itself decides.
  public static func takes(_ place: Place, oneIn: Int) -> Bool {
    if let asked { return place.isNear(asked) }
    return isFull || digest("\(place)") % UInt64(oneIn) == 0
  }

  /// A number for a text, the same in every run (FNV-1a, and a mixing step at the end so that all bits count).
  public static func digest(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var mixed = SplitMix64(seed: hash)
    return mixed.next()
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Counts what was tried and how much of it was different. Two states are the same when they have the operation (of the same script),
/// the variant's class and the resulting log in common.
public final class Census: Sendable {
  private struct Counts {
    var tried = 0
    var distinct: Set<UInt64> = []
  }

  private let title: String
  private let counts = Mutex<[String: Counts]>([:])

  /// A census whose lines begin with `title`.
  public init(_ title: String) { self.title = title }

  /// `result` tells the resulting log.
  public func add(_ place: Exploration.Place, result: String) {
    let key = Exploration.digest("\(place.scenario):\(place.seed):\(place.operation):\(place.variant):\(result)")
    counts.withLock {
      $0[place.scenario, default: Counts()].tried += 1
      $0[place.scenario]!.distinct.insert(key)
    }
  }

  /// Prints a line for each scenario that has been counted since this process began, and their sum.
  public func report() {
    counts.withLock { counts in
      for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
        print("\(title): \(name): \(count.tried) tried, \(count.distinct.count) distinct")
      }
      let (tried, distinct) = (counts.values.reduce(0) { $0 + $1.tried }, counts.values.reduce(0) { $0 + $1.distinct.count })
      print("\(title): in all \(tried) tried, \(distinct) distinct")
      fflush(nil)
    }
  }
}
