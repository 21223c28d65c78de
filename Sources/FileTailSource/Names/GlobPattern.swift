internal import SystemPackage

/// A path pattern: `*`, `?`, `[a-z]`, `[!a-z]`, `\` before a character that is meant as it is, and `**` for any number of directories.
///
/// As in a shell, a wildcard at the start of a name doesn't match a leading dot. Names are bytes; `?` and a class take one UTF-8 character.
struct GlobPattern: Hashable, Sendable {
  /// One name of the pattern.
  enum Component: Hashable, Sendable {
    /// Exactly this name.
    case literal([UInt8])
    /// A name that matches.
    case wildcard([UInt8])
    /// `**`: no directory, one or more.
    case anyDirectories
  }

  /// What the user wrote, for messages.
  let text: String
  /// The names from the root (or the working directory) on.
  let components: [Component]
  /// Begins at the root.
  let isAbsolute: Bool
  /// Has no slash: as an exclusion it is matched with the file's name in any directory.
  let isNameOnly: Bool

  /// Parses a pattern; throws a sentence about what is wrong with it.
  init(_ text: String) throws(FileTailError) {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { throw FileTailError("a path pattern is empty; write one such as /var/log/app/*.log") }
    guard !bytes.contains(0) else { throw FileTailError("the path pattern '\(text)' has a NUL byte, which no file name has; remove it") }
    guard bytes.last != UInt8(ascii: "/") else {
      throw FileTailError("the path pattern '\(text)' ends with a slash and so names no file; append a file name pattern such as *.log")
    }
    self.text = text
    isAbsolute = bytes.first == UInt8(ascii: "/")
    isNameOnly = !bytes.contains(UInt8(ascii: "/"))
    var components: [Component] = []
    for part in bytes.split(separator: UInt8(ascii: "/")) where part != [UInt8(ascii: ".")] {
      let name = Array(part)
      if name == Array("**".utf8) {
        if components.last != .anyDirectories { components.append(.anyDirectories) }
      } else if Self.isWildcard(name) {
        guard Self.classesAreClosed(name) else {
          throw FileTailError("the path pattern '\(text)' has a '[' without its ']'; close it, or write \\[ for the character itself")
        }
        components.append(.wildcard(name))
      } else {
        components.append(.literal(Self.unescaped(name)))
      }
    }
    // `logs/**` means the files below it.
    if components.last == .anyDirectories { components.append(.wildcard([UInt8(ascii: "*")])) }
    self.components = components
  }

  /// Whether a file's name matches a pattern without a slash.
  func matches(name: [UInt8]) -> Bool { components.count == 1 && Self.matches(components[0], name, hidden: true) }

  /// Whether a path (absolute exactly when the pattern is) matches. Hidden names are matched like others: this is for exclusions.
  func matches(path: [UInt8]) -> Bool {
    let names = path.split(separator: UInt8(ascii: "/")).map(Array.init)
    return Self.matches(components[...], names[...])
  }

  private static func matches(_ components: ArraySlice<Component>, _ names: ArraySlice<[UInt8]>) -> Bool {
    guard let first = components.first else { return names.isEmpty }
    if first == .anyDirectories {
      var rest = names
      while true {
        if matches(components.dropFirst(), rest) { return true }
        if rest.popFirst() == nil { return false }
      }
    }
    guard let name = names.first, matches(first, name, hidden: true) else { return false }
    return matches(components.dropFirst(), names.dropFirst())
  }

  /// Whether a single name matches a single component.
  static func matches(_ component: Component, _ name: [UInt8], hidden: Bool = false) -> Bool {
    switch component {
    case .literal(let literal): return literal == name
    case .anyDirectories: return true
    case .wildcard(let pattern):
      if !hidden, name.first == UInt8(ascii: "."), pattern.first != UInt8(ascii: "."), !pattern.starts(with: Array("\\.".utf8)) {
        return false
      }
      return matches(wildcard: pattern, name)
    }
  }

  // Goes back to the last star only: linear in the name for each star, never exponential.
  private static func matches(wildcard pattern: [UInt8], _ name: [UInt8]) -> Bool {
    var p = 0
    var n = 0
    var star: (pattern: Int, name: Int)?
    while n < name.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p + 1, n)
        p += 1
      } else if p < pattern.count, let (width, next) = takeOne(pattern, p, name, n) {
        n += width
        p = next
      } else if let last = star {
        star = (last.pattern, last.name + 1)
        p = last.pattern
        n = last.name + 1
      } else {
        return false
      }
    }
    while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
    return p == pattern.count
  }

  /// Matches one character: how many bytes of the name it took and where the pattern goes on.
  private static func takeOne(_ pattern: [UInt8], _ p: Int, _ name: [UInt8], _ n: Int) -> (width: Int, next: Int)? {
    switch pattern[p] {
    case UInt8(ascii: "?"): return (character(name, n).width, p + 1)
    case UInt8(ascii: "["):
      let found = character(name, n)
      var at = p + 1
      var negated = false
      if at < pattern.count, pattern[at] == UInt8(ascii: "!") || pattern[at] == UInt8(ascii: "^") {
        negated = true
        at += 1
      }
      var matched = false
      var isFirst = true
      while at < pattern.count, isFirst || pattern[at] != UInt8(ascii: "]") {
        isFirst = false
        if pattern[at] == UInt8(ascii: "\\"), at + 1 < pattern.count { at += 1 }
        let low = character(pattern, at)
        at += low.width
        var high = low.value
        if at + 1 < pattern.count, pattern[at] == UInt8(ascii: "-"), pattern[at + 1] != UInt8(ascii: "]") {
          at += 1
          if pattern[at] == UInt8(ascii: "\\"), at + 1 < pattern.count { at += 1 }
          let end = character(pattern, at)
          high = end.value
          at += end.width
        }
        if low.value <= found.value, found.value <= high { matched = true }
      }
      return matched != negated ? (found.width, at + 1) : nil
    case UInt8(ascii: "\\") where p + 1 < pattern.count:
      return pattern[p + 1] == name[n] ? (1, p + 2) : nil
    default: return pattern[p] == name[n] ? (1, p + 1) : nil
    }
  }

  /// The UTF-8 character at `at`, or the single byte there when it isn't one.
  private static func character(_ bytes: [UInt8], _ at: Int) -> (value: UInt32, width: Int) {
    let first = bytes[at]
    let width = first < 0x80 ? 1 : first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
    guard width > 1, at + width <= bytes.count, first < 0xF5 else { return (UInt32(first), 1) }
    var value = UInt32(first) & (0x7F >> UInt32(width))
    for next in bytes[(at + 1)..<(at + width)] {
      guard next & 0xC0 == 0x80 else { return (UInt32(first), 1) }
      value = value << 6 | UInt32(next & 0x3F)
    }
    return (value, width)
  }

  private static func isWildcard(_ name: [UInt8]) -> Bool {
    var escaped = false
    for byte in name {
      if escaped {
        escaped = false
      } else if byte == UInt8(ascii: "\\") {
        escaped = true
      } else if byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "[") {
        return true
      }
    }
    return false
  }

  private static func classesAreClosed(_ name: [UInt8]) -> Bool {
    var at = 0
    while at < name.count {
      if name[at] == UInt8(ascii: "\\") {
        at += 2
      } else if name[at] == UInt8(ascii: "[") {
        at += 1
        if at < name.count, name[at] == UInt8(ascii: "!") || name[at] == UInt8(ascii: "^") { at += 1 }
        if at < name.count, name[at] == UInt8(ascii: "]") { at += 1 }
        while at < name.count, name[at] != UInt8(ascii: "]") { at += name[at] == UInt8(ascii: "\\") ? 2 : 1 }
        guard at < name.count else { return false }
        at += 1
      } else {
        at += 1
      }
    }
    return true
  }

  private static func unescaped(_ name: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var escaped = false
    for byte in name {
      if byte == UInt8(ascii: "\\"), !escaped {
        escaped = true
      } else {
        result.append(byte)
        escaped = false
      }
    }
    return result
  }
}
