/// A message's own time, kept as the device wrote it: no precision and no offset is lost on the way to RFC 3339.
struct SyslogTimestamp {
  enum Kind: UInt8 {
    case absent
    case date
    case epoch
  }

  var kind = Kind.absent
  var year = 0
  var month = 0
  var day = 0
  var hour = 0
  var minute = 0
  var second = 0
  /// The digits behind the second's point, at most nine.
  var fraction = ByteRange.absent
  /// East of UTC.
  var offsetMinutes = 0
  /// Since 1970; for ``Kind/epoch``.
  var nanoseconds: Int64 = 0

  /// Whether date and time exist. A leap second (60) doesn't: RFC 5424 section 6.2.3 forbids it, and common readers of RFC 3339 refuse it.
  var exists: Bool {
    month >= 1 && month <= 12 && day >= 1 && day <= Self.dayCount(year: year, month: month) && hour < 24 && minute < 60 && second < 60
  }

  /// Seconds since 1970, without the fraction.
  var secondsSince1970: Int {
    Self.daysSince1970(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second - offsetMinutes * 60
  }

  static func dayCount(year: Int, month: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days from 1970-01-01 to a Gregorian date. Years begin in March here, so that the leap day is a year's last.
  static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let marchYear = month <= 2 ? year - 1 : year
    let monthFromMarch = month <= 2 ? month + 9 : month - 3
    let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}

/// When datagrams were received: what a timestamp without a year is held against.
struct ReceiveTime {
  let secondsSince1970: Int
  let year: Int

  /// - Parameter nanoseconds: since 1970.
  init(nanoseconds: Int64) {
    secondsSince1970 = Int(nanoseconds / 1_000_000_000)
    var day = secondsSince1970 / 86_400
    if secondsSince1970 % 86_400 < 0 { day -= 1 }
    // At most one too late or too early by the mean year's length.
    var year = 1970 + Int((Double(day) / 365.2425).rounded(.down))
    while SyslogTimestamp.daysSince1970(year: year, month: 1, day: 1) > day { year -= 1 }
    while SyslogTimestamp.daysSince1970(year: year + 1, month: 1, day: 1) <= day { year += 1 }
    self.year = year
  }
}
