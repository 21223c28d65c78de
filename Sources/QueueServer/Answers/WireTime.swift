internal import Foundation

/// RFC 3339 times.
enum WireTime {
  /// Nanoseconds since 1970 of a text such as `2026-09-01T12:00:00Z` or `2026-09-01T14:00:00.5+02:00`; nil when it is none.
  static func nanoseconds(_ text: String) -> Int64? {
    // In a query, a '+' that isn't escaped arrives as it is or as a blank.
    let text = text.replacingOccurrences(of: " ", with: "+")
    guard text.utf8.count <= 40, text.utf8.first.map({ 0x30...0x39 ~= $0 }) ?? false else { return nil }
    let formats: [Date.ISO8601FormatStyle] = [
      .iso8601, Date.ISO8601FormatStyle(includingFractionalSeconds: true),
    ]
    for format in formats {
      guard let date = try? format.parse(text) else { continue }
      let nanoseconds = date.timeIntervalSince1970 * 1e9
      guard nanoseconds.magnitude < 9e18 else { return nil }
      return Int64(nanoseconds)
    }
    return nil
  }

  /// Such a text, to the millisecond.
  static func text(_ nanoseconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(nanoseconds) / 1e9).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}
