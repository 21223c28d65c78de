internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

extension QueueClient {
  /// The most bytes of lines that the body of one push may have: it is kept as one block.
  public static let maximumPushBytes = 8 << 20

  /// Appends lines; on return they are on the server's disk.
  ///
  /// An answer that is lost leaves open whether they were taken, so the same body is sent again under the same key, which the server
  /// remembers: they are taken once. A full queue (`429`) is waited for.
  /// - Parameters:
  ///   - lines: at most ``maximumPushBytes``; the last line may be without a line feed.
  ///   - key: 1 to 128 visible ASCII bytes, used for these lines and no others.
  public func push(_ lines: [UInt8], to queue: String, key: String) async throws(QueueClientError) -> PushReceipt {
    precondition(lines.count <= Self.maximumPushBytes, "the body of a push has at most 8 MiB of lines")
    precondition((1...128).contains(key.utf8.count) && key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a key is visible ASCII")
    let isCompressed = !configuration.address.isLocal
    let body = ByteBuffer(bytes: isCompressed ? GzipWriter.member(of: lines) : lines)
    return try await persist { _ throws(QueueClientError) in
      var request = self.request(.POST, self.path(queue, "records"))
      request.headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
      request.headers.add(name: "Idempotency-Key", value: key)
      if isCompressed { request.headers.add(name: "Content-Encoding", value: "gzip") }
      request.body = .bytes(body)
      // No deadline: a slow line may take long, as long as something goes on.
      return try await self.ask(request, for: PushReceipt.self, deadline: .distantFuture)
    }
  }
}
