import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import PipelineCore
import RecordBlocks
import SegmentQueue
import SystemPackage
import TestSupport
import Testing

@testable import QueueServer

/// A server with one queue on a simulated disk, and the calls that tests repeat.
final class ServerFixture: Sendable {
  let queue: SegmentQueue
  let server: QueueServer
  let address: String

  /// Asks for no encoding by itself, and shows bodies as they came.
  static let client: HTTPClient = {
    var configuration = HTTPClient.Configuration(decompression: .disabled)
    // Each open stream keeps a connection.
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 100
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()

  private init(_ queue: SegmentQueue, _ server: QueueServer, _ address: String) {
    self.queue = queue
    self.server = server
    self.address = address
  }

  /// Starts a server on a port that the system chooses, runs `body`, ends it.
  static func run<R>(
    disk: SimulatedFileSystem = SimulatedFileSystem(), options change: (inout QueueOptions) -> Void = { _ in },
    attachments: Attachments = Attachments(), configure: (inout QueueServer.Configuration) -> Void = { _ in },
    _ body: (ServerFixture) async throws -> R
  ) async throws -> R {
    var options = QueueOptions()
    options.linger = .zero
    options.minFreeDisk = 0
    change(&options)
    let queue = try SegmentQueue.open(FilePath("data/app"), name: "app", options: options, fileSystem: disk)
    var configuration = QueueServer.Configuration(version: "test", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    configure(&configuration)
    let server = QueueServer(configuration)
    server.serve(queue, attachments)
    server.becomeReady()
    let address = try await server.listen(on: .internet(host: "127.0.0.1", port: 0))
    let result: Result<R, any Error>
    do { result = .success(try await body(ServerFixture(queue, server, address))) } catch { result = .failure(error) }
    await server.stop()
    await queue.close()
    return try result.get()
  }

  /// Appends lines from a source; they are durable on return.
  func append(_ lines: [String], source: String = "test") async throws {
    let writer = try queue.writer(source: source)
    var batch = RecordBatch()
    for line in lines { Array(line.utf8).withUnsafeBytes { batch.append($0) } }
    try await writer.write(batch, checkpoints: []).durable()
  }

  /// One request. Paths are relative to the server.
  func request(_ method: HTTPMethod, _ path: String, headers: [(String, String)] = [], body: String? = nil) async throws -> Answer {
    var request = HTTPClientRequest(url: "http://\(address)\(path)")
    request.method = method
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    if let body { request.body = .bytes(ByteBuffer(string: body)) }
    let response = try await Self.client.execute(request, timeout: .seconds(60))
    return Answer(status: Int(response.status.code), headers: response.headers, body: try await response.body.collect(upTo: 128 << 20))
  }

  func get(_ path: String, headers: [(String, String)] = []) async throws -> Answer { try await request(.GET, path, headers: headers) }

  struct Answer {
    var status: Int
    var headers: HTTPHeaders
    var body: ByteBuffer

    var text: String { String(buffer: body) }
    var lines: [String] { text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init) }
    var next: String { headers.first(name: "Sluice-Next-Offset") ?? "" }

    func json() throws -> [String: Any] { try #require(JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]) }
    var code: String? { (try? json())?["code"] as? String }
  }
}
