import Foundation
import Testing

@testable import HTTPSink

@Suite struct `Text and dates` {
  @Test func `base64 agrees with Foundation's`() {
    for count in 0..<70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 200) }
      #expect(Text.base64(bytes) == Data(bytes).base64EncodedString())
    }
  }

  @Test(arguments: [0, 784_111_777, 951_782_400, 951_868_799, 1_709_164_800, 1_735_689_599, 4_107_542_400] as [Int64])
  func `dates agree with Foundation's calendar`(_ seconds: Int64) {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    for format in ["EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEE MMM d HH:mm:ss yyyy"] {
      formatter.dateFormat = format
      let text = formatter.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
      #expect(RetryAfter.date(text, now: 1_700_000_000) == seconds, "\(text)")
    }
  }

  @Test func `a two-digit year is never more than fifty years ahead`() {
    let now: Int64 = 1_788_000_000  // 2026
    #expect(RetryAfter.date("Sunday, 06-Nov-94 08:49:37 GMT", now: now) == 784_111_777)
    #expect(RetryAfter.date("Wednesday, 01-Jan-70 00:00:00 GMT", now: now) == 3_155_760_000)
  }

  @Test func `secrets are hidden, words of them too, the longest first`() {
    let secrets = Secrets(["Bearer abcdefgh", "abcdefghij", "abc", ""])
    #expect(secrets.hidden(in: "got 'Bearer abcdefgh', abcdefghij and abcdefgh; abc stays") == "got '***', *** and ***; abc stays")
  }
}
