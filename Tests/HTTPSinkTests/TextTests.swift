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

  @Test(arguments: [
    #"a"b/c\d&e<f"#, #"a\"b/c\\d&e<f"#, #"a\"b\/c\\d&e<f"#, #"a&quot;b/c\d&amp;e&lt;f"#, "a%22b%2Fc%5Cd%26e%3Cf", "a%22b%2fc%5cd%26e%3cf",
  ])
  func `a secret is hidden as JSON, HTML and a URL write it, too`(form: String) {
    #expect(Secrets([#"a"b/c\d&e<f"#]).hidden(in: "[\(form)]") == "[***]")
  }

  @Test func `an endpoint with a secret in its path shows what stands for it, and hides it in answers`() throws {
    let endpoint = try Endpoint("https://u:p%40ss@h/hooks/t0ken-value?q=1", shownAs: "https://h/hooks/<from file:token>")
    #expect(endpoint.shown == "https://h/hooks/<from file:token>")
    #expect(endpoint.secrets.contains("t0ken-value") && !endpoint.secrets.contains("hooks"))
    #expect(endpoint.url == "https://h/hooks/t0ken-value?q=1")
  }

  @Test func `a file of certificates is read whole, and a named pipe, a directory or nothing is refused at once`() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-ca-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let content = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0) })
    try content.write(to: directory.appendingPathComponent("file"))
    #expect(mkfifo(directory.appendingPathComponent("fifo").path, 0o600) == 0)
    #expect(try CertificateFile.read(directory.appendingPathComponent("file").path) == Array(content))
    for name in ["fifo", "none", "."] {
      #expect(throws: CertificateFile.Unreadable.self) { _ = try CertificateFile.read(directory.appendingPathComponent(name).path) }
    }
  }
}
