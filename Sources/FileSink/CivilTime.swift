/// A calendar date and time of day in the Gregorian calendar.
struct CivilTime: Hashable {
  let year: Int64
  let month: Int64
  let day: Int64
  let hour: Int64
  let minute: Int64
  let second: Int64

  /// The date and time that a clock shows which counts seconds since 1970-01-01T00:00:00, without leap seconds.
  init(secondsSince1970 seconds: Int64) {
    let (days, rest) = seconds.flooredDivision(by: 86_400)
    hour = rest / 3600
    minute = rest / 60 % 60
    second = rest % 60
    // Years are counted from 1 March, so that the leap day is a year's last; 146,097 days are the 400 years after which the calendar
    // repeats itself.
    let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }
}

extension Int64 {
  /// Quotient and remainder with the remainder never negative.
  func flooredDivision(by divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
