internal import RecordBlocks

/// Decides whether the oldest segment may go. Pure: facts in, verdict out.
///
/// Without need of space: only what every consumer has read, once it is older than `keep` (with no consumer at all, never), and whatever
/// is older than `maxAge`.
/// When space is needed: what nobody holds; then what only consumers beyond their hold, or silent for too long, still want; then, with
/// `drop_oldest`, anything.
struct Retention {
  /// A consumer as retention sees it.
  struct Reader: Hashable {
    var name: String
    /// The first offset that it may still want.
    var needed: Offset
    var hold: Hold
    /// Stored bytes from there to the end.
    var pinnedBytes: UInt64
    /// How long it has been silent; 0 for sinks of a running pipeline. Nanoseconds.
    var silence: UInt64
  }

  /// The oldest segment.
  struct Candidate: Hashable {
    var end: Offset
    /// How long ago its last record was written. Nanoseconds of open time.
    var age: UInt64
  }

  enum Verdict: Hashable {
    /// It stays; `because` names the consumer that holds it, if one does.
    case keep(because: String?)
    /// Everyone has read it.
    case deleteConsumed
    /// These consumers lose it.
    case deleteUnread(losers: [String], Gap.Reason)
  }

  var options: QueueOptions

  func verdict(on segment: Candidate, readers: [Reader], spaceIsNeeded: Bool, dropsOldest: Bool) -> Verdict {
    let unread = readers.filter { $0.needed < segment.end }
    if let maxAge = options.maxAge, segment.age > maxAge.nanosecondsClamped {
      return unread.isEmpty ? .deleteConsumed : .deleteUnread(losers: unread.map(\.name), .retention)
    }
    if unread.isEmpty {
      if spaceIsNeeded { return .deleteConsumed }
      return !readers.isEmpty && segment.age > options.keep.nanosecondsClamped ? .deleteConsumed : .keep(because: nil)
    }
    guard spaceIsNeeded else { return .keep(because: unread[0].name) }
    let holders = unread.filter { holds($0, segment) }
    if holders.isEmpty { return .deleteUnread(losers: unread.map(\.name), .retention) }
    if dropsOldest { return .deleteUnread(losers: unread.map(\.name), .dropOldest) }
    return .keep(because: holders.min { $0.needed < $1.needed }!.name)
  }

  private func holds(_ reader: Reader, _ segment: Candidate) -> Bool {
    if reader.silence > options.consumerExpiry.nanosecondsClamped { return false }
    switch reader.hold {
    case .all: return true
    case .bytes(let limit): return reader.pinnedBytes <= limit
    case .share(let percent): return reader.pinnedBytes <= options.maxSize / 100 * UInt64(max(0, percent))
    case .age(let limit): return segment.age <= limit.nanosecondsClamped
    }
  }
}
