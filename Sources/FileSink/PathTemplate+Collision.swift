internal import SystemPackage

extension PathTemplate {
  /// Whether some time and number of this template give the same path as some time and number of the other.
  ///
  /// Compares text: make both absolute first, and links in the fixed directories stay unknown (outputs are locked, so those show when the
  /// sink starts).
  /// Where the exact answer would need a calendar (a 31 February), it is yes.
  public func couldCollide(with other: PathTemplate) -> Bool {
    let mine = PathPattern(self)
    let theirs = PathPattern(other)
    // Both patterns read the same path, byte by byte: can they reach their ends together? At most 1 KiB by 1 KiB pairs of places.
    let width = theirs.steps.count
    var seen = Set<Int>()
    var pending = [(0, 0)]
    func visit(_ a: Int, _ b: Int) {
      if seen.insert(a * width + b).inserted { pending.append((a, b)) }
    }
    while let (a, b) = pending.popLast() {
      if a == mine.end && b == theirs.end { return true }
      for skip in mine.steps[a].skips { visit(skip, b) }
      for skip in theirs.steps[b].skips { visit(a, skip) }
      for (range, next) in mine.steps[a].reads {
        for (otherRange, otherNext) in theirs.steps[b].reads where range.overlaps(otherRange) { visit(next, otherNext) }
      }
    }
    return false
  }
}

/// All paths that a template can give, as places joined by the bytes that lead from one to the next.
private struct PathPattern {
  struct Step {
    var reads: [(ClosedRange<UInt8>, Int)] = []
    var skips: [Int] = []
  }

  private(set) var steps = [Step()]
  var end: Int { steps.count - 1 }

  init(_ template: PathTemplate) {
    if template.fixedDirectory != "." { append(template.fixedDirectory.string + (template.fixedDirectory.string == "/" ? "" : "/")) }
    for directory in template.directories {
      append(directory)
      append("/")
    }
    append(template.stem)
    // Perhaps a number: a full stop, four digits, and any more of them.
    let before = end
    append(".")
    for _ in 0..<4 { append(digit: 0...9) }
    steps[end].reads.append((0x30...0x39, end))
    steps.append(Step())
    steps[end - 1].skips.append(end)
    steps[before].skips.append(end)
    append(template.extensions)
  }

  private mutating func append(_ parts: [PathTemplate.Part]) {
    for part in parts {
      switch part {
      case .text(let text): append(text)
      case .year:  // what nanoseconds since 1970 in 64 bits reach
        append(digit: 1...2)
        for _ in 0..<3 { append(digit: 0...9) }
      case .month: append(twoDigits: 0...1)
      case .day: append(twoDigits: 0...3)
      case .hour: append(twoDigits: 0...2)
      case .minute, .second: append(twoDigits: 0...5)
      }
    }
  }

  private mutating func append(twoDigits first: ClosedRange<UInt8>) {
    append(digit: first)
    append(digit: 0...9)
  }

  private mutating func append(digit: ClosedRange<UInt8>) { append(0x30 + digit.lowerBound...0x30 + digit.upperBound) }

  private mutating func append(_ text: String) {
    for byte in text.utf8 { append(byte...byte) }
  }

  private mutating func append(_ range: ClosedRange<UInt8>) {
    steps[end].reads.append((range, steps.count))
    steps.append(Step())
  }
}
