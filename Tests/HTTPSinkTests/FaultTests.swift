import HTTPSink
import PipelineCore
import RecordBlocks
import Testing

/// One way in which an endpoint can misbehave on its first connection.
struct Fault: Sendable, CustomTestStringConvertible {
  var name: String
  /// What the message must contain.
  var says: String
  var megabytes = 0
  /// The deadline; only faults that it has to end need a short one.
  var timeout = Duration.seconds(20)
  var serve: @Sendable (ScriptedServer.Connection) throws -> Void
  var testDescription: String { name }

  static let hang = Duration.milliseconds(700)

  static let all: [Fault] = [
    Fault(name: "closes at once", says: "closed the connection") { _ in },
    Fault(name: "resets at once", says: "closed the connection") { $0.resetOnClose() },
    Fault(name: "closes after reading the request", says: "closed the connection") { try $0.readRequest() },
    Fault(name: "resets after reading the request", says: "closed the connection") {
      try $0.readRequest()
      $0.resetOnClose()
    },
    Fault(name: "resets in the middle of the body", says: "closed the connection", megabytes: 12) {
      try $0.read(200_000)
      $0.resetOnClose()
    },
    Fault(name: "closes in the middle of the body", says: "closed the connection", megabytes: 12) { try $0.read(200_000) },
    Fault(name: "ends its sending direction without an answer", says: "closed the connection") {
      try $0.readRequest()
      $0.finishWriting()
      try $0.waitForEnd()
    },
    Fault(name: "ends its sending direction before the request", says: "closed the connection", megabytes: 12) {
      $0.finishWriting()
      try $0.waitForEnd()
    },
    Fault(name: "closes in the middle of the status line", says: "closed the connection") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 20")
    },
    Fault(name: "closes in the middle of the headers", says: "closed the connection") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\nContent-Le")
    },
    Fault(name: "closes in the middle of a success", says: "whether it has them is unknown") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    },
    Fault(name: "resets in the middle of a success", says: "whether it has them is unknown") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      // The client has read what was sent before it resets: it closes on its own deadline only.
      $0.resetOnClose()
    },
    Fault(name: "closes in the middle of a chunk", says: "whether it has them is unknown") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    },
    Fault(name: "sends a chunk that is none", says: "whether it has them is unknown") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n")
      try $0.waitForEnd()
    },
    Fault(name: "speaks another protocol", says: "is not HTTP") {
      try $0.read(1)
      try $0.write("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
      try $0.waitForEnd()
    },
    // The client may read the greeting before it looks for an answer: then it waits for one, and only the deadline tells.
    Fault(name: "greets in another protocol before the request", says: "did not take records", timeout: hang) {
      try $0.write("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
      try $0.waitForEnd()
    },
    Fault(name: "answers with garbage", says: "is not HTTP") {
      try $0.readRequest()
      try $0.write((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) })
      try $0.waitForEnd()
    },
    Fault(name: "answers with a page and no head", says: "is not HTTP") {
      try $0.readRequest()
      try $0.write("<html><body>It works!</body></html>\n")
      try $0.waitForEnd()
    },
    Fault(name: "answers with a bad status", says: "is not HTTP") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n")
      try $0.waitForEnd()
    },
    Fault(name: "answers with two lengths", says: "HTTP") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
      try $0.waitForEnd()
    },
    Fault(name: "sends headers that never end", says: "headers never end") { connection in
      try connection.readRequest()
      try connection.write("HTTP/1.1 200 OK\r\n")
      while true { try connection.write((0..<100).map { "X-\($0): \(String(repeating: "v", count: 1000))\r\n" }.joined()) }
    },
    Fault(name: "sends one header that never ends", says: "headers never end") { connection in
      try connection.readRequest()
      try connection.write("HTTP/1.1 200 OK\r\nX-Long: ")
      while true { try connection.write(String(repeating: "v", count: 10_000)) }
    },
    Fault(name: "switches protocols", says: "answered 101") {
      try $0.readRequest()
      try $0.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
      try $0.waitForEnd()
    },
    Fault(name: "hangs after accepting", says: "within 0.7 seconds", timeout: hang) { try $0.waitForEnd() },
    Fault(name: "hangs after the status line", says: "within 0.7 seconds", timeout: hang) {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\n")
      try $0.waitForEnd()
    },
    Fault(name: "hangs after the head of a success", says: "whether it has them is unknown", timeout: hang) {
      try $0.readRequest()
      try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
      try $0.waitForEnd()
    },
    Fault(name: "hangs in the body of an error", says: "answered 500", timeout: hang) {
      try $0.readRequest()
      try $0.write("HTTP/1.1 500 Oops\r\nContent-Length: 200\r\n\r\nbecause")
      try $0.waitForEnd()
    },
    Fault(name: "drips its head", says: "within 0.7 seconds", timeout: hang) { connection in
      try connection.readRequest()
      try drip(Array("HTTP/1.1 200 OK\r\nX-Drip: ".utf8) + [UInt8](repeating: 0x78, count: 2000), to: connection)
    },
    Fault(name: "drips the body of a success", says: "whether it has them is unknown", timeout: hang) { connection in
      try connection.readRequest()
      try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
      try drip([UInt8](repeating: 0x78, count: 2000), to: connection)
    },
    Fault(name: "never stops to ask for patience", says: "within 0.7 seconds", timeout: hang) { connection in
      try connection.readRequest()
      while true { try drip(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), to: connection) }
    },
    Fault(name: "reads nothing", says: "within 0.7 seconds", megabytes: 12, timeout: hang) {
      $0.shrinkReceiveBuffer()
      $0.waitForEndWithoutReading()
    },
    Fault(name: "reads a byte now and then", says: "within 0.7 seconds", megabytes: 12, timeout: hang) { connection in
      connection.shrinkReceiveBuffer()
      for _ in 0..<1000 {
        try connection.read(1)
        pause(milliseconds: 10)
      }
    },
    Fault(name: "answers success at once and reads nothing", says: "whether it has them is unknown", megabytes: 12, timeout: hang) {
      $0.shrinkReceiveBuffer()
      try $0.readHead()
      try $0.answer(200)
      $0.waitForEndWithoutReading()
    },
    Fault(name: "answers success at once and closes", says: "is unknown", megabytes: 12, timeout: hang) {
      try $0.readHead()
      try $0.answer(200)
    },
    Fault(name: "answers an error at once and reads nothing", says: "answered 503", megabytes: 12) {
      $0.shrinkReceiveBuffer()
      try $0.readHead()
      try $0.answer(503)
      $0.waitForEndWithoutReading()
    },
  ]
}

/// Sends byte by byte with a pause after each, as a hostile or overloaded server does.
private func drip(_ bytes: [UInt8], to connection: ScriptedServer.Connection) throws {
  for byte in bytes {
    try connection.write([byte])
    pause(milliseconds: 10)
  }
}

@Suite struct `HTTP sink: endpoints that misbehave` {
  @Test(arguments: Fault.all)
  func `is tried again, and the next connection serves`(_ fault: Fault) async throws {
    let server = ScriptedServer { connection in
      if connection.number == 0 { try fault.serve(connection) } else { try connection.serveWell() }
    }
    let sink = try await openSink(server.url) { $0.timeout = fault.timeout }
    let batch = fault.megabytes > 0 ? largeDelivery(megabytes: fault.megabytes) : delivery(["one", "two"])
    let complaint = try #require(await sink.complaint(about: batch))
    #expect(complaint.advice == .retry(after: nil))
    #expect(complaint.message.contains(fault.says), "\(complaint.message)")
    #expect(complaint.message.contains(server.url))
    try await sink.deliverPersistently(batch)
    await sink.close()
    let served = try #require(server.requests.last)
    #expect(served.header("idempotency-key") == batch.idempotencyKey)
    guard case .records(let slices) = batch.content else { return }
    #expect(try Gunzipped(served.body).bytes == slices.flatMap { try $0.lines().array })
  }

  @Test func `a connection refused says so`() async throws {
    let port: UInt16
    do {
      let server = ScriptedServer { _ in }
      port = server.port
    }
    let sink = try await openSink("http://127.0.0.1:\(port)/x")
    let complaint = try #require(await sink.complaint(about: delivery(["x"])))
    await sink.close()
    #expect(complaint.advice == .retry(after: nil))
    #expect(complaint.message.contains("refused the connection"), "\(complaint.message)")
  }

  @Test func `a name that doesn't exist says so`() async throws {
    let sink = try await openSink("http://no-such-host.invalid/x?key=12345678")
    let complaint = try #require(await sink.complaint(about: delivery(["x"])))
    await sink.close()
    #expect(complaint.advice == .retry(after: nil))
    #expect(complaint.message.contains("'no-such-host.invalid' was not found"), "\(complaint.message)")
    #expect(!complaint.message.contains("12345678"))
  }

  @Test func `an early 413 is heard while the body is still being sent`() async throws {
    let server = ScriptedServer { connection in
      if connection.number > 0 { return try connection.serveWell() }
      let head = try connection.readHead()
      try connection.answer(413, body: "limit is 1 MiB")
      try connection.read(Int(head.header("content-length") ?? "") ?? 0)
      try connection.serveWell()
    }
    let sink = try await openSink(server.url)
    let complaint = try #require(await sink.complaint(about: largeDelivery(megabytes: 24)))
    #expect(complaint.advice == .split, "\(complaint.message)")
    #expect(complaint.message.contains("'limit is 1 MiB'"))
    _ = try await sink.deliver(delivery(["x"]))
    await sink.close()
    #expect(server.requests.last?.header("sluice-next-offset") == "1")
  }

  @Test func `an early 413 is heard also from a server that closes or resets at once`() async throws {
    let batch = largeDelivery(megabytes: 8)
    for round in 0..<30 {
      let server = ScriptedServer { connection in
        try connection.readHead()
        try connection.answer(413, ["Connection: close"])
        if round % 3 == 1 { pause(milliseconds: 10) }
        if round % 3 == 2 { connection.resetOnClose() }
      }
      let sink = try await openSink(server.url)
      let complaint = try #require(await sink.complaint(about: batch))
      #expect(complaint.advice == .split, "\(complaint.message)")
      await sink.close()
    }
  }

  @Test func `a success told early counts once the body is sent`() async throws {
    let server = ScriptedServer { connection in
      while true {
        let head = try connection.readHead()
        try connection.answer(200)
        try connection.read(Int(head.header("content-length") ?? "") ?? 0)
      }
    }
    let sink = try await openSink(server.url)
    for _ in 0..<3 { _ = try await sink.deliver(largeDelivery(megabytes: 12)) }
    await sink.close()
    #expect(server.connectionCount == 1)
  }

  @Test func `a success whose answer never ends costs the connection, not the records`() async throws {
    let server = ScriptedServer { connection in
      try connection.readRequest()
      if connection.number == 2 {
        try connection.answer(200)
        return try connection.serveWell()
      }
      try connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      while true { try connection.write("1000\r\n" + String(repeating: "x", count: 4096) + "\r\n") }
    }
    let log = LogCapture()
    let sink = try await openSink(server.url, logger: log.logger)
    for number in 0..<4 { _ = try await sink.deliver(delivery(["x"], base: UInt64(number))) }
    await sink.close()
    #expect(server.connectionCount == 3)
    #expect(server.requests.count == 4)
    #expect(log.lines.count == 1)
  }

  @Test func `an error whose answer is huge is still judged by its status`() async throws {
    let server = ScriptedServer { connection in
      if connection.number > 0 { return try connection.serveWell() }
      try connection.readRequest()
      try connection.write("HTTP/1.1 422 No\r\nContent-Length: 100000000\r\n\r\n")
      while true { try connection.write(String(repeating: "y", count: 1 << 16)) }
    }
    let sink = try await openSink(server.url)
    let complaint = try #require(await sink.complaint(about: delivery(["x"])))
    #expect(complaint.advice == .reject(status: "422"))
    #expect(complaint.message.count < 600)
    _ = try await sink.deliver(delivery(["x"]))
    await sink.close()
  }

  @Test func `an answer that ends with the connection is whole`() async throws {
    let server = ScriptedServer { connection in
      try connection.readRequest()
      try connection.write("HTTP/1.0 200 OK\r\n\r\nthanks")
    }
    let sink = try await openSink(server.url)
    for number in 0..<3 { try await sink.deliverPersistently(delivery(["x"], base: UInt64(number))) }
    await sink.close()
    #expect(server.connectionCount == 3)
  }

  @Test func `informational answers before the real one are passed over`() async throws {
    let server = ScriptedServer { connection in
      while true {
        try connection.readHead()
        try connection.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        try connection.answer(200)
        return try connection.waitForEnd()
      }
    }
    let sink = try await openSink(server.url)
    _ = try await sink.deliver(delivery(["x"]))
    await sink.close()
  }

  @Test func `a server that closes after each answer is served by new connections`() async throws {
    let server = ScriptedServer { connection in
      try connection.readRequest()
      try connection.answer(200, ["Connection: close"])
    }
    let sink = try await openSink(server.url)
    for number in 0..<10 { _ = try await sink.deliver(delivery(["x"], base: UInt64(number))) }
    await sink.close()
    #expect(server.connectionCount == 10)
    #expect(server.requests.count == 10)
  }

  @Test func `a kept connection that the server drops is replaced, or told as a retry`() async throws {
    let server = ScriptedServer { connection in
      try connection.readRequest()
      try connection.answer(200)
      if connection.number % 2 == 1 { connection.resetOnClose() }
    }
    let sink = try await openSink(server.url)
    for number in 0..<20 { try await sink.deliverPersistently(delivery(["x\(number)"], base: UInt64(number)), attempts: 5) }
    await sink.close()
    let offsets = server.requests.compactMap { $0.header("sluice-first-offset") }
    #expect(offsets == (0..<20).map { String($0) })
  }

  @Test func `a second answer that nobody asked for is not taken for the next one`() async throws {
    let server = ScriptedServer { connection in
      try connection.readRequest()
      if connection.number == 0 {
        try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      } else {
        try connection.answer(503)
      }
      try connection.waitForEnd()
    }
    let sink = try await openSink(server.url)
    _ = try await sink.deliver(delivery(["x"]))
    // Had it been taken for the next request's answer, this would succeed without the server having read anything.
    #expect(await sink.complaint(about: delivery(["y"], base: 1)) != nil)
    await sink.close()
  }

  @Test func `cancelling the task ends a request that hangs`() async throws {
    let (arrived, arrive) = AsyncStream<Void>.makeStream()
    let server = ScriptedServer { connection in
      try connection.readRequest()
      arrive.yield()
      try connection.waitForEnd()
    }
    let sink = try await openSink(server.url) { $0.timeout = .seconds(3600) }
    let task = Task { await sink.complaint(about: delivery(["x"])) }
    for await _ in arrived { break }
    task.cancel()
    let complaint = await task.value
    #expect(complaint?.message.contains("cancelled") == true)
    await sink.close()
  }

  @Test func `a task cancelled before it begins sends nothing that hangs`() async throws {
    let server = ScriptedServer { try $0.waitForEnd() }
    let sink = try await openSink(server.url) { $0.timeout = .seconds(3600) }
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await sink.complaint(about: delivery(["x"]))
    }
    #expect(await task.value?.message.contains("cancelled") == true)
    await sink.close()
  }
}
