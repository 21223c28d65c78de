internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// One operation of the API: what the router, the access check and the OpenAPI document all know of it.
struct Endpoint: Sendable {
  /// A parameter in the query or among the headers.
  struct Parameter: Sendable {
    enum Place: String, Sendable { case query, header }
    /// What values it takes, in JSON Schema's words.
    enum Kind: Sendable {
      case text(example: String)
      case pattern(String, example: String)
      case integer(ClosedRange<Int>)
      case choice([String])
    }

    var name: String
    var place = Place.query
    var kind: Kind
    /// One sentence for the document and for errors.
    var meaning: String
  }

  /// What a request's body may be.
  struct Body: Sendable {
    /// Content types and the name of each one's schema among the document's components.
    var contents: [(type: String, schema: String)]
    var isRequired = true
  }

  /// What an answer has.
  struct Answer: Sendable {
    var status: Int
    var meaning: String
    /// Content types and the name of each one's schema; none for an empty body.
    var contents: [(type: String, schema: String)] = []
    var headers: [String] = []
  }

  /// The document's `operationId`, and the operation's name in metrics.
  var id: String
  var method: HTTPRequest.Method
  /// With `{queue}`, `{consumer}` and `{segment}` as the variable parts.
  var path: String
  /// Who may ask, where tokens are in use.
  enum Access: Sendable {
    /// Whoever can connect.
    case open
    /// Whoever has a token; the operation itself shows only what that allows.
    case token
    /// Whoever has a token with this scope on the queue that the path names, or on all.
    case scoped(Scope)
  }

  var access: Access
  var summary: String
  var parameters: [Parameter] = []
  var body: Body?
  var answers: [Answer]
  var handle: @Sendable (Call) async throws -> Response

  /// The names of the path's variable parts.
  var variables: [String] { path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) } }
}

/// One request on its way through a handler.
struct Call: Sendable {
  let request: Request
  let context: ServerContext
  let query: Query
  let server: ServerCore
  let access: Access

  /// The queue that the path names.
  func queue() throws -> ServedQueue { try server.shelf.queue(named: variable("queue")) }

  /// The body as JSON; an absent one is an empty object.
  func body<Value: Decodable>(as type: Value.Type) async throws -> Value {
    let limit = 64 << 10
    let body: ByteBuffer
    do { body = try await request.body.collect(upTo: limit) } catch is NIOTooManyBytesError {
      throw Problem(.contentTooLarge, "body_too_large", "the body of this operation has at most \(limit >> 10) KiB")
    }
    return try JSONAnswer.decode(type, from: body)
  }

  /// A variable part of the path.
  func variable(_ name: String) throws -> String {
    guard let text = context.parameters.get(name)?.removingPercentEncoding else { throw Problem.notFound }
    return text
  }
}
