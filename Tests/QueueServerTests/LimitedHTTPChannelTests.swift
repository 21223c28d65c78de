import AsyncHTTPClient
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport
import Testing

@testable import QueueServer

/// A server in this process: GET / answers `hello`, POST / the body's length, GET /endless a response without end.
private struct LiveServer {
  let counts = ConnectionCounts()
  /// Resumed when an endless response broke off.
  let brokeOff = AsyncStream<Void>.makeStream()

  func run(
    limits: ConnectionLimits = ConnectionLimits(), tls: TLSContexts? = nil, address: BindAddress = .hostname("127.0.0.1", port: 0),
    _ body: @escaping @Sendable (any Channel) async throws -> Void
  ) async throws {
    let router = Router()
    router.get("/") { _, _ in "hello" }
    router.post("/") { request, _ in
      let body = try await request.body.collect(upTo: 1 << 20)
      return "\(body.readableBytes)"
    }
    let brokeOff = self.brokeOff.continuation
    router.get("/endless") { _, _ in
      Response(
        status: .ok,
        body: ResponseBody { writer in
          do {
            while true { try await writer.write(ByteBuffer(repeating: 0x78, count: 64 << 10)) }
          } catch {
            brokeOff.finish()
            throw error
          }
        })
    }
    var quiet = Logger(label: "server")
    quiet.logLevel = .critical
    let running = AsyncStream<any Channel>.makeStream()
    let application = Application(
      router: router, server: .limited(limits, tls: tls, counts: counts), configuration: .init(address: address),
      onServerRunning: { running.continuation.yield($0) }, logger: quiet)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      group.addTask {
        for await channel in running.stream {
          try await body(channel)
          return
        }
      }
      try await group.next()
      group.cancelAll()
    }
  }
}

private func client(
  _ tls: TLSConfiguration? = nil, _ body: (HTTPClient) async throws -> Void
) async throws {
  var configuration = HTTPClient.Configuration()
  configuration.tlsConfiguration = tls
  let client = HTTPClient(configuration: configuration)
  do {
    try await body(client)
  } catch {
    try await client.shutdown()
    throw error
  }
  try await client.shutdown()
}

/// Sends bytes over a plain connection and gives what comes back until the server closes or resets it, also before all is sent.
private func exchange(_ text: String, port: Int) async throws -> String {
  let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(host: "127.0.0.1", port: port) {
    channel in
    channel.eventLoop.makeCompletedFuture {
      try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
    }
  }
  return try await connection.executeThenClose { inbound, outbound in
    var answer = ""
    do {
      try await outbound.write(ByteBuffer(string: text))
      for try await part in inbound { answer += String(buffer: part) }
    } catch is IOError {
    } catch is ChannelError {
    }
    return answer
  }
}

@Suite("The server's connections", .timeLimit(.minutes(1))) struct LimitedHTTPChannelTests {
  @Test func `answer over plain HTTP`() async throws {
    let server = LiveServer()
    try await server.run { channel in
      let port = channel.localAddress!.port!
      try await client { client in
        let answer = try await client.execute(HTTPClientRequest(url: "http://127.0.0.1:\(port)/"), timeout: .seconds(30))
        #expect(try await String(buffer: answer.body.collect(upTo: 100)) == "hello")
        var post = HTTPClientRequest(url: "http://127.0.0.1:\(port)/")
        post.method = .POST
        post.body = .bytes(ByteBuffer(repeating: 1, count: 500_000))
        let length = try await client.execute(post, timeout: .seconds(30))
        #expect(try await String(buffer: length.body.collect(upTo: 100)) == "500000")
      }
      #expect(server.counts.snapshot.accepted == 1)
      #expect(server.counts.snapshot.stalled.isEmpty)
    }
  }

  @Test func `answer on a Unix socket`() async throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/s"
    try await LiveServer().run(address: .unixDomainSocket(path: path)) { _ in
      try await client { client in
        let url = "http+unix://" + path.replacing("/", with: "%2F") + "/"
        let answer = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
        #expect(try await String(buffer: answer.body.collect(upTo: 100)) == "hello")
      }
    }
  }

  @Test func `answer over TLS with the certificate of the moment`() async throws {
    let certificates = try TestCertificates()
    let tls = try TLSContexts(
      files: TLSFiles(certificate: certificates.path("server.pem"), key: certificates.path("server.key")), logger: RecordedLog().logger,
      interval: nil)
    try await LiveServer().run(tls: tls) { channel in
      let port = channel.localAddress!.port!
      for version in [TLSVersion.tlsv12, .tlsv13] {
        #expect(try await Self.get(port, authority: certificates.path("ca.pem"), version: version) == "hello")
      }
      await #expect(throws: (any Error).self) {
        _ = try await Self.get(port, authority: certificates.path("ca.pem"), version: .tlsv11)
      }
      // Another authority's: who trusts only the first sees that it changed.
      let others = try TestCertificates()
      for name in ["server.pem", "server.key"] {
        let bytes = try #require(try? OperatorFile.read(others.path(name), limit: 1 << 20))
        try write(String(decoding: bytes, as: UTF8.self), to: certificates.path(name), mode: 0o600)
      }
      tls.look()
      #expect(try await Self.get(port, authority: others.path("ca.pem"), version: .tlsv13) == "hello")
      await #expect(throws: (any Error).self) {
        _ = try await Self.get(port, authority: certificates.path("ca.pem"), version: .tlsv13)
      }
    }
  }

  @Test func `ask for a client's certificate where an authority is given`() async throws {
    let certificates = try TestCertificates()
    let tls = try TLSContexts(
      files: TLSFiles(
        certificate: certificates.path("server.pem"), key: certificates.path("server.key"), clientAuthority: certificates.path("ca.pem")),
      logger: RecordedLog().logger, interval: nil)
    let strangers = try TestCertificates()
    try await LiveServer().run(tls: tls) { channel in
      let port = channel.localAddress!.port!
      let authority = certificates.path("ca.pem")
      let answer = try await Self.get(port, authority: authority, version: .tlsv13, identity: certificates.path("client"))
      #expect(answer == "hello")
      await #expect(throws: (any Error).self) { _ = try await Self.get(port, authority: authority, version: .tlsv12) }
      await #expect(throws: (any Error).self) {
        _ = try await Self.get(port, authority: authority, version: .tlsv12, identity: strangers.path("client"))
      }
    }
  }

  @Test func `are closed when a head doesn't come on`() async throws {
    var limits = ConnectionLimits()
    limits.headerTimeout = .milliseconds(50)
    let server = LiveServer()
    try await server.run(limits: limits) { channel in
      let answer = try await exchange("GET / HTTP/1.1\r\nhost: ", port: channel.localAddress!.port!)
      #expect(answer == "")
      #expect(server.counts.snapshot.stalled == [.header: 1])
    }
  }

  @Test func `are closed when a response isn't taken, and the one who writes it is told`() async throws {
    var limits = ConnectionLimits()
    limits.responseTimeout = .milliseconds(50)
    let server = LiveServer()
    try await server.run(limits: limits) { channel in
      let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .channelOption(.autoRead, value: false).connect(host: "127.0.0.1", port: channel.localAddress!.port!).get()
      try await connection.writeAndFlush(ByteBuffer(string: "GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n"))
      for await _ in server.brokeOff.stream {}
      #expect(server.counts.snapshot.stalled == [.response: 1])
      try? await connection.close()
    }
  }

  enum LargeHead: CaseIterable {
    case manyFields, longField, longTarget, manyLongFields

    var text: String {
      let long = String(repeating: "y", count: 17 << 10)
      return switch self {
      case .manyFields: "GET / HTTP/1.1\r\nhost: a\r\n" + String(repeating: "x: y\r\n", count: 101) + "\r\n"
      case .longField: "GET / HTTP/1.1\r\nhost: a\r\nx: \(long)\r\n\r\n"
      case .longTarget: "GET /\(long) HTTP/1.1\r\nhost: a\r\n\r\n"
      case .manyLongFields: "GET / HTTP/1.1\r\nhost: a\r\n" + String(repeating: "x: \(long.prefix(1000))\r\n", count: 17) + "\r\n"
      }
    }
  }

  @Test(arguments: LargeHead.allCases) func `answer 400 to a head that is too large, and are closed`(head: LargeHead) async throws {
    try await LiveServer().run { channel in
      let answer = try await exchange(head.text, port: channel.localAddress!.port!)
      #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request"))
    }
  }

  private static func get(_ port: Int, authority: String, version: TLSVersion, identity: String? = nil) async throws -> String {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .file(authority)
    tls.minimumTLSVersion = version
    tls.maximumTLSVersion = version
    if let identity {
      tls.certificateChain = try NIOSSLCertificate.fromPEMFile(identity + ".pem").map { .certificate($0) }
      tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: identity + ".key", format: .pem))
    }
    var text = ""
    try await client(tls) { client in
      let answer = try await client.execute(HTTPClientRequest(url: "https://localhost:\(port)/"), timeout: .seconds(30))
      text = try await String(buffer: answer.body.collect(upTo: 100))
    }
    return text
  }
}
