/// The `Retry-After` of an answer (RFC 9110, section 10.2.3): seconds, or a date in any of the three forms.
enum RetryAfter {
  /// The longest that a destination may ask us to wait: what it asks beyond that is more likely a mistake.
  static let longest = Duration.seconds(600)

  /// How long to wait, from nothing to ``longest``; nil when `text` is neither form.
  /// - Parameter now: seconds since 1970, best the answer's own `Date`, so that no clock need be right.
  static func wait(_ text: String, now: Int64) -> Duration? {
    let text = text.drop { $0 == " " || $0 == "\t" }
    if let first = text.utf8.first, first >= 0x30, first <= 0x39 {
      let digits = text.utf8.prefix { $0 >= 0x30 && $0 <= 0x39 }
      // A fraction isn't allowed by the RFC but is sent; waiting a second more does no harm.
      let rest = text.utf8.dropFirst(digits.count).drop { $0 == 0x20 || $0 == 0x09 }
      guard rest.isEmpty || rest.first == UInt8(ascii: ".") else { return nil }
      let seconds = digits.count > 9 ? Int64.max : Int64(Substring(digits)) ?? .max
      return clamped(rest.isEmpty || seconds == .max ? seconds : seconds + 1)
    }
    return date(text, now: now).map { clamped($0.subtractingReportingOverflow(now).partialValue) }
  }

  private static func clamped(_ seconds: Int64) -> Duration { min(.seconds(max(seconds, 0)), longest) }

  /// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
  static func date(_ text: some StringProtocol, now: Int64) -> Int64? {
    guard text.utf8.count <= 64 else { return nil }
    let words = text.split { " ,-:\t".contains($0) }
    let dayWord: Int, monthWord: Int, yearWord: Int, timeWord: Int
    switch words.count {
    case 8:
      guard words[7] == "GMT" || words[7] == "UTC" else { return nil }
      (dayWord, monthWord, yearWord, timeWord) = (1, 2, 3, 4)
    case 7: (dayWord, monthWord, yearWord, timeWord) = (2, 1, 6, 3)
    default: return nil
    }
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard let month = months.firstIndex(of: String(words[monthWord])) else { return nil }
    func number(_ word: Int, _ range: ClosedRange<Int>) -> Int? {
      guard words[word].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let value = Int(words[word]) else { return nil }
      return range.contains(value) ? value : nil
    }
    guard let day = number(dayWord, 1...31), var year = number(yearWord, 0...9999), let hour = number(timeWord, 0...23),
      let minute = number(timeWord + 1, 0...59), let second = number(timeWord + 2, 0...60)
    else { return nil }
    if words[yearWord].utf8.count <= 2 {
      // A date that looks more than fifty years ahead is in the past (RFC 9110, section 5.6.7).
      let thisYear = 1970 + Int(now / 31_556_952)
      year += thisYear / 100 * 100
      if year > thisYear + 50 { year -= 100 }
    }
    return Int64(daysSince1970(year, month + 1, day)) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
  }

  /// Days of the proleptic Gregorian calendar, counted in years that begin in March so that a leap day is a year's last.
  private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
    let year = month > 2 ? year : year - 1
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}
