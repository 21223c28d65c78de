/// What a scalar's text may be: how to read it, how to say what was expected, and what a mistaken text may have been meant for.
struct ValueType<Value> {
  /// Follows `expected `.
  var expected: String
  var parse: (String) -> Value?
  var suggest: (String) -> String? = { _ in nil }

  /// The same, or a word that stands for no value.
  func or(_ word: String) -> ValueType<Value?> {
    ValueType<Value?>(
      expected: "\(expected), or '\(word)'", parse: { $0 == word ? .some(nil) : parse($0).map { .some($0) } },
      suggest: { suggest($0) ?? nearest(to: $0, among: [word]) })
  }
}

extension ValueType where Value == Int {
  static func size(_ example: String, _ range: ClosedRange<Int>) -> Self {
    Self(
      expected: "a size such as \(example)\(bounds(range, most: manyBytes, formatSize))",
      parse: { parseSize($0).flatMap { range.contains($0) ? $0 : nil } },
      suggest: { text in suggestSize(text).flatMap { parseSize($0).map(range.contains) == true && $0 != text ? $0 : nil } })
  }

  static func rate(_ example: String) -> Self {
    let range = 1...manyBytes
    return Self(
      expected: "a rate such as \(example)", parse: { parseRate($0).flatMap { range.contains($0) ? $0 : nil } },
      suggest: { text in suggestSize(text).flatMap { parseSize($0).map(range.contains) == true && "\($0)/s" != text ? "\($0)/s" : nil } })
  }

  static func count(_ example: Int, _ range: ClosedRange<Int>) -> Self {
    Self(
      expected: "a whole number such as \(example)\(bounds(range, most: Int.max, { "\($0)" }))",
      parse: { parseCount($0).flatMap { range.contains($0) ? $0 : nil } })
  }
}

extension ValueType where Value == Int {
  /// Minutes ahead of UTC.
  static var utcOffset: Self {
    Self(
      expected: "an offset from UTC such as \"+02:00\" (-14:00 to +14:00)",
      parse: { text in
        guard let sign = text.first, sign == "+" || sign == "-", let minutes = parseTimeOfDay(text.dropFirst()), minutes <= 14 * 60 else {
          return nil
        }
        return sign == "-" ? -minutes : minutes
      })
  }
}

extension ValueType where Value == Duration {
  static func duration(_ example: String, _ range: ClosedRange<Duration> = .milliseconds(1)...longDuration) -> Self {
    Self(
      expected: "a duration such as \(example)\(bounds(range, most: longDuration, formatDuration))",
      parse: { parseDuration($0).flatMap { range.contains($0) ? $0 : nil } },
      suggest: { text in suggestDuration(text).flatMap { parseDuration($0).map(range.contains) == true && $0 != text ? $0 : nil } })
  }
}

extension ValueType where Value == Bool {
  /// Whether something is done. Everything is read as text: these two words, and none of YAML's other ones for them.
  static var flag: Self {
    Self(
      expected: "true or false", parse: { ["true": true, "false": false][$0] },
      suggest: { text in
        let word = text.lowercased()
        if ["true", "yes", "on", "1"].contains(word) { return "true" }
        if ["false", "no", "off", "0"].contains(word) { return "false" }
        return nearest(to: word, among: ["true", "false"])
      })
  }
}

extension ValueType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of an enumeration's words.
  static var choice: Self {
    let words = Value.allCases.map(\.rawValue)
    return Self(expected: alternatives(words), parse: Value.init(rawValue:), suggest: { nearest(to: $0, among: words) })
  }
}

extension ValueType where Value == QueueDefinition.SyncPolicy {
  static var syncPolicy: Self {
    let interval = ValueType<Duration>.duration("1s")
    return Self(
      expected: "each_block, never or an interval such as 1s",
      parse: { text in
        switch text {
        case "each_block": .eachBlock
        case "never": .never
        default: interval.parse(text).map { .interval($0) }
        }
      }, suggest: { interval.suggest($0) ?? nearest(to: $0, among: ["each_block", "never"]) })
  }
}

extension ValueType where Value == HoldDefinition {
  static var hold: Self {
    Self(
      expected: "all, a size such as 2GiB, a share such as 50% or a duration such as 7d",
      parse: { text in
        if text == "all" { return .all }
        if text.hasSuffix("%") { return parseCount(text.dropLast()).flatMap { 1...100 ~= $0 ? .share(percent: $0) : nil } }
        if let bytes = parseSize(text), bytes > 0 { return .bytes(bytes) }
        return parseDuration(text).flatMap { $0 > .zero ? .duration($0) : nil }
      }, suggest: { suggestSize($0) ?? suggestDuration($0) ?? nearest(to: $0, among: ["all"]) })
  }
}

extension ValueType where Value == PullDefinition.Window {
  static var window: Self {
    Self(
      expected: "a time of day such as \"01:00-05:00\"",
      parse: { text in
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let start = parseTimeOfDay(ends[0]), start < 1440, let end = parseTimeOfDay(ends[1]), start != end else {
          return nil
        }
        return PullDefinition.Window(start: start, end: end)
      })
  }
}

/// Minutes of `HH:MM`, up to 24:00.
func parseTimeOfDay(_ text: Substring) -> Int? {
  let parts = text.split(separator: ":", omittingEmptySubsequences: false)
  guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } }) else { return nil }
  guard let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour < 24 || hour == 24 && minute == 0 else { return nil }
  return hour * 60 + minute
}

/// `HH:MM`.
func formatTimeOfDay(_ minutes: Int) -> String {
  (minutes < 600 ? "0" : "") + "\(minutes / 60):" + (minutes % 60 < 10 ? "0" : "") + "\(minutes % 60)"
}

/// Upper bounds that nobody meets, and that no message needs to name.
let manyBytes = 1 << 50
let longDuration = Duration.seconds(36_500 * 86_400)

private func bounds<Value: Comparable>(_ range: ClosedRange<Value>, most: Value, _ format: (Value) -> String) -> String {
  range.upperBound == most
    ? " (at least \(format(range.lowerBound)))" : " (\(format(range.lowerBound)) to \(format(range.upperBound)))"
}
