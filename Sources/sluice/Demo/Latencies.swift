/// How long records took, each from its producer's hands into its consumer's.
struct Latencies: Sendable {
  /// Seconds, and of how many records.
  private var samples: [(seconds: Double, records: Int)] = []

  /// How many records.
  private(set) var count = 0

  /// Takes `records` records that took as long.
  mutating func add(seconds: Double, records: Int = 1) {
    guard records > 0 else { return }
    samples.append((seconds, records))
    count += records
  }

  /// The seconds within which these shares of the records came: the smallest value that is not below that share of them. 0 where there are
  /// none.
  func quantiles(_ shares: [Double]) -> [Double] {
    guard count > 0 else { return shares.map { _ in 0 } }
    let sorted = samples.sorted { $0.seconds < $1.seconds }
    return shares.map { share in
      let rank = max(1, Int((share * Double(count)).rounded(.up)))
      var seen = 0
      for sample in sorted {
        seen += sample.records
        if seen >= rank { return sample.seconds }
      }
      return sorted[sorted.count - 1].seconds
    }
  }

  /// Milliseconds: half of the records, 99 in 100, the slowest.
  var json: JSONValue {
    let values = quantiles([0.5, 0.99, 1])
    return .object([("p50", .decimal(values[0] * 1e3)), ("p99", .decimal(values[1] * 1e3)), ("longest", .decimal(values[2] * 1e3))])
  }

  /// The quantiles from 0 to 100 in a hundred, in milliseconds.
  var curve: JSONValue { .array(quantiles((0...100).map { Double($0) / 100 }).map { .decimal($0 * 1e3) }) }
}

extension HumanText {
  /// `0.84 ms`, `12.3 ms`, `1,204 ms`: for latencies, which are compared with one another.
  static func milliseconds(_ seconds: Double) -> String {
    let milliseconds = seconds * 1e3
    if milliseconds < 9.995 { return "\(decimal(milliseconds, 2)) ms" }
    if milliseconds < 99.95 { return "\(decimal(milliseconds, 1)) ms" }
    return "\(count(Int(milliseconds.rounded()))) ms"
  }
}
