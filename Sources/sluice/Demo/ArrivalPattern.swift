/// When records come: a number of them at random times within a span, as those of many independent producers do (a Poisson process of
/// which the count is known), and then none.
struct ArrivalPattern: Sendable {
  /// How many records.
  let count: Int
  /// Within which time they come.
  let span: Duration
  /// How long nothing comes behind it.
  let silence: Duration
  /// How many times faster than this it is played.
  let scale: Double
  /// When each record comes, from the beginning on, as it is played; in order.
  let arrivals: [Duration]

  init(count: Int, span: Duration, silence: Duration, scale: Double, seed: UInt64) {
    precondition(count >= 0 && scale > 0, "a pattern has records and a speed")
    self.count = count
    self.span = span
    self.silence = silence
    self.scale = scale
    var random = SeededGenerator(seed: seed)
    arrivals = (0..<count).map { _ in Double.random(in: 0..<1, using: &random) }.sorted().map { span * $0 / scale }
  }

  /// A time of the pattern as it is played.
  func played(_ time: Duration) -> Duration { time / scale }

  /// How long it is played in all.
  var length: Duration { played(span + silence) }
}
