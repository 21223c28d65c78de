internal import RecordBlocks

/// Who waits for records, in order of arrival. Guarded by the queue's monitor.
///
/// Ten thousand at once must cost neither a task nor a timer each: a wait is an entry here, its deadline a number in it that the process's
/// ``DeadlineThread`` looks at. Entries that are over stay as empty places until they are the greater part.
struct RecordWaiters {
  private struct Entry {
    let number: UInt64
    let offset: Offset
    let deadline: ContinuousClock.Instant?
    var continuation: CheckedContinuation<Void, Never>?
  }

  /// By number, which is the order of arrival.
  private var entries: [Entry] = []
  private(set) var count = 0
  /// Nobody waits for less: while the end hasn't passed it, a publication needn't look at anyone.
  private var lowestOffset = Offset(.max)
  /// No wait ends earlier for its deadline.
  private(set) var earliestDeadline: ContinuousClock.Instant?

  var isEmpty: Bool { count == 0 }

  /// Adds a wait under a number of its own. Numbers are given in order, but may come here a little out of it.
  mutating func add(
    _ number: UInt64, beyond offset: Offset, until deadline: ContinuousClock.Instant?, _ continuation: CheckedContinuation<Void, Never>
  ) {
    let entry = Entry(number: number, offset: offset, deadline: deadline, continuation: continuation)
    if let last = entries.last, last.number > number { entries.insert(entry, at: place(of: number)) } else { entries.append(entry) }
    count += 1
    lowestOffset = min(lowestOffset, offset)
    if let deadline { earliestDeadline = min(earliestDeadline ?? deadline, deadline) }
  }

  /// Ends one wait, if it isn't over.
  mutating func take(_ number: UInt64) -> CheckedContinuation<Void, Never>? {
    let index = place(of: number)
    guard index < entries.count, entries[index].number == number, let continuation = entries[index].continuation.take() else { return nil }
    count -= 1
    if count < entries.count / 2 { entries.removeAll { $0.continuation == nil } }
    return continuation
  }

  /// Ends every wait whose offset `end` has passed, in order of arrival.
  mutating func take(below end: Offset) -> [CheckedContinuation<Void, Never>] {
    guard lowestOffset < end else { return [] }
    return take { $0.offset < end }
  }

  /// Ends every wait whose deadline has come.
  mutating func take(due now: ContinuousClock.Instant) -> [CheckedContinuation<Void, Never>] {
    guard let earliestDeadline, earliestDeadline <= now else { return [] }
    return take { $0.deadline.map { $0 <= now } ?? false }
  }

  /// Ends all of them.
  mutating func takeAll() -> [CheckedContinuation<Void, Never>] { take { _ in true } }

  private mutating func take(_ isOver: (Entry) -> Bool) -> [CheckedContinuation<Void, Never>] {
    var taken: [CheckedContinuation<Void, Never>] = []
    var left: [Entry] = []
    lowestOffset = Offset(.max)
    earliestDeadline = nil
    for entry in entries {
      guard let continuation = entry.continuation else { continue }
      if isOver(entry) {
        taken.append(continuation)
        continue
      }
      left.append(entry)
      lowestOffset = min(lowestOffset, entry.offset)
      if let deadline = entry.deadline { earliestDeadline = min(earliestDeadline ?? deadline, deadline) }
    }
    entries = left
    count = left.count
    return taken
  }

  /// The first place whose number isn't lower.
  private func place(of number: UInt64) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
