import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOTLS
import Testing

@testable import QueueServer

@Suite("A watched connection") struct ConnectionWatchTests {
  private let channel: EmbeddedChannel
  private let counts = ConnectionCounts()
  private let log = RecordedLog()
  private var loop: EmbeddedEventLoop { channel.embeddedEventLoop }

  init() throws { channel = try Self.channel(isSecure: false, counts: counts, log: log) }

  private static func channel(isSecure: Bool, counts: ConnectionCounts, log: RecordedLog) throws -> EmbeddedChannel {
    let channel = EmbeddedChannel()
    let pipeline = channel.pipeline.syncOperations
    let connection = ConnectionWatch(limits: ConnectionLimits(), isSecure: isSecure, counts: counts, logger: log.logger)
    try pipeline.addHandler(connection)
    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
    let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
    try pipeline.addHandler(RequestWatch(connection), position: .after(decoder))
    channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    return channel
  }

  private func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

  private func respond(_ body: String = "") {
    let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-length": "\(body.utf8.count)"])
    channel.write(HTTPServerResponsePart.head(head), promise: nil)
    if !body.isEmpty { channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: body))), promise: nil) }
    channel.write(HTTPServerResponsePart.end(nil), promise: nil)
  }

  @Test func `that sends its head byte by byte is closed`() throws {
    #expect(channel.isActive)
    #expect(counts.snapshot == .init(open: 1, accepted: 1))
    for character in "GET / HTT" {
      try send(String(character))
      loop.advanceTime(by: .seconds(1))
      #expect(channel.isActive)
    }
    loop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive)
    #expect(counts.snapshot == .init(open: 0, accepted: 1, stalled: [.header: 1]))
    #expect(log.messages == ["debug: a connection without progress was closed"])
  }

  @Test func `that never sends anything is closed`() {
    loop.advanceTime(by: .seconds(10))
    #expect(counts.snapshot.stalled == [.header: 1])
  }

  @Test func `that waits for its answer is left alone, and closed when it then stays idle`() throws {
    try send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    loop.advanceTime(by: .hours(24))
    #expect(channel.isActive)
    respond("hello")
    channel.flush()
    loop.advanceTime(by: .seconds(59))
    #expect(channel.isActive)
    loop.advanceTime(by: .seconds(1))
    #expect(counts.snapshot.stalled == [.idle: 1])
  }

  @Test func `is kept as long as requests come`() throws {
    for _ in 0..<100 {
      try send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
      respond()
      channel.flush()
      loop.advanceTime(by: .seconds(55))
      #expect(channel.isActive)
    }
  }

  @Test func `whose body trickles is closed`() throws {
    try send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
    for _ in 0..<29 {
      loop.advanceTime(by: .seconds(1))
      try send("x")
      channel.read()
    }
    #expect(channel.isActive)
    loop.advanceTime(by: .seconds(10))
    #expect(counts.snapshot.stalled == [.body: 1])
  }

  @Test func `that takes nothing of its response is closed`() throws {
    try send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    // Not flushed: what is written stays with us, as with a client that doesn't read.
    respond(String(repeating: "x", count: 100_000))
    loop.advanceTime(by: .seconds(59))
    #expect(channel.isActive)
    loop.advanceTime(by: .seconds(1))
    #expect(counts.snapshot.stalled[.response] == 1)
  }

  @Test func `has a time for the TLS handshake`() throws {
    let secure = try Self.channel(isSecure: true, counts: counts, log: log)
    secure.embeddedEventLoop.advanceTime(by: .seconds(9))
    secure.pipeline.fireUserInboundEventTriggered(TLSUserEvent.handshakeCompleted(negotiatedProtocol: nil))
    secure.embeddedEventLoop.advanceTime(by: .seconds(9))
    #expect(secure.isActive)
    secure.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(counts.snapshot.stalled == [.header: 1])
    let mute = try Self.channel(isSecure: true, counts: counts, log: log)
    mute.embeddedEventLoop.advanceTime(by: .seconds(10))
    #expect(counts.snapshot.stalled == [.header: 1, .handshake: 1])
  }

  @Test func `that the client closes is counted and asks no more time`() throws {
    try channel.close().wait()
    loop.advanceTime(by: .hours(1))
    #expect(counts.snapshot == .init(open: 0, accepted: 1))
  }
}
