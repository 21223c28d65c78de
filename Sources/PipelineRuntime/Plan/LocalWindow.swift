/// Daily hours in the local time of a zone, from one minute of the day up to, not including, another. It may cross midnight.
public struct LocalWindow: Sendable {
  /// The first minute, counted from midnight; 0..<1440.
  public let startMinute: Int
  /// The minute after the last; 0..<1440. Equal to the start: the whole day.
  public let endMinute: Int
  /// How many seconds local time is ahead of UTC at a moment (seconds since 1970); it decides what summer time does.
  public let secondsAheadOfUTC: @Sendable (_ unixSeconds: Int64) -> Int

  /// A window; without a zone's function, in UTC.
  public init(startMinute: Int, endMinute: Int, secondsAheadOfUTC: @escaping @Sendable (_ unixSeconds: Int64) -> Int = { _ in 0 }) {
    precondition((0..<1440).contains(startMinute) && (0..<1440).contains(endMinute), "a minute outside of the day")
    self.startMinute = startMinute
    self.endMinute = endMinute
    self.secondsAheadOfUTC = secondsAheadOfUTC
  }

  /// Seconds until the window opens, 0 while it is open.
  ///
  /// Told with the zone's present distance from UTC: ask again before a long wait is over, in case clocks are set meanwhile.
  public func secondsUntilOpen(at unixSeconds: Int64) -> Int {
    if startMinute == endMinute { return 0 }
    let day: Int64 = 86_400
    let local = unixSeconds + Int64(secondsAheadOfUTC(unixSeconds))
    let second = Int(((local % day) + day) % day)
    let start = startMinute * 60
    let end = endMinute * 60
    let isOpen = start < end ? (start..<end).contains(second) : second >= start || second < end
    if isOpen { return 0 }
    return second < start ? start - second : start + Int(day) - second
  }
}
