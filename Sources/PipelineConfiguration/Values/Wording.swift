extension String {
  /// The text with control characters written out (`\u{1b}`), so that foreign text can't move the cursor of a terminal or forge a line of
  /// a log.
  var withoutControls: String {
    guard unicodeScalars.contains(where: \.isWrittenOut) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default: if scalar.isWrittenOut { result += "\\u{\(String(scalar.value, radix: 16))}" } else { result.unicodeScalars.append(scalar) }
      }
    }
    return result
  }

  /// The text in single quotes for a message: controls written out, cut after 60 characters.
  var quoted: String {
    let cut = prefix(60)
    return "'\(String(cut).withoutControls)\(cut.endIndex == endIndex ? "" : "…")'"
  }
}

extension Unicode.Scalar {
  /// C0, DEL, C1, and the line and paragraph separators and direction overrides that forge what a reader sees: no path has them.
  var isControl: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  /// A control, or what can't be seen: joiners, direction marks, tags. Some scripts need them in names, so they are only written out.
  var isWrittenOut: Bool {
    switch value {
    case 0xAD, 0x61C, 0x180E, 0x200B...0x200F, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F: true
    default: isControl
    }
  }
}

/// `a`, `a or b`, `a, b or c`.
func alternatives(_ words: [String]) -> String {
  guard let last = words.last, words.count > 1 else { return words.first ?? "" }
  return words.dropLast().joined(separator: ", ") + " or " + last
}

/// The known word nearest to a mistyped one: at most three edits (insert, delete, replace, swap neighbours) away, and fewer than half of
/// its length.
func nearest(to word: String, among known: [String]) -> String? {
  let typed = Array(word.lowercased().utf8.prefix(64)).map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
  var best: (distance: Int, word: String)?
  for candidate in known {
    let distance = editDistance(typed, Array(candidate.utf8))
    if distance <= min(3, max(1, (candidate.utf8.count - 1) / 2)), distance < best?.distance ?? .max { best = (distance, candidate) }
  }
  return best?.word
}

/// The optimal string alignment distance.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var beforePrevious: [Int] = []
  var previous = Array(0...b.count)
  for i in 0..<a.count {
    var current = [i + 1]
    for j in 0..<b.count {
      var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforePrevious[j - 1] + 1) }
      current.append(cost)
    }
    (beforePrevious, previous) = (previous, current)
  }
  return previous[b.count]
}
