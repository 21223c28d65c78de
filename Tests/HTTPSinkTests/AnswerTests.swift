import HTTPSink
import PipelineCore
import RecordBlocks
import Testing

@Suite struct `HTTP sink: what an answer means` {
  private func advice(_ status: Int, _ headers: [String] = [], body: String = "", compression: HTTPSink.Configuration.Compression = .gzip)
    async throws
    -> DeliveryError?
  {
    let server = ScriptedServer { connection in
      try connection.readRequest()
      try connection.answer(status, headers, body: body)
      try connection.serveWell()
    }
    let sink = try await openSink(server.url) { $0.compression = compression }
    let complaint = await sink.complaint(about: delivery(["one", "two"]))
    if let complaint {
      #expect(complaint.message.contains(server.url))
      #expect(complaint.message.contains(String(status)))
    }
    // Whatever it said, the next delivery goes through, over the same connection.
    _ = try await sink.deliver(delivery(["three"], base: 2))
    await sink.close()
    #expect(server.connectionCount == 1)
    #expect(server.requests.count == 2)
    return complaint
  }

  @Test(arguments: [200, 201, 202, 203, 207, 226, 299])
  func `2xx is success`(_ status: Int) async throws {
    #expect(try await advice(status, body: "ok") == nil)
  }

  @Test func `204 is success`() async throws {
    let server = ScriptedServer { connection in
      while true {
        try connection.readRequest()
        try connection.write("HTTP/1.1 204 No Content\r\n\r\n")
      }
    }
    let sink = try await openSink(server.url)
    for number in 0..<3 { _ = try await sink.deliver(delivery(["x"], base: UInt64(number))) }
    await sink.close()
    #expect(server.connectionCount == 1)
  }

  @Test(arguments: [300, 301, 302, 303, 307, 308])
  func `redirects wait for an operator and are not followed`(_ status: Int) async throws {
    let complaint = try await advice(status, ["Location: https://joe:pw@elsewhere.example/in?token=abcdef"])
    #expect(complaint?.advice == .waitForOperator)
    #expect(complaint?.message.contains("'https://elsewhere.example/in'") == true)
    #expect(complaint?.message.contains("pw") == false && complaint?.message.contains("abcdef") == false)
  }

  @Test(arguments: [401, 403, 407])
  func `missing rights wait for an operator`(_ status: Int) async throws {
    #expect(try await advice(status)?.advice == .waitForOperator)
  }

  @Test(arguments: [408, 425, 429, 500, 501, 502, 503, 504, 505, 507, 511, 599])
  func `what may pass is tried again`(_ status: Int) async throws {
    #expect(try await advice(status)?.advice == .retry(after: nil))
  }

  @Test(arguments: [501, 505])
  func `what will hardly pass is tried again and says so`(_ status: Int) async throws {
    #expect(try await advice(status)?.message.contains("hardly with success") == true)
  }

  @Test func `413 splits`() async throws {
    #expect(try await advice(413, body: "too big")?.advice == .split)
  }

  @Test(arguments: [400, 402, 404, 405, 406, 409, 410, 411, 412, 414, 415, 418, 422, 426, 431, 451])
  func `what the destination says of these records rejects them`(_ status: Int) async throws {
    #expect(try await advice(status)?.advice == .reject(status: String(status)))
  }

  @Test(arguments: [600, 777, 999])
  func `a status that means nothing is tried again`(_ status: Int) async throws {
    #expect(try await advice(status)?.advice == .retry(after: nil))
  }

  @Test(arguments: [400, 415])
  func `a refused gzip body suggests none, and a plain one doesn't`(_ status: Int) async throws {
    #expect(try await advice(status)?.message.contains("'compression: none'") == true)
    #expect(try await advice(status, compression: .none)?.message.contains("compression") == false)
  }

  @Test func `an answer is quoted in one line, cut and escaped`() async throws {
    let message = try #require(await advice(422, body: "bad\r\n\tline\u{1B}[31m\u{202E} " + String(repeating: "é", count: 5000))).message
    #expect(message.contains(#"'bad line\u{1b}[31m\u{202e} éé"#))
    #expect(message.contains("é…'"))
    #expect(message.count < 600)
  }

  @Test func `an answer that repeats our headers shows no secret`() async throws {
    let server = ScriptedServer { connection in
      while true {
        let request = try connection.readRequest()
        let echo = request.fields.map { "\($0.name)=\($0.value)" }.joined(separator: "&") + request.line
        try connection.answer(401, ["Location: http://x.example/\(secret)?\(secret)"], body: String(repeating: " ", count: 180) + echo)
      }
    }
    let sink = try await openSink("http://joe:hunter22@127.0.0.1:\(server.port)/in?api_key=qwertz12") {
      $0.headers.append(.init("X-Api-Key", "abc \(secret)"))
    }
    let message = try #require(await sink.complaint(about: delivery(["x"]))).message
    await sink.close()
    #expect(message.contains("authorization=***".lowercased()) || message.contains("Authorization=***"))
    for hidden in [secret, "hunter22", "qwertz12", "abc \(secret)"] { #expect(!message.contains(hidden), "\(message)") }
  }

  @Test(arguments: [("7", 7), ("0", 0), (" 12 ", 12), ("599", 599), ("601", 600), ("99999999999999999999", 600), ("1.5", 2)])
  func `Retry-After in seconds is honoured up to ten minutes`(_ text: String, _ seconds: Int) async throws {
    #expect(try await advice(503, ["Retry-After: \(text)"])?.advice == .retry(after: .seconds(seconds)))
  }

  @Test(arguments: [
    ("Sun, 06 Nov 1994 08:49:37 GMT", 37), ("Sunday, 06-Nov-94 08:49:37 GMT", 37), ("Sun Nov  6 08:49:37 1994", 37),
    ("Sun, 06 Nov 1994 08:00:00 GMT", 0), ("Mon, 07 Nov 1994 08:49:37 GMT", 600),
  ])
  func `Retry-After as a date is taken against the answer's own clock`(_ text: String, _ seconds: Int) async throws {
    let complaint = try await advice(429, ["Date: Sun, 06 Nov 1994 08:49:00 GMT", "Retry-After: \(text)"])
    #expect(complaint?.advice == .retry(after: .seconds(seconds)))
  }

  @Test func `Retry-After as a date without an answer's clock is taken against ours`() async throws {
    #expect(try await advice(503, ["Retry-After: Fri, 01 Jan 2100 00:00:00 GMT"])?.advice == .retry(after: .seconds(600)))
    #expect(try await advice(503, ["Retry-After: Fri, 01 Jan 1999 00:00:00 GMT"])?.advice == .retry(after: .zero))
  }

  @Test(arguments: ["soon", "-5", "12 hours", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Abc 1994 08:49:37 GMT", ""])
  func `a Retry-After that can't be read counts as none`(_ text: String) async throws {
    #expect(try await advice(429, ["Retry-After: \(text)"])?.advice == .retry(after: nil))
  }
}
