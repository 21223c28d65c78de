/// Keeps repeated warnings from flooding the log: of one subject the first few in a period are let through, the rest is counted, and the
/// last of them
/// is told with the count when the period ends.
struct RepeatLimiter<Line> {
  /// How many of one subject pass in a period.
  static var burst: Int { 5 }
  /// The period, in nanoseconds.
  static var period: UInt64 { 10_000_000_000 }
  /// Subjects remembered; past that the oldest are told and forgotten.
  static var capacity: Int { 256 }

  private struct Subject {
    var began: UInt64
    var passed = 1
    var held: Line?
    var heldCount = 0
  }

  private var subjects: [String: Subject] = [:]

  /// Whether `line` may be written now (monotonic nanoseconds).
  mutating func admits(_ subject: String, _ line: Line, now: UInt64) -> Bool {
    guard var known = subjects[subject] else {
      if subjects.count < Self.capacity { subjects[subject] = Subject(began: now) }
      return true
    }
    defer { subjects[subject] = known }
    if known.passed < Self.burst {
      known.passed += 1
      return true
    }
    known.held = line
    known.heldCount += 1
    return false
  }

  /// What was held back in periods that are over, each with how many lines it stands for.
  mutating func due(now: UInt64, all: Bool = false) -> [(line: Line, count: Int)] {
    var due: [(line: Line, count: Int)] = []
    for (name, subject) in subjects where all || now &- subject.began >= Self.period {
      if let line = subject.held { due.append((line: line, count: subject.heldCount)) }
      // Held lines show that it goes on: the next period has no burst, only its one summary.
      subjects[name] = subject.held == nil || all ? nil : Subject(began: now, passed: Self.burst)
    }
    return due
  }
}
