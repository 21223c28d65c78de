// The one place that needs Foundation: it knows all time zones, as it does where the zone is used.
internal import Foundation

extension ValueType where Value == String {
  static var timezone: Self {
    Self(expected: "a time zone such as UTC or Europe/Berlin", parse: { isTimeZone($0) ? $0 : nil }, suggest: suggestTimeZone)
  }
}

private func isTimeZone(_ name: String) -> Bool {
  name == "UTC" || name == "Etc/UTC" || (!name.isEmpty && name.utf8.count <= 64 && TimeZone(identifier: name) != nil)
}

private func suggestTimeZone(_ name: String) -> String? {
  guard name.utf8.count <= 64 else { return nil }
  let lower = name.lowercased()
  if ["utc", "z", "zulu"].contains(lower) { return "UTC" }
  return TimeZone.knownTimeZoneIdentifiers.first { $0.lowercased() == lower || $0.lowercased().hasSuffix("/" + lower) }
}
