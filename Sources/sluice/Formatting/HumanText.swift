internal import Glibc

/// Numbers as people read them.
enum HumanText {
  /// `1,234,567`.
  static func count(_ value: some BinaryInteger) -> String {
    var digits = String(value.magnitude)
    var groups: [Substring] = []
    while digits.count > 3 {
      groups.insert(digits.suffix(3), at: 0)
      digits.removeLast(3)
    }
    groups.insert(digits[...], at: 0)
    return (value < 0 ? "-" : "") + groups.joined(separator: ",")
  }

  /// `1 record`, `2 records`.
  static func count(_ value: some BinaryInteger, _ noun: String) -> String { "\(count(value)) \(noun)\(value == 1 ? "" : "s")" }

  /// `512 B`, `12.3 MiB`: powers of two, since limits in pipeline files are mostly given so.
  static func bytes(_ value: some BinaryInteger) -> String {
    var size = Double(value)
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
      if size < 1023.95 || unit == "TiB" { return unit == "B" ? "\(value) B" : "\(decimal(size, 1)) \(unit)" }
      size /= 1024
    }
    return "\(value) B"
  }

  /// `12.3 MB/s`: powers of ten, as rates are compared with networks and disks.
  static func byteRate(_ perSecond: Double) -> String {
    if perSecond < 999.5 { return "\(Int(perSecond.rounded())) B/s" }
    if perSecond < 999_950 { return "\(decimal(perSecond / 1e3, 1)) kB/s" }
    if perSecond < 999_950_000 { return "\(decimal(perSecond / 1e6, 1)) MB/s" }
    return "\(decimal(perSecond / 1e9, 2)) GB/s"
  }

  /// `84,112/s`.
  static func rate(_ perSecond: Double) -> String {
    if perSecond > 0, perSecond < 9.95 { return "\(decimal(perSecond, 1))/s" }
    return "\(count(Int(perSecond.rounded())))/s"
  }

  /// `45 s`, `3 h 12 min`, `2 d 4 h`: two units at most.
  static func duration(seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e10 else { return "for ever" }
    if seconds < 1 { return "\(Int((max(seconds, 0) * 1000).rounded())) ms" }
    if seconds < 9.95 { return "\(decimal(seconds, 1)) s" }
    let whole = Int(seconds.rounded())
    switch whole {
    case ..<60: return "\(whole) s"
    case ..<3600: return two(whole / 60, "min", whole % 60, "s")
    case ..<86_400: return two(whole / 3600, "h", whole % 3600 / 60, "min")
    default: return two(whole / 86_400, "d", whole % 86_400 / 3600, "h")
    }
  }

  /// See ``duration(seconds:)``.
  static func duration(_ duration: Duration) -> String { self.duration(seconds: duration.seconds) }

  /// `2026-09-01T12:00:00.123Z` for nanoseconds since 1970.
  static func time(_ nanoseconds: Int64) -> String {
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    var time = time_t(rest < 0 ? seconds - 1 : seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    let milliseconds = Int(rest < 0 ? rest + 1_000_000_000 : rest) / 1_000_000
    return "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
      + "T\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2)).\(padded(milliseconds, 3))Z"
  }

  /// A number with `digits` decimals.
  static func decimal(_ value: Double, _ digits: Int) -> String {
    let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((value * Double(scale)).rounded())
    guard digits > 0 else { return String(scaled) }
    return "\(scaled < 0 ? "-" : "")\(scaled.magnitude / UInt(scale)).\(padded(Int(scaled.magnitude % UInt(scale)), digits))"
  }

  private static func two(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
    small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
  }

  private static func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension Duration {
  /// The duration in seconds.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) * 1e-18
  }
}
