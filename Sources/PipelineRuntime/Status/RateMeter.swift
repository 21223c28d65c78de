/// How fast a counter moves, over the last few seconds.
struct RateMeter: Sendable {
  /// The span that a rate is told of.
  static let span = Duration.seconds(5)
  /// Samples kept; one taken sooner than a tenth of the span after its predecessor takes its place, so they always reach back far enough.
  private static let capacity = 16

  private var samples: [(at: Instant, value: Double)] = []

  /// Takes the counter's value at a moment.
  mutating func sample(_ value: Double, at now: Instant) {
    if samples.count >= 2, now < samples[samples.count - 2].at + Self.span / 10 { samples.removeLast() }
    samples.append((now, value))
    // One sample older than the span stays: it is what the oldest difference is taken from.
    while samples.count > 2, samples[1].at <= now - Self.span || samples.count > Self.capacity { samples.removeFirst() }
  }

  /// Whether it was sampled for long enough to tell a rate.
  var isMeasured: Bool {
    guard let first = samples.first, let last = samples.last else { return false }
    return last.at >= first.at + Self.span / 10
  }

  /// Change a second between the oldest sample kept and the newest; 0 before there are two.
  var perSecond: Double {
    guard let first = samples.first, let last = samples.last, last.at > first.at else { return 0 }
    return (last.value - first.value) / (last.at - first.at).inSeconds
  }
}
