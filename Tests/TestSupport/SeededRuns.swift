internal import Glibc

/// Which seeds a random test runs: one when `SLUICE_SEED` names it, else `SLUICE_SEQUENCES` of them, else as many as fit into a usual run.
public enum SeededRuns {
  /// The seeds of a test, in `parts` of about the same size so that they run beside each other.
  public static func seeds(usually count: Int, parts: Int = 8) -> [[UInt64]] {
    if let seed = number("SLUICE_SEED") { return [[seed]] }
    let count = number("SLUICE_SEQUENCES").map { Int($0) } ?? count
    return (0..<min(parts, count)).map { part in stride(from: part, to: count, by: parts).map { UInt64($0) + 1 } }
  }

  /// The command that runs one seed of `test` again.
  public static func replay(_ seed: UInt64, _ test: String) -> String {
    "SLUICE_SEED=\(seed) SLUICE_LIBRARIES_ONLY=1 swift test --scratch-path .build-lib --filter \(test)"
  }

  private static func number(_ name: String) -> UInt64? {
    guard let value = getenv(name) else { return nil }
    guard let number = UInt64(String(cString: value)) else { preconditionFailure("\(name) is a number") }
    return number
  }
}
