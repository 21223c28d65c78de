internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

extension QueueClient {
  /// The most bytes of lines that a server gives in one batch of several records.
  public static let maximumBatchBytes = 64 << 20

  /// Draws one batch, waiting for it on the server as long as `request` says. Empty when nothing came.
  ///
  /// What is returned is whole: the gzip member's checksum and length are right, and records and bytes are as many as announced. A batch
  /// whose body broke off is asked for again; nothing is committed for it. When the request commits, that is durable on return.
  public func pull(_ request: PullRequest) async throws(QueueClientError) -> PulledBatch {
    try await persist { _ throws(QueueClientError) in try await self.pullOnce(request) }
  }

  private func pullOnce(_ pull: PullRequest) async throws(QueueClientError) -> PulledBatch {
    var request = request(.GET, path(pull.queue, "records"), query: pull.query)
    request.headers.add(name: "Accept-Encoding", value: "gzip")
    return try await batch(of: try await send(request), maxBytes: pull.maxBytes, form: pull.form)
  }

  /// The whole and checked batch that an answer has.
  func batch(of response: HTTPClientResponse, maxBytes: Int, form: PullRequest.Form) async throws(QueueClientError) -> PulledBatch {
    guard var batch = PulledBatch(response.headers) else {
      throw notSluice("an answer to a pull has not the headers Sluice-First-Offset, -Next-Offset, -Records and -Bytes that it must have")
    }
    let encoding = response.headers.first(name: "Content-Encoding")?.lowercased()
    guard encoding == nil || encoding == "gzip" else { throw notSluice("it answers in an encoding that was not asked for") }
    let limit = batch.records <= 1 ? configuration.maximumRecordBytes : min(maxBytes, Self.maximumBatchBytes)
    guard batch.byteCount <= limit else {
      throw notSluice("it announces a batch of \(batch.byteCount) bytes, where \(limit) is the most")
    }
    let reader = BodyReader(form: form, isCompressed: encoding == "gzip", records: batch.records, byteCount: batch.byteCount)
    do {
      for try await piece in response.body {
        var damage: BodyReader.Damage?
        piece.withUnsafeReadableBytes { bytes in
          do throws(BodyReader.Damage) { try reader.take(bytes) } catch { damage = error }
        }
        if let damage { throw damaged(batch, damage) }
      }
    } catch {
      throw explained(error)
    }
    do throws(BodyReader.Damage) { batch.body = try reader.finish() } catch { throw damaged(batch, error) }
    return batch
  }

  private func damaged(_ batch: PulledBatch, _ damage: BodyReader.Damage) -> QueueClientError {
    QueueClientError(
      .brokenAnswer, "\(configuration.address): the body of records \(batch.first) to \(batch.next) is damaged: \(damage.reason)",
      "look at what stands between here and the server, and at the server's log")
  }
}
