import Logging
import PipelineCore
import QueueClient
import QueueServer
import RecordBlocks
import SegmentQueue
import SystemPackage
import TestSupport
import Testing

/// A client and the server that it is made for.
@Suite(.timeLimit(.minutes(1))) struct `Streams from a real server` {
  private func open(_ disk: SimulatedFileSystem) throws -> SegmentQueue {
    var options = QueueOptions()
    options.linger = .zero
    options.minFreeDisk = 0
    return try SegmentQueue.open(FilePath("data/app"), name: "app", options: options, fileSystem: disk)
  }

  private func serve(_ queue: SegmentQueue, port: UInt16 = 0) async throws -> (server: QueueServer, address: String) {
    let server = QueueServer(QueueServer.Configuration(version: "test", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    server.serve(queue)
    server.becomeReady()
    return (server, try await server.listen(on: .internet(host: "127.0.0.1", port: port)))
  }

  private func append(_ range: Range<Int>, to queue: SegmentQueue) async throws {
    var batch = RecordBatch()
    for number in range { Array("line \(number)".utf8).withUnsafeBytes { batch.append($0) } }
    try await queue.writer(source: "test").write(batch, checkpoints: []).durable()
  }

  @Test func `records come once each over restarts, by a place and by a consumer that commits them`() async throws {
    let disk = SimulatedFileSystem()
    var queue = try open(disk)
    _ = try queue.consumer("job", kind: .pull)
    var (server, address) = try await serve(queue)
    let port = try #require(UInt16(address.split(separator: ":").last ?? ""))
    let client = try client(at: address)
    let readers = [StreamRequest.Reader.place(.oldest), .consumer("job")].map { reader in
      Task { () async throws -> [String] in
        var request = StreamRequest(queue: "app", reader: reader)
        request.maxBytes = 200
        var lines: [String] = []
        for try await event in client.stream(request) {
          if case .records(let records) = event { lines += records.lines }
          if case .consumer(let name) = reader, event.next.offset > 0, event.next.offset % 5 == 0 {
            _ = try await client.commit(event.next, consumer: name, of: "app")
          }
          if lines.count >= 400 { break }
        }
        return lines
      }
    }
    for life in 0..<4 {
      for first in stride(from: life * 100, to: life * 100 + 100, by: 20) { try await append(first..<first + 20, to: queue) }
      guard life < 3 else { break }
      await server.stop()
      await queue.close()
      queue = try open(disk)
      (server, address) = try await serve(queue, port: port)
    }
    for reader in readers { #expect(try await reader.value == (0..<400).map { "line \($0)" }) }
    await server.stop()
    await queue.close()
  }
}
