import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import QueueServer

@Suite("Pushing over HTTP") struct PushTests {
  private let records = "/v1/queues/app/records"

  @Test func `lines are in the queue when it answers`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let answer = try await fixture.request(.POST, records, body: "one\ntwo\nthree")
      #expect(answer.status == 200)
      #expect(try answer.json()["records"] as? Int == 3)
      #expect(try answer.json()["first"] as? String == "1-0")
      #expect(try answer.json()["next"] as? String == "1-3")
      #expect(fixture.queue.durableEnd == Offset(3))
      #expect(try await fixture.get(records + "?offset=oldest").text == "one\ntwo\nthree\n")
    }
  }

  @Test func `a body larger than a block arrives in order`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let body = (0..<60_000).map { "record number \($0)\n" }.joined()
      let answer = try await fixture.request(.POST, records, body: body)
      #expect(try answer.json()["records"] as? Int == 60_000)
      #expect(try await fixture.get(records + "?offset=oldest&max_bytes=64MiB").text == body)
    }
  }

  @Test func `a gzip body may have several members, and one that breaks off is refused`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      func member(_ text: String) -> [UInt8] {
        let parts = Array(text.utf8).withUnsafeBytes { [BlockCodec.shared.deflate($0)] }
        return GzipMember(joining: parts).pieces.flatMap(\.array)
      }
      let gzip = [("Content-Encoding", "gzip")]
      let whole = member("a\n") + member("b\nc")
      #expect(try await fixture.push(whole, headers: gzip).status == 200)
      #expect(try await fixture.get(records + "?offset=oldest").lines == ["a", "b", "c"])
      let cut = try await fixture.push(Array(whole.dropLast(3)), headers: gzip)
      #expect(cut.status == 400)
      #expect(cut.code == "bad_body")
      #expect(try await fixture.push(Array("not gzip".utf8), headers: gzip).code == "bad_body")
      #expect(try await fixture.push(whole, headers: [("Content-Encoding", "br")]).status == 415)
      #expect(fixture.queue.durableEnd == Offset(3))
    }
  }

  @Test func `the elements of a JSON array are records`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let body = #" [ {"headers": {"host": "a"}, "body": "x, [y]"} , "text \"quoted\"", 12, [1,"]"],  null ] "#
      let answer = try await fixture.request(.POST, records, headers: [("Content-Type", "application/json; charset=utf-8")], body: body)
      #expect(try answer.json()["records"] as? Int == 5, "\(answer.text)")
      #expect(
        try await fixture.get(records + "?offset=oldest").lines == [
          #"{"headers": {"host": "a"}, "body": "x, [y]"}"#, #"text "quoted""#, "12", #"[1,"]"]"#, "null",
        ])
      let json = [("Content-Type", "application/json")]
      #expect(try await fixture.request(.POST, records, headers: json, body: "{}").code == "bad_body")
      #expect(try await fixture.request(.POST, records, headers: json, body: "[1,]").code == "bad_body")
      #expect(try await fixture.request(.POST, records, headers: json, body: #"["a\nb"]"#).code == "bad_body")
      #expect(try await fixture.request(.POST, records, headers: json, body: "[]").status == 200)
      #expect(fixture.queue.durableEnd == Offset(5))
    }
  }

  @Test func `what is too large is refused`() async throws {
    try await ServerFixture.run(configure: { $0.limits.bodyBytes = 1 << 20 }) { (fixture) async throws in
      let large = String(repeating: "0123456789abcde\n", count: 70_000)
      let answer = try await fixture.request(.POST, records, body: large)
      #expect(answer.status == 413)
      #expect(answer.code == "body_too_large")
      #expect(try answer.json()["appended_records"] == nil)
      #expect(fixture.queue.durableEnd == .zero, "a length that is told is looked at before anything is appended")

      var request = HTTPClientRequest(url: "http://\(fixture.address)\(records)")
      request.method = .POST
      request.body = .bytes(large.utf8, length: .unknown)
      let response = try await ServerFixture.client.execute(request, timeout: .seconds(60))
      let streamed = ServerFixture.Answer(
        status: Int(response.status.code), headers: response.headers, body: try await response.body.collect(upTo: 1 << 20))
      #expect(streamed.code == "body_too_large")
      let appended = try #require(try streamed.json()["appended_records"] as? Int)
      #expect(appended > 0, "what came before stands in the queue, and is told")
      #expect((try streamed.json()["detail"] as? String)?.contains("first \(appended) records are in the queue already") == true)
    }
  }

  @Test func `a form is refused`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let answer = try await fixture.request(
        .POST, records, headers: [("Content-Type", "multipart/form-data; boundary=x")], body: "--x\n\nline\n--x--\n")
      #expect((answer.status, answer.code) == (415, "unsupported_type"))
      #expect(fixture.queue.durableEnd == .zero)
    }
  }

  @Test func `a full queue takes nothing, and takes records again when there is room`() async throws {
    try await ServerFixture.run(options: { $0.maxSize = 1 << 20 }) { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/slow")
      let filling = Task {
        var generator = SplitMix64(seed: 3)
        // Nothing that compresses, and more than the queue may have.
        for _ in 0..<60 {
          let line = { String((0..<400).map { _ in Character(UnicodeScalar(UInt8.random(in: 33...126, using: &generator))) }) }
          try await fixture.append((0..<50).map { _ in line() })
        }
      }
      while !fixture.queue.isFull { await Task.yield() }
      let end = fixture.queue.endOffset
      let refused = try await fixture.request(.POST, records, body: "more")
      #expect(refused.status == 429)
      #expect(refused.code == "queue_full")
      #expect(refused.headers.first(name: "Retry-After") != nil)
      #expect(fixture.queue.endOffset == end)
      #expect(try await fixture.request(.DELETE, "/v1/queues/app/consumers/slow").status == 204)
      try await filling.value
      #expect(try await fixture.request(.POST, records, body: "more").status == 200)
    }
  }
}

extension ServerFixture {
  func push(_ bytes: [UInt8], headers: [(String, String)]) async throws -> Answer {
    var request = HTTPClientRequest(url: "http://\(address)/v1/queues/app/records")
    request.method = .POST
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    request.body = .bytes(ByteBuffer(bytes: bytes))
    let response = try await Self.client.execute(request, timeout: .seconds(60))
    return Answer(status: Int(response.status.code), headers: response.headers, body: try await response.body.collect(upTo: 1 << 20))
  }
}
