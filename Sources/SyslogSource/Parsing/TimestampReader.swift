/// Reads the forms of time that syslog senders use.
struct TimestampReader {
  /// What stands at a place.
  enum Reading {
    /// Nothing that looks like a time.
    case none
    /// The form of a time, but no such date or time exists.
    case impossible
    /// A time; `end` is the index behind it.
    case time(SyslogTimestamp, end: Int)
  }

  /// For timestamps that name no zone.
  let defaultOffsetMinutes: Int

  /// RFC 3339, also with a space for the `T`, a comma before the fraction, an offset without its colon or its minutes, or no offset.
  func rfc3339(_ bytes: Span<UInt8>, at start: Int, requiresT: Bool) -> Reading {
    var time = SyslogTimestamp()
    time.kind = .date
    time.year = bytes.number(at: start, digits: 4)
    time.month = bytes.number(at: start + 5, digits: 2)
    time.day = bytes.number(at: start + 8, digits: 2)
    guard time.year >= 0, time.month >= 0, time.day >= 0, bytes[start + 4] == UInt8(ascii: "-"), bytes[start + 7] == UInt8(ascii: "-")
    else { return .none }
    let separator = bytes.peek(start + 10)
    guard separator | 0x20 == UInt8(ascii: "t") || (separator == UInt8(ascii: " ") && !requiresT) else { return .none }
    guard var end = clock(bytes, at: start + 11, into: &time, hourDigits: 2) else { return .none }
    end = offset(bytes, at: end, into: &time) ?? end
    guard isBoundary(bytes, end) else { return .none }
    return time.exists && time.offsetMinutes != .min ? .time(time, end: end) : .impossible
  }

  /// The timestamp of BSD syslog, `Oct 11 22:14:15`, with what devices do to it: the day with one space or a zero, a weekday or a year in
  /// front, a year
  /// behind the day or behind the time, fractions, offsets, `UTC`.
  func bsd(_ bytes: Span<UInt8>, at start: Int, received: ReceiveTime) -> Reading {
    var time = SyslogTimestamp()
    time.kind = .date
    time.year = -1
    var index = start
    if isLetter(bytes.peek(index)), weekday(bytes, at: index) {
      index += 3
      if bytes.peek(index) == UInt8(ascii: ",") { index += 1 }
      guard bytes.peek(index) == UInt8(ascii: " ") else { return .none }
      index = bytes.skippingSpaces(from: index)
    }
    if let year = year(bytes, at: index), bytes.peek(index + 4) == UInt8(ascii: " ") {
      time.year = year
      index = bytes.skippingSpaces(from: index + 4)
    }
    time.month = month(bytes, at: index)
    guard time.month > 0, bytes.peek(index + 3) == UInt8(ascii: " ") else { return .none }
    index = bytes.skippingSpaces(from: index + 3)
    let dayDigits = bytes.digitCount(at: index, most: 3)
    guard dayDigits == 1 || dayDigits == 2, bytes.peek(index + dayDigits) == UInt8(ascii: " ") else { return .none }
    time.day = bytes.number(at: index, digits: dayDigits)
    index = bytes.skippingSpaces(from: index + dayDigits)
    if time.year < 0, let year = year(bytes, at: index), bytes.peek(index + 4) == UInt8(ascii: " ") {
      time.year = year
      index = bytes.skippingSpaces(from: index + 4)
    }
    guard var end = clock(bytes, at: index, into: &time, hourDigits: bytes.digitCount(at: index, most: 2)) else { return .none }
    if let zoned = offset(bytes, at: end, into: &time) {
      end = zoned
    } else {
      guard isBoundary(bytes, end) else { return .none }
      if time.year < 0, bytes.peek(end) == UInt8(ascii: " "), let year = year(bytes, at: end + 1),
        bytes.endsWord(end + 5) || bytes.hasPrefix(": ", at: end + 5)  // `2001:db8::1` is a host
      {
        time.year = year
        end += 5
      }
      end = separateZone(bytes, at: end, into: &time)
    }
    guard time.offsetMinutes != .min else { return .impossible }
    if time.year < 0 { time.year = nearestYear(for: time, to: received) }
    return time.exists ? .time(time, end: end) : .impossible
  }

  /// The last whole second that nanoseconds since 1970 can tell.
  private static let lastSecond = Int(Int64.max / 1_000_000_000) - 1

  /// Seconds since 1970 with or without a fraction, nine or ten digits before it.
  func epoch(_ bytes: Span<UInt8>, at start: Int) -> Reading {
    let digits = bytes.digitCount(at: start, most: 11)
    guard digits == 9 || digits == 10 else { return .none }
    var time = SyslogTimestamp()
    time.kind = .epoch
    let seconds = bytes.number(at: start, digits: digits)
    guard seconds <= Self.lastSecond else { return .impossible }
    time.nanoseconds = Int64(seconds) * 1_000_000_000
    var end = start + digits
    if bytes.peek(end) == UInt8(ascii: ".") {
      let fraction = bytes.digitCount(at: end + 1, most: 10)
      guard fraction >= 1, fraction <= 9 else { return .none }
      var value = Int64(bytes.number(at: end + 1, digits: fraction))
      for _ in fraction..<9 { value *= 10 }
      time.nanoseconds += value
      end += 1 + fraction
    }
    return bytes.peek(end) == UInt8(ascii: " ") ? .time(time, end: end) : .none
  }

  /// `hh:mm:ss` with a fraction perhaps; the index behind it. Sets the default offset.
  private func clock(_ bytes: Span<UInt8>, at start: Int, into time: inout SyslogTimestamp, hourDigits: Int) -> Int? {
    guard hourDigits > 0 else { return nil }
    let minuteAt = start + hourDigits + 1
    time.hour = bytes.number(at: start, digits: hourDigits)
    time.minute = bytes.number(at: minuteAt, digits: 2)
    time.second = bytes.number(at: minuteAt + 3, digits: 2)
    guard time.hour >= 0, time.minute >= 0, time.second >= 0 else { return nil }
    guard bytes[minuteAt - 1] == UInt8(ascii: ":"), bytes[minuteAt + 2] == UInt8(ascii: ":") else { return nil }
    var end = minuteAt + 5
    let point = bytes.peek(end)
    if point == UInt8(ascii: ".") || point == UInt8(ascii: ",") {
      let digits = bytes.digitCount(at: end + 1, most: 32)
      guard digits > 0 else { return nil }
      time.fraction = ByteRange(start: end + 1, end: end + 1 + min(digits, 9))
      end += 1 + digits
    }
    time.offsetMinutes = defaultOffsetMinutes
    return end
  }

  /// `Z` or an offset that directly follows; the index behind it, or nil when there is none. An offset that can't be gives `Int.min`.
  private func offset(_ bytes: Span<UInt8>, at start: Int, into time: inout SyslogTimestamp) -> Int? {
    let sign = bytes.peek(start)
    if sign | 0x20 == UInt8(ascii: "z") {
      guard isBoundary(bytes, start + 1) else { return nil }
      time.offsetMinutes = 0
      return start + 1
    }
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    let hours = bytes.number(at: start + 1, digits: 2)
    guard hours >= 0 else { return nil }
    var end = start + 3
    var minutes = 0
    let minutesAt = bytes.peek(end) == UInt8(ascii: ":") ? end + 1 : end
    let read = bytes.number(at: minutesAt, digits: 2)
    if read >= 0 {
      minutes = read
      end = minutesAt + 2
    }
    guard isBoundary(bytes, end) else { return nil }
    let total = hours * 60 + minutes
    time.offsetMinutes = hours > 23 || minutes > 59 ? .min : sign == UInt8(ascii: "-") ? -total : total
    return end
  }

  /// A zone behind a space: `UTC`, `GMT`, `Z`, an offset, or, as Cisco devices write it in front of `: %`, any abbreviation, which
  /// changes nothing.
  private func separateZone(_ bytes: Span<UInt8>, at end: Int, into time: inout SyslogTimestamp) -> Int {
    guard bytes.peek(end) == UInt8(ascii: " ") else { return end }
    let word = end + 1
    if let zoned = offset(bytes, at: word, into: &time) { return zoned }
    if bytes.hasPrefix("UTC", at: word) || bytes.hasPrefix("GMT", at: word), isBoundary(bytes, word + 3) {
      time.offsetMinutes = 0
      return word + 3
    }
    var length = 0
    while length < 5, bytes.peek(word + length) &- 0x41 < 26 { length += 1 }
    return length >= 2 && bytes.hasPrefix(": %", at: word + length) ? word + length : end
  }

  /// Where a timestamp may end: a space, a colon (Cisco), or the end.
  private func isBoundary(_ bytes: Span<UInt8>, _ index: Int) -> Bool { bytes.endsWord(index) || bytes[index] == UInt8(ascii: ":") }

  /// A year between 1970 and 2099; other numbers of four digits are something else.
  private func year(_ bytes: Span<UInt8>, at index: Int) -> Int? {
    let year = bytes.number(at: index, digits: 4)
    return year >= 1970 && year <= 2099 ? year : nil
  }

  /// The year that brings the date nearest to `received`; the clock of a device is seldom off by half a year. When the date is in none of
  /// the three, it doesn't exist.
  private func nearestYear(for time: SyslogTimestamp, to received: ReceiveTime) -> Int {
    var best = received.year
    var bestDistance = Int.max
    for year in received.year - 1...received.year + 1 {
      var candidate = time
      candidate.year = year
      guard candidate.exists else { continue }
      let distance = abs(candidate.secondsSince1970 - received.secondsSince1970)
      if distance < bestDistance {
        best = year
        bestDistance = distance
      }
    }
    return best
  }

  /// 1 to 12 for three letters of a month in any case, else 0.
  private func month(_ bytes: Span<UInt8>, at index: Int) -> Int {
    switch letters(bytes, at: index) {
    case 0x6A_616E: 1
    case 0x66_6562: 2
    case 0x6D_6172: 3
    case 0x61_7072: 4
    case 0x6D_6179: 5
    case 0x6A_756E: 6
    case 0x6A_756C: 7
    case 0x61_7567: 8
    case 0x73_6570: 9
    case 0x6F_6374: 10
    case 0x6E_6F76: 11
    case 0x64_6563: 12
    default: 0
    }
  }

  private func weekday(_ bytes: Span<UInt8>, at index: Int) -> Bool {
    switch letters(bytes, at: index) {
    case 0x6D_6F6E, 0x74_7565, 0x77_6564, 0x74_6875, 0x66_7269, 0x73_6174, 0x73_756E: true
    default: false
    }
  }

  /// Three letters as one number, in lower case.
  private func letters(_ bytes: Span<UInt8>, at index: Int) -> UInt32 {
    guard index + 3 <= bytes.count, isLetter(bytes[index]), isLetter(bytes[index + 1]), isLetter(bytes[index + 2]) else { return 0 }
    return UInt32(bytes[index] | 0x20) << 16 | UInt32(bytes[index + 1] | 0x20) << 8 | UInt32(bytes[index + 2] | 0x20)
  }
}
