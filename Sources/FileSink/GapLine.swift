internal import PipelineCore
internal import RecordBlocks

extension Gap {
  /// The loss as a line of JSON for the output, with its line feed: the facts of `sluice queue show --gaps`, under a key that no record is
  /// likely to have. A time that isn't known is null.
  func line(for delivery: Delivery) -> String {
    let facts =
      "\"first\":\(delivery.first),\"next\":\(delivery.next),\"reason\":\"\(reason.name)\",\"records\":\(records),\"bytes\":\(bytes)"
    return "{\"sluice_gap\":{\(facts),\"first_time\":\(Self.text(firstTime)),\"last_time\":\(Self.text(lastTime))}}\n"
  }

  /// RFC 3339 in UTC, with milliseconds.
  private static func text(_ nanoseconds: Int64) -> String {
    guard nanoseconds > 0 else { return "null" }
    func padded(_ value: Int64, _ width: Int = 2) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let time = CivilTime(secondsSince1970: nanoseconds / 1_000_000_000)
    let day = "\(padded(time.year, 4))-\(padded(time.month))-\(padded(time.day))"
    let clock = "\(padded(time.hour)):\(padded(time.minute)):\(padded(time.second)).\(padded(nanoseconds / 1_000_000 % 1000, 3))"
    return "\"\(day)T\(clock)Z\""
  }
}
