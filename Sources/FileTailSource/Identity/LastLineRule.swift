/// When what stands after the last whole record of a file is delivered, though no line feed (or no next record's start) has come.
struct LastLineRule: Hashable, Sendable {
  /// How long a replaced file's unended line may take to be completed.
  static let afterReplacement: Duration = .seconds(5)

  /// How much of what waits is delivered.
  enum Release: Hashable, Sendable {
    /// Nothing yet.
    case nothing
    /// The whole lines of a multi-line record.
    case lines
    /// All of it, the unended last line too.
    case everything
  }

  /// What is known of a file that was read to its end.
  struct State: Hashable, Sendable {
    /// When its last bytes came.
    var lastGrowth: Duration
    /// When another file took its path.
    var replacedAt: Duration?
    /// No name is left for it.
    var isDeleted = false
    /// Nothing more will be read of it: the end with `--once`, or the end of a compressed file.
    var isEnded = false
  }

  /// Deliver an unended line after this time without growth; nil for never.
  var idleFlush: Duration?
  /// Take a multi-line record as complete after this time without growth; nil without multi-line records.
  var multilineTimeout: Duration?

  /// What to deliver at `now`.
  func release(_ state: State, now: Duration) -> Release {
    if state.isDeleted || state.isEnded { return .everything }
    if let end = everythingAt(state), now >= end { return .everything }
    if let multilineTimeout, now >= state.lastGrowth + multilineTimeout { return .lines }
    return .nothing
  }

  /// When to look again; nil for not before the file changes.
  func deadline(_ state: State, now: Duration) -> Duration? {
    let times = [everythingAt(state), multilineTimeout.map { state.lastGrowth + $0 }].compactMap { $0 }.filter { $0 > now }
    return times.min()
  }

  private func everythingAt(_ state: State) -> Duration? {
    var times: [Duration] = []
    if let idleFlush { times.append(state.lastGrowth + idleFlush) }
    // Bytes that come later than that get the same time again, else each write to the old file would be cut where it happens to be read.
    if let replaced = state.replacedAt {
      times.append(max(replaced, state.lastGrowth > replaced + Self.afterReplacement ? state.lastGrowth : replaced) + Self.afterReplacement)
    }
    return times.min()
  }
}
