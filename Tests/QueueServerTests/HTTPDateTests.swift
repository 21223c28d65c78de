import Foundation
import NIOHTTP1
import Testing

@testable import QueueServer

@Suite struct `The Date header` {
  @Test(arguments: [
    (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
  ])
  func `is written as RFC 9110 has it`(second: Int, text: String) {
    #expect(HTTPDate.text(second) == text)
  }

  @Test func `of an answer is the time of the answer`() async throws {
    try await ServerFixture.run { fixture in
      let answer = try await fixture.get("/healthz")
      let told = try #require(answer.headers.first(name: "Date"))
      let formatter = DateFormatter()
      formatter.locale = Locale(identifier: "en_US_POSIX")
      formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
      let date = try #require(formatter.date(from: told))
      #expect(abs(date.timeIntervalSinceNow) < 60)
    }
  }
}
