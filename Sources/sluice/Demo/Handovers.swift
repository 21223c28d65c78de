internal import Synchronization

/// When records left their producer's hands: what their latency is told from.
final class Handovers: Sendable {
  /// The offset behind the records that were handed over, and when that was; bounded by what a demonstration produces.
  private let entries = Mutex<[(end: UInt64, at: ContinuousClock.Instant)]>([])

  /// How far a consumer has come among them.
  struct Place: Sendable {
    fileprivate var index = 0
  }

  /// The records up to `end` are handed over now.
  func note(end: UInt64) { entries.withLock { $0.append((end, .now)) } }

  /// How long the records of `range` took until `moment`. A consumer receives in order, and goes on at its place.
  func add(_ range: Range<UInt64>, receivedAt moment: ContinuousClock.Instant, from place: inout Place, to latencies: inout Latencies) {
    var index = place.index
    let taken = entries.withLock { entries in
      var taken: [(seconds: Double, records: Int)] = []
      var next = range.lowerBound
      while next < range.upperBound, index < entries.count {
        let entry = entries[index]
        if entry.end > next {
          let end = min(entry.end, range.upperBound)
          taken.append(((moment - entry.at).seconds, Int(end - next)))
          next = end
        }
        // The rest of a batch that was cut comes later.
        if entry.end <= next { index += 1 }
      }
      return taken
    }
    place.index = index
    for one in taken { latencies.add(seconds: one.seconds, records: one.records) }
  }
}
