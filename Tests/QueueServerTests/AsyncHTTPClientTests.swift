import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import TestSupport
import Testing

@testable import QueueServer

/// What Swift programs pull with. The clients of other languages are in Tests/EndToEnd.
@Suite("A batch of many blocks at AsyncHTTPClient") struct AsyncHTTPClientTests {
  /// Records of two sources in forty blocks, 3 MB. They compress as logs do: a client gives up on what swells like a bomb.
  private static func fill(_ fixture: ServerFixture) async throws -> String {
    var text = ""
    var random = SplitMix64(seed: 1)
    for block in 0..<40 {
      let lines = (0..<500).map { line in
        let words = (0..<(line * 7 + block) % 15).map { _ in String(random.next(), radix: 16) }
        return "block \(block) line \(line) grüße \(words.joined(separator: " "))"
      }
      try await fixture.append(lines, source: block % 2 == 0 ? "one" : "two")
      text += lines.joined(separator: "\n") + "\n"
    }
    return text
  }

  @Test(arguments: ["gzip", "identity"]) func `arrives whole, decompressed by the client or plain`(encoding: String) async throws {
    try await ServerFixture.run { (fixture) async throws in
      let text = try await Self.fill(fixture)
      // HTTPClient.shared stops at twenty-five times a body's size, which logs can reach.
      var configuration = HTTPClient.Configuration()
      configuration.decompression = .enabled(limit: .size(64 << 20))
      let client = HTTPClient(configuration: configuration)
      let found: Result<String, any Error>
      do {
        var request = HTTPClientRequest(url: "http://\(fixture.address)/v1/queues/app/records?offset=oldest&max_bytes=64MiB")
        request.headers.add(name: "Accept-Encoding", value: encoding)
        let response = try await client.execute(request, timeout: .seconds(60))
        #expect(response.status == .ok)
        #expect(response.headers.first(name: "Content-Encoding") == (encoding == "gzip" ? "gzip" : nil))
        found = .success(String(buffer: try await response.body.collect(upTo: 64 << 20)))
      } catch {
        found = .failure(error)
      }
      try await client.shutdown()
      // Not compared by #expect itself, which would print megabytes.
      #expect(try found.get() == text ? true : false)
    }
  }
}
