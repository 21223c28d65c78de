internal import DurableFiles
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import RecordBlocks
internal import SegmentQueue

/// Sealed segments as static files: they never change under their name, so caches and ranges are safe.
enum SegmentHandlers {
  private struct Shape: Encodable {
    var name: String
    var firstOffset: UInt64
    var nextOffset: UInt64
    var storedBytes: Int64
    var created: String?
    var url: String
  }

  static func list(_ call: Call) async throws -> Response {
    struct List: Encodable { var segments: [Shape] }
    let served = try call.queue()
    return JSONAnswer.response(
      List(
        segments: try await call.server.pool.run {
          served.queue.sealedSegments.map { segment in
            Shape(
              name: segment.name, firstOffset: segment.base.rawValue, nextOffset: segment.end.rawValue, storedBytes: segment.byteCount,
              created: segment.created.map { WireTime.text($0) }, url: "/v1/queues/\(served.name)/segments/\(segment.name)")
          }
        }))
  }

  /// The file, or the range of it that was asked for.
  static func download(_ call: Call) async throws -> Response {
    let (served, name) = (try call.queue(), try call.variable("segment"))
    let opened = try await call.server.pool.run {
      do throws(QueueError) { return try served.queue.openSegment(named: name) } catch {
        guard error.code == .unknownSegment else { throw Problem(error, of: served.name) }
        throw Problem(
          .notFound, "unknown_segment", "the queue '\(served.name)' has no sealed segment of that name; GET …/segments lists those it has")
      }
    }
    let tag = "\"\(served.queue.id)-\(name)-\(opened.byteCount)\""
    var headers: HTTPFields = [
      .contentType: "application/gzip", .eTag: tag, .acceptRanges: "bytes", .cacheControl: "public, max-age=31536000, immutable",
    ]
    let request = call.request.headers
    // Compared weakly (RFC 9110, section 13.1.2): a proxy that compresses makes a tag weak.
    let known = (request[.ifNoneMatch] ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
    if known.contains(where: { $0 == "*" || $0 == tag || $0 == "W/\(tag)" }) {
      return Response(status: .notModified, headers: headers)
    }
    var range = 0..<opened.byteCount
    var status = HTTPResponse.Status.ok
    if let text = request[.range], request[.ifRange].map({ $0 == tag }) ?? true, let asked = ByteRange(text) {
      guard let within = asked.resolved(in: opened.byteCount) else {
        throw Problem(
          .rangeNotSatisfiable, "bad_range", "the segment has \(opened.byteCount) bytes; ask for some of them",
          headers: [.contentRange: "bytes */\(opened.byteCount)"])
      }
      range = within
      status = .partialContent
      headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(opened.byteCount)"
    }
    return Response(status: status, headers: headers, body: body(opened.file, range, call.server))
  }

  private static let chunk = 256 << 10

  /// Read as fast as the client takes it: a chunk in memory at a time.
  private static func body(_ file: any File, _ range: Range<Int64>, _ server: ServerCore) -> ResponseBody {
    ResponseBody(contentLength: Int(range.count)) { writer in
      var position = range.lowerBound
      while position < range.upperBound {
        let (start, count) = (position, Int(min(Int64(chunk), range.upperBound - position)))
        let bytes = try await server.pool.run { try file.read(count, at: start) }
        // The length was promised; a file that is shorter than it was ends the connection, and the client knows.
        guard !bytes.isEmpty else { throw FileEnded() }
        position += Int64(bytes.count)
        try await writer.write(ByteBuffer(bytes: bytes))
      }
      try await writer.finish(nil)
    }
  }

  private struct FileEnded: Error {}
}

/// One range of RFC 9110, section 14.1.2. Several at once are answered with the whole file, as the RFC allows.
enum ByteRange: Equatable {
  case from(Int64)
  case between(Int64, Int64)
  case last(Int64)

  init?(_ text: String) {
    guard text.lowercased().hasPrefix("bytes=") else { return nil }
    let ends = text.dropFirst(6).filter { $0 != " " }.split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, ends.allSatisfy({ $0.utf8.count <= 18 && $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } }) else { return nil }
    switch (Int64(ends[0]), Int64(ends[1])) {
    case (let first?, let last?) where first <= last: self = .between(first, last)
    case (let first?, nil) where ends[1].isEmpty: self = .from(first)
    case (nil, let count?) where ends[0].isEmpty: self = .last(count)
    default: return nil
    }
  }

  /// The bytes of a file of `count` that it means; nil for none.
  func resolved(in count: Int64) -> Range<Int64>? {
    let range: Range<Int64>
    switch self {
    case .from(let first): range = min(first, count)..<count
    case .between(let first, let last): range = min(first, count)..<min(last + 1, count)
    case .last(let length): range = max(0, count - length)..<count
    }
    return range.isEmpty ? nil : range
  }
}
