internal import AsyncHTTPClient
internal import Foundation
internal import NIOHTTP1

extension QueueClient {
  /// How all queues are that the server shows, and their pipelines.
  public func status() async throws(QueueClientError) -> RemoteStatus {
    try await persist { _ throws(QueueClientError) in try await self.ask(self.request(.GET, "/v1/status"), for: RemoteStatus.self) }
  }
}

extension RemoteStatus {
  /// As the server tells it, in several indented lines.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("what was read from JSON can be written as JSON") }
    return String(decoding: data, as: UTF8.self)
  }
}
