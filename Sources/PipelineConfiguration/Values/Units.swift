// Sizes, durations and rates: a whole number directly followed by its unit.

private let sizeUnits: [(name: String, bytes: Int)] = [
  ("TiB", 1 << 40), ("TB", 1_000_000_000_000), ("GiB", 1 << 30), ("GB", 1_000_000_000), ("MiB", 1 << 20), ("MB", 1_000_000),
  ("KiB", 1 << 10),
  ("kB", 1000), ("KB", 1000), ("B", 1),
]

private let durationUnits: [(name: String, milliseconds: Int)] = [
  ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
]

/// A whole number without sign, blanks, leading zeros; nil when it is none or doesn't fit.
func parseCount(_ text: some StringProtocol) -> Int? {
  let digits = text.utf8
  guard !digits.isEmpty, digits.count <= 18, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
  guard digits.count == 1 || digits.first != 0x30 else { return nil }
  return Int(text)
}

private func parse(_ text: String, units: [(name: String, factor: Int)]) -> Int? {
  let number = text.prefix { $0.isASCII && $0.isNumber }
  guard let count = parseCount(number), let unit = units.first(where: { $0.name == text[number.endIndex...] }) else { return nil }
  let (product, overflow) = count.multipliedReportingOverflow(by: unit.factor)
  return overflow ? nil : product
}

/// Bytes of a text such as `64MiB` (binary) or `64MB` (decimal).
func parseSize(_ text: String) -> Int? { parse(text, units: sizeUnits.map { ($0.name, $0.bytes) }) }

/// A text such as `50ms`, `30s`, `5m`, `24h`, `30d`; at most 100 years.
func parseDuration(_ text: String) -> Duration? {
  guard let milliseconds = parse(text, units: durationUnits.map { ($0.name, $0.milliseconds) }) else { return nil }
  guard milliseconds <= 36_500 * 86_400_000 else { return nil }
  return .milliseconds(milliseconds)
}

/// Bytes a second of a text such as `5MiB/s`.
func parseRate(_ text: String) -> Int? { text.hasSuffix("/s") ? parseSize(String(text.dropLast(2))) : nil }

/// The shortest text that ``parseSize(_:)`` reads as `bytes`.
func formatSize(_ bytes: Int) -> String {
  guard bytes > 0, let unit = sizeUnits.filter({ bytes % $0.bytes == 0 }).max(by: { $0.bytes < $1.bytes }) else { return "\(bytes)B" }
  return "\(bytes / unit.bytes)\(unit.name)"
}

/// The shortest text that ``parseDuration(_:)`` reads as `duration`; parts of a millisecond are cut off.
func formatDuration(_ duration: Duration) -> String {
  let milliseconds = Int(duration.components.seconds) * 1000 + Int(duration.components.attoseconds / 1_000_000_000_000_000)
  guard milliseconds > 0 else { return "0s" }
  guard let unit = durationUnits.first(where: { milliseconds % $0.milliseconds == 0 }) else { return "\(milliseconds)ms" }
  return "\(milliseconds / unit.milliseconds)\(unit.name)"
}

/// What a text that is no size may have been meant for: `64M`, `64 mib`, `64Mib`.
func suggestSize(_ text: String) -> String? {
  var compact = text.filter { $0 != " " }.lowercased()
  if compact.hasSuffix("/s") { compact.removeLast(2) }
  let number = compact.prefix { $0.isASCII && $0.isNumber }
  guard parseCount(number) != nil else { return nil }
  let unit = compact[number.endIndex...]
  guard !unit.isEmpty else { return nil }
  if let known = sizeUnits.first(where: { $0.name.lowercased() == unit }) { return number + known.name }
  return ["k", "ki", "m", "mi", "g", "gi", "t", "ti"].contains(unit) ? number + unit.prefix(1).uppercased() + "iB" : nil
}

/// What a text that is no duration may have been meant for: `5 min`, `30sec`, `1w`.
func suggestDuration(_ text: String) -> String? {
  let compact = text.filter { $0 != " " }.lowercased()
  let number = compact.prefix { $0.isASCII && $0.isNumber }
  guard let count = parseCount(number) else { return nil }
  switch compact[number.endIndex...] {
  case "ms", "msec", "milliseconds": return number + "ms"
  case "s", "sec", "secs", "second", "seconds": return number + "s"
  case "m", "min", "mins", "minute", "minutes": return number + "m"
  case "h", "hr", "hrs", "hour", "hours": return number + "h"
  case "d", "day", "days": return number + "d"
  case "w", "week", "weeks": return count < 5000 ? "\(count * 7)d" : nil
  default: return nil
  }
}
