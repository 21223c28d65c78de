internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// `GET /v1/status`: once, or again and again as Server-Sent Events.
enum StatusHandler {
  static func respond(_ call: Call) async throws -> Response {
    let server = call.server
    guard call.request.headers.acceptsEvents else {
      let snapshot = try await StatusSnapshot.take(of: server)
      var document = snapshot.document(for: call.access)
      document.writeString("\n")
      return Response(status: .ok, headers: headers("application/json"), body: ResponseBody(byteBuffer: document))
    }
    let snapshots = try server.status.listen { try? await StatusSnapshot.take(of: server) }
    return Response(
      status: .ok, headers: headers("text/event-stream"),
      body: ResponseBody { writer in
        for await snapshot in snapshots {
          // A token may have been taken back meanwhile.
          guard let access = call.presentAccess else { break }
          var event = ByteBuffer(string: "event: status\ndata: ")
          event.writeImmutableBuffer(snapshot.document(for: access))
          event.writeString("\n\n")
          try await writer.write(event)
        }
        try await writer.finish(nil)
      })
  }

  private static func headers(_ type: String) -> HTTPFields {
    [
      .contentType: type, .vary: "Accept", .crossOriginResourcePolicy: "same-origin",
      // nginx would keep events until its buffer is full.
      .init("X-Accel-Buffering")!: "no",
    ]
  }
}

extension Call {
  /// What the sender may do by now, where an answer goes on for long; nil when its token isn't known any more.
  var presentAccess: Access? {
    guard let tokens = server.tokens, !context.isLocalSocket else { return .unrestricted }
    let access = tokens.access(authorization: request.headers[.authorization])
    return access.name == nil ? nil : access
  }
}

extension HTTPFields {
  /// The client takes Server-Sent Events.
  var acceptsEvents: Bool { self[values: .accept].contains { $0.lowercased().contains("text/event-stream") } }

  /// The client shows pages: a browser.
  var acceptsPages: Bool { self[values: .accept].contains { $0.lowercased().contains("text/html") } }
}

extension HTTPField.Name {
  static let crossOriginResourcePolicy = HTTPField.Name("Cross-Origin-Resource-Policy")!
}
