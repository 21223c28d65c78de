internal import HTTPTypes

/// What the sender of one request may do.
public struct Access: Sendable {
  private enum Standing: Sendable {
    /// No tokens are in use.
    case unrestricted
    case bearer(TokenTable.Bearer)
    case noToken
    case unknownToken
  }

  private let standing: Standing

  /// May do everything: for a server without tokens.
  public static let unrestricted = Access(standing: .unrestricted)
  /// Sent no token, or no `Authorization: Bearer` at all.
  static let noToken = Access(standing: .noToken)
  /// Sent a token that isn't in the file.
  static let unknownToken = Access(standing: .unknownToken)
  /// Has a token of the file.
  static func bearer(_ bearer: TokenTable.Bearer) -> Access { Access(standing: .bearer(bearer)) }

  /// The token's name, for logs; nil without a known token.
  public var name: String? {
    if case .bearer(let bearer) = standing { bearer.name } else { nil }
  }

  /// Whether it may do `scope` with a queue; `queue` nil asks for all queues.
  public func allows(_ scope: Scope, queue: String?) -> Bool {
    switch standing {
    case .unrestricted: true
    case .bearer(let bearer): bearer.grants.contains { $0.covers(scope, queue: queue) }
    case .noToken, .unknownToken: false
    }
  }

  /// Nil when it may; else the answer: 401 without a known token, 403 when the token isn't for that (RFC 6750, section 3).
  public func refusal(_ scope: Scope, queue: String?) -> RequestRefusal? {
    switch standing {
    case _ where allows(scope, queue: queue): nil
    case .unrestricted: nil
    case .noToken:
      RequestRefusal(
        status: .unauthorized, code: "unauthorized", title: "A token is needed",
        detail: "the request has no token; send 'Authorization: Bearer TOKEN' (an operator makes one with 'sluice token')",
        fields: [.wwwAuthenticate: #"Bearer realm="sluice""#])
    case .unknownToken:
      RequestRefusal(
        status: .unauthorized, code: "unauthorized", title: "A token is needed",
        detail: "the token isn't known here; it was mistyped, or removed from the server's file of tokens",
        fields: [.wwwAuthenticate: #"Bearer realm="sluice", error="invalid_token""#])
    case .bearer(let bearer): insufficient(bearer, "\(scope.rawValue)@\(queue ?? "*")")
    }
  }

  private func insufficient(_ bearer: TokenTable.Bearer, _ needed: String) -> RequestRefusal {
    let isPlain = needed.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C }
    return RequestRefusal(
      status: .forbidden, code: "forbidden", title: "The token is not for this",
      detail: "the token '\(bearer.name)' doesn't have the scope \(needed), which this needs; an operator can add it in the file of tokens",
      fields: [.wwwAuthenticate: #"Bearer realm="sluice", error="insufficient_scope""# + (isPlain ? ", scope=\"\(needed)\"" : "")])
  }
}
