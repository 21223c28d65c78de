import Foundation
import HTTPSink
import PipelineCore
import RecordBlocks
import Testing

@Suite struct `HTTP sink: what is sent` {
  private static let lines = ["first", "", "\tindented  ", "naïve — ☃", String(repeating: "long ", count: 5000)]

  private func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

  @Test func `lines travel byte for byte when compression is none`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url) { $0.compression = .none }
    _ = try await sink.deliver(delivery(Self.lines))
    await sink.close()
    let request = try #require(server.requests.first)
    #expect(request.line == "POST /ingest HTTP/1.1")
    #expect(request.text == text(Self.lines))
    #expect(request.header("content-length") == String(request.body.count))
    #expect(request.header("transfer-encoding") == nil)
    #expect(request.header("content-encoding") == nil)
    #expect(request.header("content-type") == "text/plain; charset=utf-8")
    #expect(request.header("user-agent") == "sluice")
    #expect(request.header("host") == "127.0.0.1:\(server.port)")
    #expect(request.header("authorization") == "Bearer \(secret)")
  }

  @Test func `bytes that are not text travel as they are`() async throws {
    let records: [[UInt8]] = [[0, 1, 2, 13, 27, 0xFF, 0xFE], [0xC0, 0xAF], [], (0...255).filter { $0 != 10 }]
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url) { $0.compression = .none }
    _ = try await sink.deliver(delivery([BlockSlice(block(records))]))
    await sink.close()
    #expect(server.requests.first?.body == records.flatMap { $0 + [10] })
  }

  @Test func `gzip is exactly one member of the stored data whatever the number of blocks`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url)
    let all = (0..<400).map { "record \($0) \(String(repeating: "x", count: $0))" }
    let blocks = stride(from: 0, to: 400, by: 100).map { block(Array(all[$0..<$0 + 100]), base: UInt64($0)) }
    _ = try await sink.deliver(delivery(blocks.map { BlockSlice($0) }))
    await sink.close()
    let request = try #require(server.requests.first)
    #expect(request.header("content-encoding") == "gzip")
    #expect(request.header("content-length") == String(request.body.count))
    let gunzipped = Gunzipped(request.body)
    #expect(gunzipped.memberCount == 1 && gunzipped.bytesAfterFirst == 0 && !gunzipped.isDamaged)
    #expect(String(decoding: gunzipped.bytes, as: UTF8.self) == text(all))
    // Not compressed again: the stored deflate data stands in the body.
    for block in blocks { #expect(request.body.firstRange(of: block.deflated.data.array) != nil) }
  }

  @Test func `a block that is cut at the edges of a batch gives its part only`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url)
    let first = block((0..<50).map { "a\($0)" }, base: 0)
    let second = block((0..<50).map { "b\($0)" }, base: 50)
    _ = try await sink.deliver(delivery([BlockSlice(first, Offset(40)..<Offset(50)), BlockSlice(second, Offset(50)..<Offset(53))]))
    await sink.close()
    let gunzipped = Gunzipped(try #require(server.requests.first).body)
    #expect(gunzipped.memberCount == 1 && gunzipped.bytesAfterFirst == 0)
    #expect(String(decoding: gunzipped.bytes, as: UTF8.self) == text((40..<50).map { "a\($0)" } + ["b0", "b1", "b2"]))
    #expect(server.requests.first?.header("sluice-first-offset") == "40")
    #expect(server.requests.first?.header("sluice-next-offset") == "53")
  }

  @Test(arguments: [HTTPSink.Configuration.Compression.none, .gzip])
  func `a JSON array embeds JSON and quotes the rest`(_ compression: HTTPSink.Configuration.Compression) async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url) {
      $0.format = .jsonArray
      $0.compression = compression
    }
    let lines = [#"{"level":"info","n":1}"#, "plain \"text\" \\ \u{1}", "", "[1,2]", "{broken"]
    _ = try await sink.deliver(delivery(lines))
    await sink.close()
    let request = try #require(server.requests.first)
    #expect(request.header("content-type") == "application/json")
    let body: [UInt8]
    if compression == .gzip {
      let gunzipped = Gunzipped(request.body)
      #expect(gunzipped.memberCount == 1 && gunzipped.bytesAfterFirst == 0 && request.header("content-encoding") == "gzip")
      body = gunzipped.bytes
    } else {
      body = request.body
    }
    let array = try #require(JSONSerialization.jsonObject(with: Data(body)) as? [Any])
    #expect(array.count == 5)
    #expect((array[0] as? [String: Any])?["level"] as? String == "info")
    #expect(array[1] as? String == lines[1])
    #expect(array[2] as? String == "")
    #expect(array[3] as? [Int] == [1, 2])
    #expect(array[4] as? String == "{broken")
    #expect(request.header("sluice-replaced-records") == nil)
  }

  @Test func `records with bytes that JSON can't have are counted in a header`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url) {
      $0.format = .jsonArray
      $0.compression = .none
    }
    _ = try await sink.deliver(delivery([BlockSlice(block([Array("a".utf8), [0x61, 0xFF, 0xFF], [0xC3]]))]))
    await sink.close()
    let request = try #require(server.requests.first)
    #expect(request.header("sluice-replaced-records") == "2")
    #expect(try JSONSerialization.jsonObject(with: Data(request.body)) as? [String] == ["a", "a\u{FFFD}\u{FFFD}", "\u{FFFD}"])
    #expect(sink.counters.replacedRecords == 2)
  }

  @Test func `many deliveries go in order over one connection`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url) { $0.compression = .none }
    for number in 0..<50 { _ = try await sink.deliver(delivery(["n\(number)"], base: UInt64(number))) }
    await sink.close()
    #expect(server.connectionCount == 1)
    #expect(server.requests.map(\.text) == (0..<50).map { "n\($0)\n" })
    #expect(sink.counters.requests == 50)
  }

  @Test func `the same range has the same key and the same bytes each time`() async throws {
    let server = ScriptedServer { connection in
      try connection.readRequest()
      try connection.answer(503)
      try connection.serveWell()
    }
    let sink = try await openSink(server.url)
    let batch = delivery((0..<10).map { "line \($0)" }, base: 7)
    #expect(await sink.complaint(about: batch)?.advice == .retry(after: nil))
    _ = try await sink.deliver(batch)
    await sink.close()
    #expect(server.requests.count == 2)
    #expect(server.requests.map { $0.header("idempotency-key") } == ["00ff-sink-0-7-17", "00ff-sink-0-7-17"])
    #expect(server.requests[0].body == server.requests[1].body)
    #expect(server.requests.map { $0.header("sluice-first-offset") } == ["7", "7"])
    #expect(server.requests.map { $0.header("sluice-next-offset") } == ["17", "17"])
  }

  @Test func `headers of the user replace type, agent and host`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url) {
      $0.headers = [
        .init("content-TYPE", "application/x-ndjson"), .init("User-Agent", "mine/1"), .init("Host", "logs.example"), .init("X-Tenant", "a"),
      ]
    }
    _ = try await sink.deliver(delivery(["{}"]))
    await sink.close()
    let request = try #require(server.requests.first)
    #expect(request.header("content-type") == "application/x-ndjson")
    #expect(request.header("user-agent") == "mine/1")
    #expect(request.header("host") == "logs.example")
    #expect(request.header("x-tenant") == "a")
  }

  @Test func `a user in the URL becomes Basic authorization, and the query is sent`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink("http://me:p%40ss@127.0.0.1:\(server.port)?key=abcdef&x=1") { $0.headers = [] }
    _ = try await sink.deliver(delivery(["x"]))
    await sink.close()
    let request = try #require(server.requests.first)
    #expect(request.line == "POST /?key=abcdef&x=1 HTTP/1.1")
    #expect(request.header("authorization") == "Basic " + Data("me:p@ss".utf8).base64EncodedString())
  }

  @Test func `a gap sends nothing, is counted and told`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let log = LogCapture()
    let sink = try await openSink(server.url, logger: log.logger)
    let gap = Gap(reason: .retention, records: 90, bytes: 4000, firstTime: 0, lastTime: 0)
    let next = try await sink.deliver(Delivery(first: Offset(10), next: Offset(100), content: .gap(gap), idempotencyKey: "k"))
    #expect(next == Offset(100))
    _ = try await sink.deliver(delivery(["after"], base: 100))
    await sink.close()
    #expect(server.requests.count == 1)
    #expect(sink.counters.gaps == 1)
    #expect(log.lines.count == 1)
    #expect(log.lines.first?.contains("retention") == true && log.lines.first?.contains("90") == true)
  }

  @Test func `a body of many megabytes arrives whole`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url)
    let batch = largeDelivery(megabytes: 12)
    _ = try await sink.deliver(batch)
    await sink.close()
    guard case .records(let slices) = batch.content else { return }
    let gunzipped = Gunzipped(try #require(server.requests.first).body)
    #expect(gunzipped.memberCount == 1 && gunzipped.bytesAfterFirst == 0)
    #expect(try gunzipped.bytes == slices.flatMap { try $0.lines().array })
  }

  @Test func `sync remembers nothing, and a sink can be opened again`() async throws {
    let server = ScriptedServer { try $0.serveWell() }
    let sink = try await openSink(server.url)
    #expect(try await sink.sync() == SinkState())
    #expect(sink.recovery == .repeatsRange)
    try await sink.open(SinkStart(state: SinkState(), cursor: Offset(5), queueHoldsCursor: false))
    _ = try await sink.deliver(delivery(["x"], base: 5))
    await sink.close()
    await sink.close()
    #expect(server.requests.count == 1)
  }
}
