internal import Glibc
internal import Synchronization

/// The time now as a `Date` header tells it (RFC 9110, section 5.6.7), written at most once a second, and only when somebody asks.
final class HTTPDate: Sendable {
  private let written = Mutex<(second: time_t, text: String)>((-1, ""))

  /// Such as `Tue, 01 Sep 2026 12:00:00 GMT`.
  var text: String {
    let second = time(nil)
    return written.withLock { written in
      if written.second != second { written = (second, Self.text(second)) }
      return written.text
    }
  }

  /// The same of any second since 1970.
  static func text(_ second: time_t) -> String {
    var (second, parts) = (second, tm())
    gmtime_r(&second, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      // This process never leaves the C locale, whose names of days and months are those of HTTP.
      let count = strftime(buffer.baseAddress!, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
      return String(decoding: UnsafeRawBufferPointer(buffer).prefix(count), as: UTF8.self)
    }
  }
}
