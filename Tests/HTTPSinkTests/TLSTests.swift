import Foundation
import HTTPSink
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import PipelineCore
import RecordBlocks
import Testing

/// A certificate authority and a server's certificate, made by `openssl` for one test run.
struct Certificates {
  let directory: String
  var authority: String { directory + "/ca.pem" }

  /// - Parameter names: the server's `subjectAltName`.
  init(names: String) throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-tls-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Data("subjectAltName=\(names)\n".utf8).write(to: URL(fileURLWithPath: directory + "/ext"))
    try openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Test-CA -keyout ca.key -out ca.pem")
    try openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr")
    try openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 2 -extfile ext -out server.pem")
  }

  func remove() { try? FileManager.default.removeItem(atPath: directory) }

  private func openssl(_ arguments: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "openssl \(arguments)")
  }
}

/// An HTTPS server that answers 200 to everything.
private final class TLSServer: Sendable {
  private let channel: any Channel
  var port: Int { channel.localAddress!.port! }

  init(_ certificates: Certificates) async throws {
    let configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(certificates.directory + "/server.pem").map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: certificates.directory + "/server.key", format: .pem)))
    let context = try NIOSSLContext(configuration: configuration)
    channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(Answerer())
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  func close() async throws { try await channel.close() }

  private final class Answerer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      context.write(
        wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "0"]))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}

@Suite struct `HTTP sink: TLS` {
  @Test func `an own certificate authority is trusted when it is named`() async throws {
    let certificates = try Certificates(names: "IP:127.0.0.1,DNS:localhost")
    defer { certificates.remove() }
    let server = try await TLSServer(certificates)
    for host in ["127.0.0.1", "localhost"] {
      let sink = try await openSink("https://\(host):\(server.port)/in") { $0.certificateAuthorityPath = certificates.authority }
      for number in 0..<3 { _ = try await sink.deliver(delivery(["x"], base: UInt64(number))) }
      await sink.close()
    }
    try await server.close()
  }

  @Test func `without it, or with another one, the certificate is refused`() async throws {
    let certificates = try Certificates(names: "IP:127.0.0.1")
    let others = try Certificates(names: "IP:127.0.0.1")
    defer {
      certificates.remove()
      others.remove()
    }
    let server = try await TLSServer(certificates)
    for authority in [nil, others.authority] {
      let sink = try await openSink("https://127.0.0.1:\(server.port)/in") { $0.certificateAuthorityPath = authority }
      let complaint = try #require(await sink.complaint(about: delivery(["x"])))
      #expect(complaint.advice == .retry(after: nil))
      #expect(complaint.message.contains("is not trusted here") && complaint.message.contains("'tls.ca'"), "\(complaint.message)")
      await sink.close()
    }
    try await server.close()
  }

  @Test func `a certificate for another name is refused`() async throws {
    let certificates = try Certificates(names: "DNS:other.example")
    defer { certificates.remove() }
    let server = try await TLSServer(certificates)
    for host in ["127.0.0.1", "localhost"] {
      let sink = try await openSink("https://\(host):\(server.port)/in") { $0.certificateAuthorityPath = certificates.authority }
      let complaint = try #require(await sink.complaint(about: delivery(["x"])))
      #expect(complaint.advice == .retry(after: nil))
      #expect(complaint.message.contains("is not one for '\(host)'"), "\(complaint.message)")
      await sink.close()
    }
    try await server.close()
  }

  @Test func `https to a port that speaks plain HTTP says so`() async throws {
    let server = ScriptedServer { connection in
      try connection.read(1)
      try connection.answer(400)
    }
    let sink = try await openSink("https://127.0.0.1:\(server.port)/in")
    let complaint = try #require(await sink.complaint(about: delivery(["x"])))
    await sink.close()
    #expect(complaint.advice == .retry(after: nil))
    #expect(complaint.message.contains("does not speak TLS"), "\(complaint.message)")
  }

  @Test func `http to a port that speaks TLS is a retry that names the scheme`() async throws {
    let certificates = try Certificates(names: "IP:127.0.0.1")
    defer { certificates.remove() }
    let server = try await TLSServer(certificates)
    let sink = try await openSink("http://127.0.0.1:\(server.port)/in")
    let complaint = try #require(await sink.complaint(about: delivery(["x"])))
    await sink.close()
    try await server.close()
    #expect(complaint.advice == .retry(after: nil))
  }

  @Test func `a handshake that hangs ends with the connection's own time`() async throws {
    let server = ScriptedServer { try $0.waitForEnd() }
    let sink = try await openSink("https://127.0.0.1:\(server.port)/in") { $0.connectTimeout = .milliseconds(300) }
    let complaint = try #require(await sink.complaint(about: delivery(["x"])))
    await sink.close()
    #expect(complaint.advice == .retry(after: nil))
    #expect(complaint.message.contains("'connect_timeout'"), "\(complaint.message)")
  }
}
