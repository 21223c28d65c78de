/// A client's guess at how long to wait before it asks again: the shortest after an answer with records, twice as long after each empty
/// one, up to the longest.
struct AdaptiveInterval: Sendable {
  let shortest: Duration
  let longest: Duration
  /// How long to wait now.
  private(set) var current: Duration

  init(shortest: Duration, longest: Duration) {
    precondition(shortest > .zero && shortest <= longest, "an interval has bounds")
    self.shortest = shortest
    self.longest = longest
    current = shortest
  }

  /// Takes what the last request brought.
  mutating func note(foundRecords: Bool) { current = foundRecords ? shortest : min(current * 2, longest) }
}
