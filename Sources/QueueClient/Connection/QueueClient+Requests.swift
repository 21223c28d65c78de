internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1

extension QueueClient {
  /// The most bytes that an answer in JSON may have.
  private static let maximumJSONBytes = 64 << 20
  /// The most bytes of an error answer that are read.
  private static let maximumProblemBytes = 64 << 10
  /// The longest that a server may ask us to wait: what it asks beyond that is more likely a mistake.
  private static let longestRetryAfter = 600

  /// A request to `path`, whose parts are encoded already.
  func request(_ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = []) -> HTTPClientRequest {
    let query = query.map { "\($0.name)=\(ServerAddress.encoded($0.value))" }.joined(separator: "&")
    var request = HTTPClientRequest(url: configuration.address.base + path + (query.isEmpty ? "" : "?" + query))
    request.method = method
    // A Unix socket has no host to name, and HTTP/1.1 asks for one.
    if configuration.address.isUnixSocket { request.headers.add(name: "Host", value: "localhost") }
    request.headers.add(name: "User-Agent", value: "sluice")
    if let token = configuration.token { request.headers.add(name: "Authorization", value: "Bearer \(token.value)") }
    return request
  }

  /// `/v1/queues/NAME` and what follows it.
  func path(_ queue: String, _ rest: String...) -> String {
    "/v1/queues/" + ([queue] + rest).map { ServerAddress.encoded($0) }.joined(separator: "/")
  }

  /// Sends a request and waits for the head of a success; an error answer is read and thrown. The body of what is returned must be read.
  func send(_ request: HTTPClientRequest, deadline: NIODeadline = .distantFuture) async throws(QueueClientError) -> HTTPClientResponse {
    let response: HTTPClientResponse
    do { response = try await http.execute(request, deadline: deadline) } catch { throw explained(error) }
    guard !(200..<300).contains(response.status.code) else { return response }
    throw await refusal(response)
  }

  /// Sends a request with a small answer, which must be `Answer` in JSON.
  func ask<Answer: Decodable & Sendable>(_ request: HTTPClientRequest, for type: Answer.Type, deadline: NIODeadline? = nil)
    async throws(QueueClientError) -> Answer
  {
    try await askWithStatus(request, for: type, deadline: deadline).answer
  }

  /// The same, with the answer's status code.
  func askWithStatus<Answer: Decodable & Sendable>(_ request: HTTPClientRequest, for type: Answer.Type, deadline: NIODeadline? = nil)
    async throws(QueueClientError) -> (answer: Answer, status: Int)
  {
    let response = try await send(request, deadline: deadline ?? answerDeadline)
    let body = try await collect(response)
    do { return (answer: try JSONDecoder().decode(type, from: Data(body.readableBytesView)), status: Int(response.status.code)) } catch {
      throw notSluice("its answer is not what was asked for (\(Self.place(of: error)))")
    }
  }

  /// Sends a request whose answer has nothing to read.
  func tell(_ request: HTTPClientRequest) async throws(QueueClientError) {
    _ = try await collect(try await send(request, deadline: answerDeadline))
  }

  /// A body of JSON.
  func json(_ value: some Encodable) -> HTTPClientRequest.Body {
    guard let data = try? JSONEncoder().encode(value) else { preconditionFailure("strings and numbers are always JSON") }
    return .bytes(ByteBuffer(bytes: data))
  }

  /// What answered isn't a Sluice server, or one of another version.
  func notSluice(_ what: String) -> QueueClientError {
    QueueClientError(
      .notSluice, "\(configuration.address): \(what)", "check that the address is a Sluice server's, and that both are of one version")
  }

  /// An error of the transport in our words; one that is ours already stays as it is.
  func explained(_ error: any Error) -> QueueClientError {
    if Task.isCancelled { return .cancelled(at: configuration.address) }
    return QueueClientError(
      transport: error, at: configuration.address, timeouts: (configuration.connectTimeout, configuration.answerTimeout))
  }

  private var answerDeadline: NIODeadline { .now() + TimeAmount(configuration.answerTimeout) }

  private func collect(_ response: HTTPClientResponse) async throws(QueueClientError) -> ByteBuffer {
    do { return try await response.body.collect(upTo: Self.maximumJSONBytes) } catch {
      throw error is NIOTooManyBytesError ? notSluice("its answer never ends") : explained(error)
    }
  }

  /// The error that an error answer stands for.
  private func refusal(_ response: HTTPClientResponse) async -> QueueClientError {
    let status = Int(response.status.code)
    var problem = Problem(status: status)
    let type = response.headers.first(name: "Content-Type")?.lowercased() ?? ""
    let body = try? await response.body.collect(upTo: Self.maximumProblemBytes)
    if let body, type.hasPrefix("application/problem+json"),
      let read = try? JSONDecoder().decode(Problem.self, from: Data(body.readableBytesView))
    {
      problem = read
      problem.status = status
    }
    let retryAfter = response.headers.first(name: "Retry-After").flatMap { Int($0) }.map {
      Duration.seconds(min(max($0, 0), Self.longestRetryAfter))
    }
    let address = configuration.address
    if let detail = problem.detail, problem.code != nil {
      return QueueClientError(.refused, "\(address): \(detail)", "", problem: problem, retryAfter: retryAfter)
    }
    switch status {
    case 401, 403:
      return QueueClientError(
        .refused, "\(address) refused the request (\(status))", "give a token that it accepts (--token-file)", problem: problem)
    case 300..<400:
      return QueueClientError(
        .notSluice, "\(address) sends on to somewhere else (\(status))", "give the server's own address", problem: problem)
    default:
      return QueueClientError(
        .refused, "\(address) answered with status \(status)",
        problem.code == nil && status < 500 ? "check that the address is a Sluice server's" : "look into the server's log",
        problem: problem,
        retryAfter: retryAfter)
    }
  }

  /// Where in the answer something was missing or wrong, without its values.
  private static func place(of error: any Error) -> String {
    func keys(_ context: DecodingError.Context) -> String { context.codingPath.map(\.stringValue).joined(separator: ".") }
    switch error as? DecodingError {
    case .keyNotFound(let key, let context): return "\(keys(context).isEmpty ? "" : keys(context) + ".")\(key.stringValue) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context): return "\(keys(context)) is of another type"
    case .dataCorrupted(let context) where !context.codingPath.isEmpty: return "\(keys(context)): \(context.debugDescription)"
    default: return "no JSON"
    }
  }
}
