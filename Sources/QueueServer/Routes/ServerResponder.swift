internal import HTTPTypes
internal import Hummingbird

/// Finds the operation of a request, checks who asks, runs it, and turns whatever goes wrong into a problem's answer.
struct ServerResponder: HTTPResponder {
  typealias Context = ServerContext

  private let router: RouterResponder<ServerContext>
  /// The parts of each path, and the methods that it takes.
  private let paths: [(parts: [Substring], methods: String)]
  private let server: ServerCore
  private let sites: SiteRule

  init(_ server: ServerCore, _ endpoints: [Endpoint], sites: SiteRule) {
    self.server = server
    self.sites = sites
    let router = Router(context: ServerContext.self)
    for endpoint in endpoints {
      router.on(RouterPath(endpoint.path), method: endpoint.method) { request, context in
        try await Self.run(endpoint, request, context, server)
      }
    }
    paths = Dictionary(grouping: endpoints, by: \.path).map { path, operations in
      (path.split(separator: "/"), operations.map(\.method.rawValue).sorted().joined(separator: ", "))
    }
    self.router = router.buildResponder()
  }

  func respond(to request: Request, context: ServerContext) async throws -> Response {
    var response: Response
    do {
      if let refusal = sites.refusal(request.head) { throw Problem(refusal) }
      if let refusal = server.peers?.refusal(peer: context.peer) { throw Problem(refusal) }
      response = try await router.respond(to: request, context: context)
      // The router's own answer to what it doesn't know.
      if response.status == .notFound, response.headers[.contentType] == nil {
        guard let methods = methods(at: request.uri.path) else { throw Problem.notFound }
        throw Problem(.methodNotAllowed, "method_not_allowed", "this path takes \(methods)", headers: [.allow: methods])
      }
    } catch let problem as Problem {
      server.metrics.answered(context.coreContext.endpointPath.value ?? "unknown", code: problem.status.code)
      response = problem.response
    }
    if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
    response.headers[.xContentTypeOptions] = "nosniff"
    guard request.method == .head else { return response }
    // RFC 9110, section 9.3.2: what GET would say of the body, without it, whatever the answer is.
    response.headers[.contentLength] = response.headers[.contentLength] ?? response.body.contentLength.map { "\($0)" }
    return Response(status: response.status, headers: response.headers)
  }

  /// What a path takes, whose operations don't have the request's method; nil when there is no such path.
  private func methods(at path: String) -> String? {
    let parts = path.split(separator: "/")
    return paths.first { known in
      known.parts.count == parts.count && zip(known.parts, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }?.methods
  }

  private static func run(_ endpoint: Endpoint, _ request: Request, _ context: ServerContext, _ server: ServerCore) async throws -> Response
  {
    do {
      let access = try access(of: request, context, to: endpoint, server)
      guard endpoint.path.hasPrefix("/v1/") == false || server.isReady else {
        throw Problem(.serviceUnavailable, "starting", "the queues are being opened; ask again in a moment", retryAfter: 1)
      }
      let query = try Query(request.uri.query, allowed: endpoint.parameters)
      let call = Call(request: request, context: context, query: query, server: server, access: access)
      let response = try await endpoint.handle(call)
      server.metrics.answered(endpoint.id, code: response.status.code)
      return response
    } catch let problem as Problem {
      server.metrics.answered(endpoint.id, code: problem.status.code)
      return problem.response
    }
  }

  /// - Throws: ``Problem``: 401 for who isn't known, 403 for who may not.
  private static func access(of request: Request, _ context: ServerContext, to endpoint: Endpoint, _ server: ServerCore) throws -> Access {
    guard let tokens = server.tokens, !context.isLocalSocket else { return .unrestricted }
    let access = tokens.access(authorization: request.headers[.authorization])
    let refusal: RequestRefusal? =
      switch endpoint.access {
      case .open: nil
      case .token: access.name == nil ? access.refusal(.read, queue: nil) : nil
      case .scoped(let scope): access.refusal(scope, queue: context.parameters.get("queue"))
      }
    if let refusal { throw Problem(refusal) }
    return access
  }
}
