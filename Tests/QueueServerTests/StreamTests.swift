import AsyncHTTPClient
import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import QueueServer

@Suite("Streaming over HTTP", .timeLimit(.minutes(1))) struct StreamTests {
  private let path = "/v1/queues/app/stream"

  @Test func `gives what is there, then what becomes durable, and a heartbeat when nothing does`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["a", "b", "c"])
      var stream = try await fixture.open(path + "?offset=oldest&heartbeat=1s")
      #expect(stream.status == 200)
      #expect(stream.headers.first(name: "Content-Type") == "application/x-ndjson")
      #expect(stream.headers.first(name: "Cache-Control") == "no-store")
      #expect(try await stream.next() == Event("records", "1-0", "1-3", ["a", "b", "c"]))
      try await fixture.untilWaiting(1)
      try await fixture.append(["d"])
      #expect(try await stream.next() == Event("records", "1-3", "1-4", ["d"]))
      #expect(try await stream.nextOfAll() == Event("heartbeat", nil, "1-4"))
      try await fixture.append(["e"])
      #expect(try await stream.next() == Event("records", "1-4", "1-5", ["e"]))
    }
  }

  @Test func `tells at once where it stands when nothing is there`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["a", "b", "c"])
      var stream = try await fixture.open(path + "?offset=newest&heartbeat=60s")
      #expect(try await stream.nextOfAll() == Event("heartbeat", nil, "1-3"))
      try await fixture.append(["d"])
      #expect(try await stream.next() == Event("records", "1-3", "1-4", ["d"]))
    }
  }

  @Test func `is Server-Sent Events for who accepts them, whatever a record holds`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["data: x\r\rid: 7\r", "quote \" backslash \\ tab \t"])
      for (query, headers) in [("&format=sse", [("Accept", "*/*")]), ("", [("Accept", "text/html, text/event-stream;q=0.9")])] {
        var stream = try await fixture.open(path + "?offset=oldest" + query, headers: headers)
        #expect(stream.headers.first(name: "Content-Type") == "text/event-stream")
        let text = try await stream.text(until: "\n\n")
        #expect(
          text
            == "event: records\nid: 1-2\ndata: {\"type\":\"records\",\"first\":\"1-0\",\"next\":\"1-2\",\"lag\":0,\"lines\":"
            + #"["data: x\r\rid: 7\r","quote \" backslash \\ tab \t"]}"# + "\n\n")
      }
      let ndjson = try await fixture.open(path + "?offset=oldest&format=ndjson", headers: [("Accept", "text/event-stream")])
      #expect(ndjson.headers.first(name: "Content-Type") == "application/x-ndjson")
    }
  }

  @Test func `of a consumer begins at its cursor, commits nothing, and what was sent can be committed`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job")
      try await fixture.append(["a", "b", "c", "d"])
      let commit = "/v1/queues/app/consumers/job/commit"
      #expect(try await fixture.request(.POST, commit, body: #"{"offset": "1-2"}"#).code == "commit_out_of_range")
      do {
        var stream = try await fixture.open(path + "?consumer=job&max_bytes=4")
        #expect(try await stream.next() == Event("records", "1-0", "1-2", ["a", "b"]))
        #expect(try await stream.next() == Event("records", "1-2", "1-4", ["c", "d"]))
        #expect(try await fixture.get("/v1/queues/app/consumers/job").json()["cursor"] as? String == "1-0")
        #expect(try await fixture.request(.POST, commit, body: #"{"offset": "1-3"}"#).status == 200)
        #expect(try await fixture.request(.POST, commit, body: #"{"offset": "1-5"}"#).code == "commit_out_of_range")
        try await fixture.append(["e"])
        #expect(try await stream.next() == Event("records", "1-4", "1-5", ["e"]))
      }
      var again = try await fixture.open(path + "?consumer=job")
      #expect(try await again.next() == Event("records", "1-3", "1-5", ["d", "e"]))
      // Who says what it has is not given it again.
      var resumed = try await fixture.open(path + "?consumer=job", headers: [("Last-Event-ID", "1-4")])
      #expect(try await resumed.next() == Event("records", "1-4", "1-5", ["e"]))
      // Behind its cursor, or ahead of all that it was given, it can't be.
      for place in ["1-2", "1-9"] {
        var stream = try await fixture.open(path + "?consumer=job", headers: [("Last-Event-ID", place)])
        #expect(try await stream.next()?.first == "1-3")
      }
    }
  }

  @Test func `goes on behind Last-Event-ID, whatever the offset says`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["a", "b", "c"])
      for query in ["?offset=oldest", "?offset=newest", ""] {
        var stream = try await fixture.open(path + query, headers: [("Last-Event-ID", "1-1")])
        #expect(try await stream.next() == Event("records", "1-1", "1-3", ["b", "c"]))
      }
      for (place, status, code) in [("2-1", 410, "stale_epoch"), ("1-4", 400, "bad_parameter"), ("x", 400, "bad_parameter")] {
        let refused = try await fixture.get(path, headers: [("Last-Event-ID", place)])
        #expect((refused.status, refused.code) == (status, code))
      }
    }
  }

  @Test func `ends with an error when its consumer is set elsewhere or deleted, also while it waits`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let consumer = "/v1/queues/app/consumers/job"
      _ = try await fixture.request(.PUT, consumer)
      try await fixture.append(["a", "b"])
      var stream = try await fixture.open(path + "?consumer=job&heartbeat=60s")
      #expect(try await stream.next()?.next == "1-2")
      try await fixture.untilWaiting(1)
      #expect(try await fixture.request(.POST, consumer + "/seek", body: #"{"to": "oldest"}"#).status == 200)
      let moved = try await stream.next()
      #expect((moved?.type, moved?.code, moved?.status) == ("error", "consumer_moved", 409))
      #expect(try await stream.next() == nil)
      var again = try await fixture.open(path + "?consumer=job&heartbeat=60s")
      #expect(try await again.next()?.next == "1-2")
      try await fixture.untilWaiting(1)
      #expect(try await fixture.request(.DELETE, consumer).status == 204)
      let gone = try await again.next()
      #expect((gone?.type, gone?.code, gone?.status) == ("error", "unknown_consumer", 404))
      #expect(try await again.next() == nil)
    }
  }

  @Test func `a stop ends it with an event and a whole body`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["a"])
      var stream = try await fixture.open(path + "?offset=oldest&heartbeat=60s")
      #expect(try await stream.next()?.type == "records")
      try await fixture.untilWaiting(1)
      await fixture.server.stop()
      let end = try await stream.next()
      #expect((end?.type, end?.code, end?.next) == ("end", "stopping", "1-1"))
      #expect(try await stream.next() == nil)
    }
  }

  @Test func `a gap is an event at its place, and the stream goes on behind it`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["before"])
      let writer = try fixture.queue.writer(source: "network")
      writer.recordGap(Gap(reason: .kernelDrop, records: 17, bytes: 0, firstTime: 1, lastTime: 2))
      try await fixture.queue.synchronize()
      try await fixture.append(["behind"])
      var stream = try await fixture.open(path + "?offset=oldest")
      #expect(try await stream.next() == Event("records", "1-0", "1-1", ["before"]))
      let gap = try await stream.next()
      #expect((gap?.type, gap?.first, gap?.next, gap?.reason, gap?.records) == ("gap", "1-1", "1-2", "kernel_drop", 17))
      #expect(try await stream.next() == Event("records", "1-2", "1-3", ["behind"]))
    }
  }

  @Test func `what is gone is refused at the beginning, and a gap for who goes on and for a consumer`() async throws {
    try await ServerFixture.run(options: {
      $0.maxSize = 1 << 20
      $0.keep = .zero
    }) { (fixture) async throws in
      _ = try await fixture.request(.PUT, "/v1/queues/app/consumers/job", body: #"{"hold": "1kB"}"#)
      var generator = SplitMix64(seed: 7)
      while fixture.queue.startOffset == .zero {
        // Nothing that compresses: the queue must fill.
        try await fixture.append(
          (0..<50).map { _ in String((0..<400).map { _ in Character(UnicodeScalar(UInt8.random(in: 33...126, using: &generator))) }) })
      }
      let oldest = Int(fixture.queue.startOffset.rawValue)
      #expect(try await fixture.get(path + "?offset=1-0").code == "offset_gone")
      for (query, headers) in [("", [("Last-Event-ID", "1-0")]), ("?consumer=job", [])] {
        var stream = try await fixture.open(path + query, headers: headers)
        let gap = try await stream.next()
        #expect((gap?.type, gap?.first, gap?.next, gap?.reason) == ("gap", "1-0", "1-\(oldest)", "retention"))
        #expect(gap?.records == oldest)
        #expect(try await stream.next()?.first == "1-\(oldest)")
      }
      let commit = try await fixture.request(.POST, "/v1/queues/app/consumers/job/commit", body: #"{"offset": "1-\#(oldest + 1)"}"#)
      #expect(try commit.json()["lost_records"] as? Int == oldest)
    }
  }

  @Test func `it takes a waiter's place for as long as it is open`() async throws {
    try await ServerFixture.run(configure: { $0.limits.waiters = 2 }) { (fixture) async throws in
      do {
        var streams = [try await fixture.open(path + "?offset=newest"), try await fixture.open(path + "?offset=newest")]
        for index in streams.indices { #expect(try await streams[index].nextOfAll()?.type == "heartbeat") }
        try await fixture.untilMetric("sluice_http_streams{queue=\"app\"} 2")
        let refused = try await fixture.get(path + "?offset=newest")
        #expect((refused.status, refused.code) == (429, "too_many_waiters"))
        #expect(try await fixture.get("/v1/queues/app/records?offset=newest&wait=1s").status == 429)
        streams.removeAll()
      }
      try await fixture.untilMetric("sluice_http_streams{queue=\"app\"} 0")
      #expect(try await fixture.get("/v1/queues/app/records?offset=newest&wait=1ms").status == 204)
    }
  }

  @Test func `delivered records are counted as a pull's are`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      try await fixture.append(["a", "bc"])
      for _ in 0..<2 {
        var stream = try await fixture.open(path + "?offset=oldest")
        #expect(try await stream.next()?.lines == ["a", "bc"])
        try await fixture.untilWaiting(1)
        stream.close()
        try await fixture.untilWaiting(0)
      }
      let metrics = try await fixture.get("/metrics").lines
      #expect(metrics.contains("sluice_http_delivered_records_total{queue=\"app\"} 4"))
      #expect(metrics.contains("sluice_http_delivered_bytes_total{queue=\"app\"} 10"))
      #expect(metrics.contains("sluice_http_requests_total{operation=\"streamRecords\",code=\"200\"} 2"))
    }
  }

  @Test func `many streams of one queue all get every line in order`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let lines = (0..<3000).map { "line \($0) \(String(repeating: "x", count: $0 % 97))" }
      let readers = (0..<20).map { number in
        Task { [path] () async throws -> [String] in
          var stream = try await fixture.open(path + "?offset=oldest&max_bytes=\(number % 2 == 0 ? 500 : 20_000)")
          var found: [String] = []
          while found.count < lines.count, let event = try await stream.next() { found += event.lines ?? [] }
          return found
        }
      }
      for start in stride(from: 0, to: lines.count, by: 100) { try await fixture.append(Array(lines[start..<start + 100])) }
      for reader in readers { #expect(try await reader.value == lines) }
    }
  }

  @Test(arguments: [
    ("", "consumer=NAME"), ("?consumer=a&offset=oldest", "not both"), ("?offset=oldest&heartbeat=61s", "at most 60s"),
    ("?offset=oldest&heartbeat=10ms", "1s to 60s"), ("?offset=oldest&max_bytes=9MiB", "max_bytes"), ("?offset=oldest&format=xml", "ndjson"),
    ("?offset=oldest&wait=5s", "known are"), ("?offset=1-7", "behind"),
  ])
  func `a wrong parameter is named with what is allowed`(query: String, part: String) async throws {
    try await ServerFixture.run { (fixture) async throws in
      let answer = try await fixture.get(path + query)
      #expect((answer.status, answer.code) == (400, "bad_parameter"))
      #expect((try answer.json()["detail"] as? String)?.contains(part) == true, "\(answer.text)")
    }
  }
}

@Suite("Those who wait for records", .timeLimit(.minutes(1))) struct WaitRoomTests {
  @Test func `who is woken on his way to wait doesn't wait`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let clients = ClientPresence()
      let channel = EmbeddedChannel(handler: clients.makeHandler())
      let room = WaitRoom(limit: 1, clients: clients)
      let reader = WaitRoom.Reader(consumer: "job", of: fixture.queue)
      let wakes = room.wakes
      room.wake(reader)
      let outcome = try await room.wait(
        for: fixture.queue, beyond: fixture.queue.durableEnd, until: .now + .seconds(3600), connection: ObjectIdentifier(channel),
        as: reader, since: wakes)
      #expect(outcome == .recordsOrTime)
      #expect(room.count == 0)
      _ = try? channel.finish()
    }
  }

  @Test func `a seat is taken until nobody refers to it, and its holder waits within it`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let room = WaitRoom(limit: 1, clients: ClientPresence())
      var seat: WaitRoom.Seat? = try room.seat(for: fixture.queue)
      #expect(throws: Problem.self) { try room.seat(for: fixture.queue) }
      // Nobody is at this connection.
      let outcome = try await room.wait(
        for: fixture.queue, beyond: fixture.queue.durableEnd, until: .now + .seconds(3600), connection: ObjectIdentifier(room), in: seat)
      #expect(outcome == .clientGone)
      #expect(throws: Problem.self) { try room.seat(for: fixture.queue) }
      seat = nil
      _ = try room.seat(for: fixture.queue)
    }
  }
}

@Suite("Memory for answers") struct ResponseBudgetTests {
  @Test func `under pressure a share is cut, but not below what its kind needs at least`() throws {
    let budget = ResponseBudget(total: 1 << 20)
    var shares = [try budget.share(of: 600 << 10)]
    while let share = try? budget.share(of: 1 << 20, least: 16 << 10) { shares.append(share) }
    let counts = shares.dropFirst().map(\.byteCount)
    #expect(counts.first == (424 << 10) / 8)
    #expect(counts.dropFirst().allSatisfy { $0 >= 16 << 10 })
    #expect(try #require(counts.last) == 16 << 10)
    #expect(budget.inUse >= 1 << 20)
    shares.removeAll()
    #expect(budget.inUse == 0)
  }
}

@Suite("Lines as JSON strings") struct StreamLineWriterTests {
  private func written(_ lines: [[UInt8]]) throws -> (lines: [String], replaced: Int) {
    var text = ByteBuffer(string: "[")
    var writer = StreamLineWriter()
    writer.write(SharedBytes.of(lines.flatMap { $0 + [0x0A] }), to: &text)
    text.writeString("]")
    #expect(text.readableBytesView.allSatisfy { $0 >= 0x20 }, "nothing in it ends a line")
    return (try JSONDecoder().decode([String].self, from: Data(text.readableBytesView)), writer.replacedCount)
  }

  @Test func `any bytes become what decoding them gives, and lines with replaced ones are counted`() throws {
    var generator = SplitMix64(seed: 11)
    let alphabet: [[UInt8]] = [
      [0], [0x0D], [0x22], [0x5C], [0x7F], Array("é".utf8), Array("日".utf8), Array("😀".utf8), [0xC3], [0xE6, 0x97], [0xF0, 0x9F, 0x98],
      [0x80], [0xFF], [0xED, 0xA0, 0x80], Array("plain text ".utf8),
    ]
    for _ in 0..<50 {
      let lines = (0..<20).map { _ in
        (0..<Int.random(in: 0...30, using: &generator)).flatMap { _ in alphabet.randomElement(using: &generator)! }
      }
      let found = try written(lines)
      let expected = lines.map { String(decoding: $0, as: UTF8.self) }
      #expect(found.lines == expected)
      #expect(found.replaced == zip(lines, expected).count { $0 != Array($1.utf8) })
    }
  }

  @Test func `a long line is whole, wherever its characters lie`() throws {
    for shift in 0..<5 {
      for unit in ["é", "日", "😀", "a"] {
        let line = String(repeating: "a", count: shift) + String(repeating: unit, count: 20_000)
        let found = try written([Array(line.utf8), Array("next".utf8)])
        #expect(found.lines == [line, "next"])
        #expect(found.replaced == 0)
      }
      let continuations = [UInt8](repeating: 0x61, count: shift) + [UInt8](repeating: 0x80, count: 40_000)
      #expect(try written([continuations]).lines == [String(decoding: continuations, as: UTF8.self)])
    }
  }
}

@Suite("Events kept for other streams") struct StreamEventCacheTests {
  @Test func `are the newest, within bounds`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let queue = fixture.queue
      try await fixture.append((0..<200).map { "line \($0)" })
      let cache = StreamEventCache()
      let budget = ResponseBudget(total: 1 << 20)
      for first in 0..<200 {
        let batch = try #require(try queue.reader().read(from: Offset(UInt64(first)), limits: BatchLimits(maxRecords: 1, maxBytes: 100)))
        guard case .records(let slices) = batch.content else { continue }
        let range = PulledBatch.Range(
          first: batch.first, next: batch.next, slices: slices, recordCount: 1, byteCount: batch.byteCount, lag: (0, 0))
        cache.keep(
          try StreamEvent(records: range, of: queue, try budget.share(of: 100)), from: batch.first, maxBytes: 100, of: queue)
      }
      let kept = (0..<200).filter { cache.event(from: Offset(UInt64($0)), maxBytes: 100, of: queue) != nil }
      #expect(kept == Array(136..<200))
      #expect(cache.event(from: Offset(150), maxBytes: 99, of: queue) == nil, "another size is another event")
      #expect(budget.inUse < 64 * 256)
      cache.forget(queue)
      #expect(cache.event(from: Offset(150), maxBytes: 100, of: queue) == nil)
      #expect(budget.inUse == 0)
    }
  }
}

extension SharedBytes {
  fileprivate static func of(_ bytes: [UInt8]) -> SharedBytes { bytes.withUnsafeBytes { SharedBytes(copying: $0) } }
}

/// One event, as the line of JSON tells it.
struct Event: Decodable, Equatable {
  var type: String
  var first: String?
  var next: String?
  var lines: [String]?
  var reason: String?
  var records: Int?
  var code: String?
  var status: Int?

  init(_ type: String, _ first: String?, _ next: String, _ lines: [String]? = nil) {
    (self.type, self.first, self.next, self.lines) = (type, first, next, lines)
  }
}

/// A stream that a test has open; it closes with it.
struct OpenedStream {
  let status: Int
  let headers: HTTPHeaders
  private var pieces: HTTPClientResponse.Body.AsyncIterator?
  private var unread = ByteBuffer()

  init(_ response: HTTPClientResponse) {
    status = Int(response.status.code)
    headers = response.headers
    pieces = response.body.makeAsyncIterator()
  }

  /// The next event but heartbeats, which come when the machine is slow, too; nil at the answer's end.
  mutating func next() async throws -> Event? {
    while let event = try await nextOfAll() {
      if event.type != "heartbeat" { return event }
    }
    return nil
  }

  /// The next event of one JSON object a line; nil at the answer's end.
  mutating func nextOfAll() async throws -> Event? {
    guard let line = try await text(until: "\n") else { return nil }
    return try JSONDecoder().decode(Event.self, from: Data(line.utf8))
  }

  /// What comes up to and with `mark`; nil at the answer's end.
  mutating func text(until mark: String) async throws -> String? {
    while true {
      if let found = Array(unread.readableBytesView).firstRange(of: Array(mark.utf8)) { return unread.readString(length: found.upperBound) }
      guard var piece = try await pieces?.next(isolation: #isolation) else {
        #expect(unread.readableBytes == 0, "an answer ends behind an event")
        return nil
      }
      unread.writeBuffer(&piece)
    }
  }

  mutating func close() { pieces = nil }
}

extension ServerFixture {
  /// Opens a stream; returns when its head has come.
  func open(_ path: String, headers: [(String, String)] = []) async throws -> OpenedStream {
    var request = HTTPClientRequest(url: "http://\(address)\(path)")
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    return OpenedStream(try await Self.client.execute(request, deadline: .distantFuture))
  }

  /// Returns when a line stands among the metrics.
  func untilMetric(_ line: String) async throws {
    while try await !get("/metrics").lines.contains(line) { await Task.yield() }
  }
}
