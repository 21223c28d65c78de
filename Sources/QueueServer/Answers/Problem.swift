internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import RecordBlocks
internal import SegmentQueue

/// An answer that says no: RFC 9457 problem details. What went wrong, and what to do; nothing of this machine or this code.
struct Problem: Error, Sendable {
  /// The status line's code.
  var status: HTTPResponse.Status
  /// The word that programs look at.
  var code: String
  /// What happened, and what to do.
  var detail: String
  var headers = HTTPFields()
  var members = Members()

  /// Facts beside the standard members; each stands there only where it means something.
  struct Members: Encodable, Sendable, Equatable {
    /// The consumer's cursor.
    var cursor: String?
    /// Up to where the consumer was given records.
    var deliveredEnd: String?
    /// Where reading can go on.
    var oldest: String?
    /// What is lost.
    var lostRecords: UInt64?
    var lostBytes: UInt64?
    /// Why, and when.
    var reason: String?
    var firstTime: String?
    var lastTime: String?
    /// Records of a pushed body that are in the queue all the same.
    var appendedRecords: UInt64?
  }

  private struct Document: Encodable {
    var type: String
    var title: String
    var status: Int
    var detail: String
    var code: String
    var members: Members

    enum CodingKeys: CodingKey { case type, title, status, detail, code }

    func encode(to encoder: any Encoder) throws {
      try members.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(type, forKey: .type)
      try container.encode(title, forKey: .title)
      try container.encode(status, forKey: .status)
      try container.encode(detail, forKey: .detail)
      try container.encode(code, forKey: .code)
    }
  }

  init(
    _ status: HTTPResponse.Status, _ code: String, _ detail: String, headers: HTTPFields = HTTPFields(), members: Members = Members()
  ) {
    self.status = status
    self.code = code
    self.detail = detail
    self.headers = headers
    self.members = members
  }

  /// The answer.
  var response: Response {
    var headers = headers
    headers[.contentType] = "application/problem+json"
    let document = Document(
      type: "urn:sluice:problem:\(code)", title: status.reasonPhrase.isEmpty ? "\(status.code)" : status.reasonPhrase,
      status: status.code, detail: detail, code: code, members: members)
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: JSONAnswer.encode(document)))
  }

  init(_ refusal: RequestRefusal) { self.init(refusal.status, refusal.code, refusal.detail, headers: refusal.fields) }

  // MARK: The kinds

  static var notFound: Problem {
    Problem(.notFound, "no_such_path", "there is nothing at this path; GET /openapi.json tells what there is")
  }

  static func badParameter(_ detail: String) -> Problem { Problem(.badRequest, "bad_parameter", detail) }

  static func badBody(_ detail: String, appended: UInt64 = 0) -> Problem {
    var problem = Problem(.badRequest, "bad_body", detail)
    if appended > 0 { problem.members.appendedRecords = appended }
    return problem
  }

  static var stopping: Problem { Problem(.serviceUnavailable, "stopping", "the server is stopping; ask again in a moment", retryAfter: 1) }

  /// - Parameter retryAfter: seconds after which it is worth trying again.
  init(_ status: HTTPResponse.Status, _ code: String, _ detail: String, retryAfter: Int) {
    self.init(status, code, detail, headers: [.retryAfter: "\(retryAfter)"])
  }

  /// A queue's error, as far as it is the client's business.
  init(_ error: QueueError, of queue: String) {
    switch error.code {
    case .unknownConsumer: self.init(.notFound, "unknown_consumer", "the queue '\(queue)' has no such consumer")
    case .full: self.init(.tooManyRequests, "queue_full", "the queue '\(queue)' has no room; send it again later", retryAfter: 5)
    case .closed: self = .stopping
    case .leaseLost: self.init(.conflict, "lease_lost", error.description)
    case .cursorUnreadable:
      self.init(
        .internalServerError, "cursor_unreadable", "the consumer's file can't be read; the server's log names it and says what to do")
    default:
      self.init(.internalServerError, "queue_failed", "the queue '\(queue)' couldn't do it; the server's log says why")
    }
  }
}

extension HTTPField.Name {
  static let firstOffset = HTTPField.Name("Sluice-First-Offset")!
  static let nextOffset = HTTPField.Name("Sluice-Next-Offset")!
  static let lag = HTTPField.Name("Sluice-Lag")!
  static let lagBytes = HTTPField.Name("Sluice-Lag-Bytes")!
  static let records = HTTPField.Name("Sluice-Records")!
  static let bytes = HTTPField.Name("Sluice-Bytes")!
  static let gap = HTTPField.Name("Sluice-Gap")!
  static let lease = HTTPField.Name("Sluice-Lease")!
  static let deliveries = HTTPField.Name("Sluice-Deliveries")!
  static let deadLetters = HTTPField.Name("Sluice-Dead-Letters")!
  static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
}
