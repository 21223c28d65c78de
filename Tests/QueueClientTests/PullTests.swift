import QueueClient
import Testing

@Suite struct `Pulls from a server` {
  private let request = PullRequest(queue: "app", reader: .consumer("nightly", commit: WireOffset(epoch: 3, offset: 10)))

  @Test(arguments: [true, false])
  func `a batch comes with its lines and its facts, compressed or not`(gzip: Bool) async throws {
    let server = ServerDouble { _ in batchReply(["one", "two"], from: 10, gzip: gzip, headers: ["Sluice-Gap: 8-10;retention;2;20"]) }
    var request = request
    request.maxRecords = 5
    request.minBytes = 2
    request.wait = .milliseconds(1500)
    let batch = try await client(server).pull(request)
    #expect(String(decoding: batch.body, as: UTF8.self) == "one\ntwo\n")
    #expect(batch.next == WireOffset(epoch: 3, offset: 12))
    #expect((batch.records, batch.byteCount, batch.lagRecords, batch.lagBytes) == (2, 8, 7, 70))
    #expect(batch.gap == PulledGap(first: 8, next: 10, reason: "retention", records: 2, bytes: 20))
    let sent = server.requests[0]
    #expect(sent.path == "/v1/queues/app/records")
    #expect(
      sent.query == [
        "consumer": "nightly", "commit": "3-10", "max_bytes": "1048576", "max_records": "5", "min_bytes": "2", "wait": "1500ms",
      ])
    #expect(sent.fields["accept-encoding"] == "gzip")
  }

  @Test func `nothing is an empty batch`() async throws {
    let server = ServerDouble { _ in
      ServerDouble.Reply(
        status: 204,
        headers: ["Sluice-First-Offset: 3-10", "Sluice-Next-Offset: 3-10", "Sluice-Records: 0", "Sluice-Bytes: 0", "Sluice-Lag: 0"])
    }
    let batch = try await client(server).pull(PullRequest(queue: "app", reader: .place(.newest)))
    #expect(batch.isEmpty)
    #expect(server.requests[0].query["offset"] == "newest")
  }

  @Test(arguments: [0, 1, 15, 100], [true, false])
  func `a batch whose body breaks off is asked for again and comes whole`(length: Int, gzip: Bool) async throws {
    let lines = (0..<100).map { "line \($0) \($0 &* 7_919_317 % 10_007)" }
    let server = ServerDouble { request in
      var reply = batchReply(lines, from: 10, gzip: gzip)
      if request.number < 2 { reply.brokenAt = length }
      return reply
    }
    let notices = Notices()
    let batch = try await client(server, retry: .unlimited, notices: notices).pull(request)
    #expect(String(decoding: batch.body, as: UTF8.self) == lines.map { $0 + "\n" }.joined())
    #expect(server.requests.count == 3)
    #expect(Set(server.requests.map(\.target)).count == 1)
    #expect(notices.all.count == 2 && notices.all[1] == "recovered", "\(notices.all)")
  }

  @Test func `a batch that is damaged on its way is asked for again`() async throws {
    let lines = (0..<100).map { "line \($0)" }
    let server = ServerDouble { request in
      var reply = batchReply(lines, from: 10)
      switch request.number {
      case 0: reply.body[reply.body.count / 2] ^= 0xFF
      case 1: reply.body += zip([0x0A])
      case 2: reply = batchReply(Array(lines.dropLast()), from: 10, headers: [])
      default: break
      }
      if request.number == 2 { reply.headers = batchReply(lines, from: 10).headers }
      return reply
    }
    let batch = try await client(server, retry: .unlimited).pull(request)
    #expect(batch.records == 100)
    #expect(server.requests.count == 4)
  }

  @Test func `a batch that stays damaged is an error once patience ends`() async throws {
    let server = ServerDouble { _ in
      var reply = batchReply(["one"], from: 10)
      reply.body[reply.body.count - 6] ^= 1
      return reply
    }
    let clock = ImmediateClock()
    let error = await #expect(throws: QueueClientError.self) {
      try await client(server, clock: clock, retry: RetryPolicy(patience: .seconds(30), includesFirstContact: true)).pull(request)
    }
    #expect(error?.code == .brokenAnswer)
    #expect(clock.sleeps.reduce(.zero, +) >= .seconds(30))
  }

  @Test func `a busy server is asked again, not before the time that it says`() async throws {
    let server = ServerDouble { request in
      request.number == 0
        ? .problem(429, #"{"code":"too_many_waiters","detail":"too many wait; come again"}"#, ["Retry-After: 7"])
        : batchReply(["one"], from: 10)
    }
    let clock = ImmediateClock()
    #expect(try await client(server, clock: clock).pull(request).records == 1)
    #expect(clock.sleeps.count == 1 && clock.sleeps[0] >= .seconds(7) && clock.sleeps[0] <= .seconds(8))
  }

  @Test func `a batch larger than was asked for is refused, but for one record alone`() async throws {
    let long = String(repeating: "x", count: 5000)
    var request = request
    request.maxBytes = 1000
    let single = ServerDouble { _ in batchReply([long], from: 10) }
    #expect(try await client(single).pull(request).byteCount == 5001)
    let several = ServerDouble { _ in batchReply([long, long], from: 10) }
    let error = await #expect(throws: QueueClientError.self) { try await client(several).pull(request) }
    #expect(error?.code == .notSluice)
  }

  @Test func `a segment's download goes on where the connection broke`() async throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let server = ServerDouble { request in
      let range = request.fields["range"].flatMap { $0.dropFirst("bytes=".count).split(separator: "-").first }.flatMap { Int($0) }
      switch request.number {
      case 0: return ServerDouble.Reply(body: bytes, brokenAt: 30_000)
      case 1: return ServerDouble.Reply(status: 206, body: Array(bytes[(range ?? 0)...]), brokenAt: 20_000)
      // A server, or something before it, that doesn't know ranges.
      default: return ServerDouble.Reply(body: bytes)
      }
    }
    var got: [UInt8] = []
    let segment = try #require(
      RemoteSegment(json: #"{"name":"00000000000000000000.gz","first_offset":0,"next_offset":9,"stored_bytes":100000,"sealed":true}"#))
    try await client(server, retry: .unlimited).download(segment, of: "app") { got += $0 }
    #expect(got == bytes)
    #expect(server.requests.count == 3)
    #expect(server.requests[1].fields["range"] == "bytes=30000-")
    struct DiskFull: Error {}
    await #expect(throws: DiskFull.self) { try await client(server).download(segment, of: "app") { _ in throw DiskFull() } }
  }
}

@Suite struct `Pushes to a server` {
  private static let receipt = #"{"first":"3-10","next":"3-12","records":2,"bytes":8,"replayed":true}"#

  @Test func `a push whose answer is lost is sent again with the same lines under the same key`() async throws {
    let server = ServerDouble { $0.number < 2 ? .nothing : .json(Self.receipt) }
    let receipt = try await client(server, retry: .unlimited).push(Array("one\ntwo\n".utf8), to: "app", key: "key-1")
    #expect(receipt.next == WireOffset(epoch: 3, offset: 12))
    #expect(receipt.replayed)
    #expect(server.requests.map { $0.fields["idempotency-key"] } == ["key-1", "key-1", "key-1"])
    #expect(server.requests.map(\.text) == Array(repeating: "one\ntwo\n", count: 3))
  }

  @Test func `a full queue is waited for as long as it takes`() async throws {
    let server = ServerDouble {
      $0.number < 50 ? .problem(429, #"{"code":"queue_full","detail":"the queue is full"}"#, ["Retry-After: 5"]) : .json(Self.receipt)
    }
    let clock = ImmediateClock()
    let notices = Notices()
    _ = try await client(server, clock: clock, retry: .persistent, notices: notices).push([0x0A], to: "app", key: "k")
    #expect(clock.sleeps.count == 50 && clock.sleeps.allSatisfy { $0 >= .seconds(5) })
    #expect(notices.all.count == 2, "told once, and once that it is over")
  }

  @Test func `other lines under a used key are an error`() async throws {
    let server = ServerDouble { _ in .problem(422, #"{"code":"key_conflict","detail":"other lines came under this key"}"#) }
    let error = await #expect(throws: QueueClientError.self) { try await client(server).push([0x0A], to: "app", key: "k") }
    #expect(error?.problem?.code == "key_conflict")
    #expect(server.requests.count == 1)
  }
}
