/// All paths that an output's template can give, or that a source's glob can match: for telling whether two have a path in common.
///
/// An automaton over bytes: each place leads to others by one byte of a range, or for nothing. Where the exact answer would need a
/// calendar (a 31
/// February) or the disk (a link), the pattern has more paths than there will be.
struct PathPattern {
  private struct Step {
    var reads: [(range: ClosedRange<UInt8>, next: Int)] = []
    var skips: [Int] = []
  }

  /// The text that all paths begin with.
  private(set) var fixedPart = ""
  private var steps = [Step()]
  private var end: Int { steps.count - 1 }

  /// The paths of a checked template, with the number that may stand before the extensions; `directory` is where a relative one begins.
  init(template: String, directory: String) {
    let path = normalized(template, in: directory)
    let nameStart = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    let stemEnd = Self.stemEnd(of: path[nameStart...])
    fixedPart = String(path[..<stemEnd].prefix { $0 != "%" })
    append(template: path[..<stemEnd])
    // Perhaps a number: a full stop and at least four digits.
    let before = end
    append(0x2E...0x2E)
    for _ in 0..<4 { append(0x30...0x39) }
    steps[end].reads.append((0x30...0x39, end))
    steps.append(Step())
    steps[end - 1].skips.append(end)
    steps[before].skips.append(end)
    append(template: path[stemEnd...])
  }

  /// The paths that a glob matches.
  init(glob: String, directory: String) {
    let path = Array(normalized(glob, in: directory).utf8)
    var index = 0
    while index < path.count {
      switch path[index] {
      case UInt8(ascii: "*"):
        let isDeep = index + 1 < path.count && path[index + 1] == UInt8(ascii: "*")
        // `**/` also stands for no directory at all.
        let from = end
        appendAny(slash: isDeep)
        index += isDeep ? 2 : 1
        if isDeep, index < path.count, path[index] == UInt8(ascii: "/") {
          append(0x2F...0x2F)
          steps[from].skips.append(end)
          index += 1
        }
      case UInt8(ascii: "?"):
        append(anyBut: 0x2F)
        index += 1
      case UInt8(ascii: "["):
        let close = path[index...].dropFirst(2).firstIndex(of: UInt8(ascii: "]"))
        if close == nil { append(0x5B...0x5B) } else { append(anyBut: 0x2F) }
        index = (close ?? index) + 1
      default:
        append(path[index]...path[index])
        index += 1
      }
    }
  }

  /// Whether both can give the same path. Looks at each pair of places at most once: a million for the longest.
  func meets(_ other: PathPattern) -> Bool {
    let width = other.steps.count
    var seen = [Bool](repeating: false, count: steps.count * width)
    var pending = [(0, 0)]
    seen[0] = true
    func visit(_ a: Int, _ b: Int) {
      guard !seen[a * width + b] else { return }
      seen[a * width + b] = true
      pending.append((a, b))
    }
    while let (a, b) = pending.popLast() {
      if a == end, b == other.end { return true }
      for skip in steps[a].skips { visit(skip, b) }
      for skip in other.steps[b].skips { visit(a, skip) }
      for read in steps[a].reads {
        for otherRead in other.steps[b].reads where read.range.overlaps(otherRead.range) { visit(read.next, otherRead.next) }
      }
    }
    return false
  }

  // MARK: - Building

  private mutating func append(template text: Substring) {
    var characters = text.makeIterator()
    while let character = characters.next() {
      if character == "%", let letter = characters.next(), let count = OutputPath.digits[letter] {
        for _ in 0..<count { append(0x30...0x39) }
      } else {
        for byte in character.utf8 { append(byte...byte) }
      }
    }
  }

  private mutating func append(_ range: ClosedRange<UInt8>) {
    steps[end].reads.append((range, steps.count))
    steps.append(Step())
  }

  private mutating func append(anyBut byte: UInt8) {
    let next = steps.count
    steps[end].reads += [(0...byte - 1, next), (byte + 1...255, next)]
    steps.append(Step())
  }

  private mutating func appendAny(slash: Bool) {
    // Loops on a place of its own, so that what led here stays as it was.
    steps[end].skips.append(steps.count)
    steps.append(Step())
    let loop = end
    steps[loop].reads = slash ? [(0...255, loop)] : [(0...0x2E, loop), (0x30...255, loop)]
    steps[loop].skips.append(steps.count)
    steps.append(Step())
  }

  /// Where a name's extensions begin: `.gz`, and before it one with a letter in it that holds no conversion.
  private static func stemEnd(of name: Substring) -> String.Index {
    var end = name.endIndex
    if name.hasSuffix(".gz"), name.count > 3 { end = name.index(end, offsetBy: -3) }
    if let dot = name[..<end].lastIndex(of: "."), dot != name.startIndex {
      let last = name[dot..<end]
      if last.contains(where: \.isLetter), !last.contains("%") { end = dot }
    }
    return end
  }
}

/// `path` as an absolute path without empty parts, `.` and `..` (as text: links aren't looked at).
func normalized(_ path: String, in directory: String) -> String {
  var parts: [Substring] = []
  for part in (path.hasPrefix("/") ? path : directory + "/" + path).split(separator: "/") where part != "." {
    if part == ".." { _ = parts.popLast() } else { parts.append(part) }
  }
  return "/" + parts.joined(separator: "/")
}
