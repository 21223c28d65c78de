import QueueClient
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Streams from a server` {
  private let request = StreamRequest(queue: "app", reader: .place(.oldest))

  /// `records` events of the lines `first..<next`, so many in each.
  private static func events(_ range: Range<Int>, each count: Int = 10) -> String {
    stride(from: range.lowerBound, to: range.upperBound, by: count).map { first in
      let next = min(first + count, range.upperBound)
      let lines = (first..<next).map { "\"line \($0)\"" }.joined(separator: ",")
      return #"{"type":"records","first":"3-\#(first)","next":"3-\#(next)","lag":5,"lines":[\#(lines)]}"# + "\n"
    }.joined()
  }

  private static func reply(_ text: String) -> ServerDouble.Reply {
    ServerDouble.Reply(headers: ["Content-Type: application/x-ndjson"], body: Array(text.utf8))
  }

  /// Where a request wants to go on.
  private static func place(_ request: ServerDouble.Request) -> Int {
    request.fields["last-event-id"].map { Int($0.dropFirst(2)) ?? -1 } ?? 0
  }

  /// The lines of the events up to and with the last before offset `end`.
  private func lines(_ stream: RecordStream, upTo end: UInt64) async throws -> [String] {
    var found: [String] = []
    for try await event in stream {
      if case .records(let records) = event { found += records.lines }
      if event.next.offset >= end { break }
    }
    return found
  }

  @Test func `events come with their facts`() async throws {
    let server = ServerDouble { _ in
      Self.reply(
        """
        {"type":"heartbeat","next":"3-7","lag":0}
        {"type":"records","first":"3-7","next":"3-9","lag":4,"lines":["a\\rb","\u{FFFD}"],"replaced":1}
        {"type":"gap","first":"3-9","next":"3-12","reason":"retention","records":2,"bytes":20}
        {"type":"records","first":"3-12","next":"3-13","lag":0,"lines":[""],"what is new":true}

        """)
    }
    var request = StreamRequest(queue: "app", reader: .consumer("nightly"))
    request.resume = WireOffset(epoch: 3, offset: 7)
    request.maxBytes = 1000
    var events: [StreamEvent] = []
    for try await event in try client(server).stream(request) {
      events.append(event)
      if events.count == 4 { break }
    }
    func place(_ offset: UInt64) -> WireOffset { WireOffset(epoch: 3, offset: offset) }
    #expect(
      events == [
        .heartbeat(next: place(7), lagRecords: 0),
        .records(StreamedRecords(first: place(7), next: place(9), lines: ["a\rb", "\u{FFFD}"], lagRecords: 4, replacedLines: 1)),
        .gap(PulledGap(first: 9, next: 12, reason: "retention", records: 2, bytes: 20), next: place(12)),
        .records(StreamedRecords(first: place(12), next: place(13), lines: [""])),
      ])
    #expect(events.map(\.next.offset) == [7, 9, 12, 13])
    let sent = server.requests[0]
    #expect(sent.path == "/v1/queues/app/stream")
    #expect(sent.query == ["consumer": "nightly", "max_bytes": "1000", "heartbeat": "15000ms"])
    #expect(sent.fields["last-event-id"] == "3-7")
    #expect(sent.fields["accept"] == "application/x-ndjson")
  }

  @Test func `wherever an answer breaks off, the next goes on, and nothing is missing or doubled`() async throws {
    let answer = Self.events(0..<40).utf8.count
    for length in stride(from: 0, to: answer, by: 29) {
      let server = ServerDouble { request in
        var reply = Self.reply(Self.events(Self.place(request)..<100))
        if request.number < 5 { reply.brokenAt = length }
        return reply
      }
      let notices = Notices()
      let found = try await lines(client(server, retry: .unlimited, notices: notices).stream(request), upTo: 100)
      #expect(found == (0..<100).map { "line \($0)" })
      #expect(server.requests.count >= 2)
      #expect(notices.all.last == "recovered")
    }
  }

  @Test func `who begins at the newest goes on where that was`() async throws {
    let server = ServerDouble { request in
      switch request.number {
      case 0: Self.reply(#"{"type":"heartbeat","next":"3-20","lag":0}"# + "\n")
      default: Self.reply(Self.events(Self.place(request)..<30))
      }
    }
    let found = try await lines(client(server).stream(StreamRequest(queue: "app", reader: .place(.newest))), upTo: 30)
    #expect(found == (20..<30).map { "line \($0)" })
    #expect(server.requests.map { $0.fields["last-event-id"] } == [nil, "3-20"])
  }

  @Test func `a stop, a busy server and a full waiting room are waited out`() async throws {
    let server = ServerDouble { request in
      let place = Self.place(request)
      switch request.number {
      case 0: return Self.reply(Self.events(0..<10) + #"{"type":"end","next":"3-10","code":"stopping","detail":"it stops"}"# + "\n")
      case 1: return .problem(503, #"{"code":"starting","detail":"wait"}"#, ["Retry-After: 7"])
      case 2: return .problem(429, #"{"code":"too_many_waiters","detail":"wait"}"#)
      case 3: return Self.reply(Self.events(place..<place + 10) + #"{"type":"error","status":503,"code":"busy","detail":"busy"}"# + "\n")
      default: return Self.reply(Self.events(place..<30))
      }
    }
    let clock = ImmediateClock()
    #expect(try await lines(client(server, clock: clock).stream(request), upTo: 30) == (0..<30).map { "line \($0)" })
    #expect(clock.sleeps.count == 4)
    #expect(clock.sleeps[1] >= .seconds(7))
  }

  @Test func `what lasts is an error, after which nothing comes`() async throws {
    for reply in [
      Self.reply(#"{"type":"error","status":409,"code":"consumer_moved","detail":"it stands elsewhere"}"# + "\n"),
      .problem(404, #"{"code":"unknown_consumer","detail":"no such consumer"}"#),
    ] {
      let server = ServerDouble { _ in reply }
      var iterator = try client(server).stream(request).makeAsyncIterator()
      let error = await #expect(throws: QueueClientError.self) { try await iterator.next() }
      #expect(error?.code == .refused)
      #expect(error?.problem?.code == (reply.status == 404 ? "unknown_consumer" : "consumer_moved"))
      #expect(try await iterator.next() == nil)
      #expect(server.requests.count == 1)
    }
  }

  @Test(arguments: [
    #"{"type":"records","first":"3-10","next":"3-12","lines":["one"]}"#, #"{"type":"records","first":"3-10"}"#, #"{"type":"news"}"#, "x",
    "", #"{"type":"gap","first":"3-10","next":"3-10","reason":"retention","records":1,"bytes":1}"#,
  ])
  func `what is no event is no Sluice server's`(line: String) async throws {
    let server = ServerDouble { _ in Self.reply(line + "\n") }
    var iterator = try client(server).stream(request).makeAsyncIterator()
    let error = await #expect(throws: QueueClientError.self) { try await iterator.next() }
    #expect(error?.code == .notSluice)
    #expect(server.requests.count == 1)
  }

  @Test func `an event that never ends is cut off at its bound`() async throws {
    let server = ServerDouble { _ in Self.reply(String(repeating: "x", count: 200_000)) }
    var iterator = try client(server, { $0.maximumRecordBytes = 1000 }).stream(smaller()).makeAsyncIterator()
    let error = await #expect(throws: QueueClientError.self) { try await iterator.next() }
    #expect(error?.code == .notSluice)
    #expect(error?.description.contains("never ends") == true)
  }

  private func smaller() -> StreamRequest {
    var request = request
    request.maxBytes = 1000
    return request
  }

  @Test func `a stream that goes on elsewhere than where it should is asked for again`() async throws {
    for wrong in [0..<10, 11..<20, 9..<12] {
      let server = ServerDouble { request in
        switch request.number {
        case 0: Self.reply(Self.events(0..<10))
        case 1: Self.reply(Self.events(wrong))
        default: Self.reply(Self.events(Self.place(request)..<30))
        }
      }
      #expect(try await lines(client(server).stream(request), upTo: 30) == (0..<30).map { "line \($0)" })
      #expect(server.requests.count == 3)
    }
  }

  @Test func `a consumer that was set back meanwhile is followed, but not within an answer`() async throws {
    let server = ServerDouble { request in
      switch request.number {
      case 0: Self.reply(Self.events(0..<10))
      case 1: Self.reply(Self.events(5..<10) + Self.events(5..<10))
      default: Self.reply(Self.events(Self.place(request)..<20))
      }
    }
    let found = try await lines(client(server).stream(StreamRequest(queue: "app", reader: .consumer("job"))), upTo: 20)
    #expect(found == (Array(0..<10) + Array(5..<20)).map { "line \($0)" })
    #expect(server.requests.count == 3)
  }

  @Test func `a server that greets and falls silent again and again outlasts no patience`() async throws {
    let server = ServerDouble { _ in Self.reply(#"{"type":"heartbeat","next":"3-20","lag":0}"# + "\n") }
    let clock = ImmediateClock()
    let stream = try client(server, clock: clock).stream(StreamRequest(queue: "app", reader: .place(.newest)))
    var events = 0
    let error = await #expect(throws: QueueClientError.self) { for try await _ in stream { events += 1 } }
    #expect(error?.code == .brokenAnswer)
    #expect(clock.sleeps.reduce(.zero, +) >= .seconds(30))
    #expect(events == server.requests.count)
  }

  @Test func `who gives up is let go`() async throws {
    let server = ServerDouble { _ in Self.reply(Self.events(0..<10)) }
    let task = Task { [request] in
      for try await _ in try client(server, retry: .unlimited, { $0.clock = ContinuousClock() }).stream(request) {}
    }
    task.cancel()
    let error = await #expect(throws: QueueClientError.self) { try await task.value }
    #expect(error?.code == .cancelled)
  }
}
