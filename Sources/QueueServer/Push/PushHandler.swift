internal import Crypto
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import RecordBlocks
internal import SegmentQueue

/// `POST …/records`: the body's records are on the disk when it is answered with 200.
///
/// Order: the whole body of a keyed request (or of JSON) arrives before anything is appended; then one block, its sync, the answer. Without a
/// key, lines are appended as they arrive, so a body that breaks off may have left its beginning in the queue: who must know sends a key.
struct PushHandler: Sendable {
  /// A keyed body is one block.
  static let largestWhole = 8 << 20
  /// Lines are appended in batches of about this size: a block.
  private static let batchBytes = 256 << 10

  private struct Pushed: Encodable {
    var first: String
    var next: String
    var records: Int
    var bytes: Int
    var replayed: Bool
  }

  private let call: Call
  private let served: ServedQueue
  private let isGzip: Bool
  private let isJSON: Bool
  private let key: String?

  init(_ call: Call) throws {
    self.call = call
    served = try call.queue()
    let headers = call.request.headers
    switch headers[.contentEncoding]?.lowercased() {
    case nil, "identity": isGzip = false
    case "gzip", "x-gzip": isGzip = true
    default:
      throw Problem(
        .unsupportedMediaType, "unsupported_encoding", "Content-Encoding: send the body as it is, or gzip",
        headers: [.acceptEncoding: "gzip"])
    }
    let type = headers[.contentType]?.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
    guard type?.hasPrefix("multipart/") != true else {
      throw Problem(
        .unsupportedMediaType, "unsupported_type", "a form is no lines: send them as the body itself (curl --data-binary @FILE, or -T FILE)"
      )
    }
    isJSON = type == "application/json"
    key = headers[.idempotencyKey]
  }

  func respond() async throws -> Response {
    guard !served.name.hasSuffix(QueueShelf.deadLetterSuffix) else {
      throw Problem(.conflict, "dead_letters", "nothing is pushed into dead letters: they are what sinks have set aside")
    }
    if served.queue.isFull {
      throw Problem(
        .tooManyRequests, "queue_full", "the queue '\(served.name)' has no room; nothing was appended, send it again later", retryAfter: 5)
    }
    do {
      let writer = try await call.server.pool.run { [served] in try served.pushWriter() }
      let pushed = key != nil || isJSON ? try await whole(writer) : try await streamed(writer)
      call.server.metrics.pushed(records: pushed.records, bytes: pushed.bytes, of: served.name)
      return JSONAnswer.response(pushed)
    } catch let error as QueueError {
      guard error.code == .keyConflict else { throw Problem(error, of: served.name) }
      throw Problem(
        .unprocessableContent, "key_conflict", "another body was pushed under this Idempotency-Key; a key stands for one body only")
    }
  }

  // MARK: The ways

  /// The whole body as one block, under its key if it has one.
  private func whole(_ writer: SourceWriter) async throws -> Pushed {
    let batch = isJSON ? try JSONRecords.batch(from: try await bytes()) : try await lines()
    let (records, bytes) = (batch.recordCount, batch.byteCount)
    guard bytes <= Self.largestWhole else { throw tooLarge(Self.largestWhole) }
    guard let key else {
      guard records > 0 else { return empty }
      let range = try await writer.write(batch, checkpoints: []).durableRange()
      return pushed(range, records, bytes, replayed: false)
    }
    var hash = SHA256()
    batch.withLines { hash.update(bufferPointer: $0) }
    guard let key = IdempotencyKey(key, bodyHash: Array(hash.finalize())) else {
      throw Problem.badParameter("Idempotency-Key: expected 1 to 128 visible ASCII characters")
    }
    guard records > 0 else { return empty }
    let append = try await writer.write(batch, key: key)
    return pushed(append.range, records, bytes, replayed: append.wasThere)
  }

  /// Lines as they arrive.
  private func streamed(_ writer: SourceWriter) async throws -> Pushed {
    let limit = call.server.limits.bodyBytes
    // Known before anything is appended.
    if !isGzip, let length = call.request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge(limit) }
    let decoder = BodyDecoder(isGzip: isGzip, limit: limit)
    var cutter = LineCutter()
    var tickets: [AppendTicket] = []
    var (records, bytes) = (0, 0)
    do {
      for try await part in call.request.body {
        decoder.feed(part)
        while try decoder.next({ try cutter.append($0) }) {
          guard cutter.batch.byteCount >= Self.batchBytes else { continue }
          let batch = cutter.takeBatch()
          (records, bytes) = (records + batch.recordCount, bytes + batch.byteCount)
          tickets.append(try await writer.write(batch, checkpoints: []))
        }
      }
      try decoder.finish()
    } catch {
      throw explained(error, limit: limit, appended: records)
    }
    cutter.finish()
    let batch = cutter.takeBatch()
    if !batch.isEmpty {
      (records, bytes) = (records + batch.recordCount, bytes + batch.byteCount)
      tickets.append(try await writer.write(batch, checkpoints: []))
    }
    var range: Range<RecordBlocks.Offset>?
    for ticket in tickets {
      let written = try await ticket.durableRange()
      range = (range?.lowerBound ?? written.lowerBound)..<written.upperBound
    }
    guard let range else { return empty }
    return pushed(range, records, bytes, replayed: false)
  }

  private func pushed(_ range: Range<RecordBlocks.Offset>, _ records: Int, _ bytes: Int, replayed: Bool) -> Pushed {
    Pushed(
      first: "\(served.queue.place(range.lowerBound))", next: "\(served.queue.place(range.upperBound))", records: records, bytes: bytes,
      replayed: replayed)
  }

  private var empty: Pushed {
    let end = "\(served.queue.place(served.queue.durableEnd))"
    return Pushed(first: end, next: end, records: 0, bytes: 0, replayed: false)
  }

  // MARK: Reading the body

  private func lines() async throws -> RecordBatch {
    var cutter = LineCutter()
    do {
      let decoder = BodyDecoder(isGzip: isGzip, limit: Self.largestWhole)
      for try await part in call.request.body {
        decoder.feed(part)
        while try decoder.next({ try cutter.append($0) }) {}
      }
      try decoder.finish()
    } catch {
      throw explained(error, limit: Self.largestWhole, appended: 0)
    }
    cutter.finish()
    return cutter.takeBatch()
  }

  private func bytes() async throws -> [UInt8] {
    var bytes: [UInt8] = []
    do {
      let decoder = BodyDecoder(isGzip: isGzip, limit: Self.largestWhole)
      for try await part in call.request.body {
        decoder.feed(part)
        while try decoder.next({ bytes.append(contentsOf: $0) }) {}
      }
      try decoder.finish()
    } catch {
      throw explained(error, limit: Self.largestWhole, appended: 0)
    }
    return bytes
  }

  private func explained(_ error: any Error, limit: Int, appended: Int) -> any Error {
    switch error {
    case BodyDecoder.Failure.tooLarge: return tooLarge(limit, appended: appended)
    case BodyDecoder.Failure.damaged:
      return Problem.badBody("the body is no gzip, or ends before its last member does", appended: UInt64(appended))
    case is LineCutter.LineTooLong:
      var problem = Problem(
        .contentTooLarge, "line_too_long", "a line is longer than \(LineCutter.longestLine >> 20) MiB, the most that a record may have")
      return noting(appended, in: &problem)
    default: return error
    }
  }

  private func tooLarge(_ limit: Int, appended: Int = 0) -> Problem {
    var problem = Problem(
      .contentTooLarge, "body_too_large",
      "the body has more than \(limit >> 20) MiB of lines, which is the most\(limit == Self.largestWhole ? " under a key, or of JSON" : ""); send it in parts"
    )
    return noting(appended, in: &problem)
  }

  /// What is in the queue although the request was refused.
  private func noting(_ appended: Int, in problem: inout Problem) -> Problem {
    guard appended > 0 else { return problem }
    problem.members.appendedRecords = UInt64(appended)
    problem.detail += "; the body's first \(appended) records are in the queue already: go on behind them"
    return problem
  }
}
