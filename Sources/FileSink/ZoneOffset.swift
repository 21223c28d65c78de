// The one place that needs Foundation: it knows the rules of all time zones. UTC, the default, doesn't touch it.
internal import Foundation

/// How far a time zone's clocks are ahead of UTC, at any instant.
struct ZoneOffset: Sendable, Hashable {
  private let zone: TimeZone?

  /// The zone of an identifier such as `UTC` or `Europe/Berlin`; nil when there is no such zone.
  init?(_ identifier: String) {
    if identifier == "UTC" || identifier == "Etc/UTC" {
      zone = nil
      return
    }
    guard let zone = TimeZone(identifier: identifier) else { return nil }
    self.zone = zone
  }

  /// Seconds to add to UTC at `second` (seconds since 1970).
  func seconds(at second: Int64) -> Int64 {
    guard let zone else { return 0 }
    return Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(second))))
  }
}
