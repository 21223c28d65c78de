public import HTTPTypes
public import PipelineCore

/// Keeps web pages of others from driving a server that asks for no token: a browser on this machine reaches the loopback for any page that
/// it shows.
///
/// Two ways are closed. A page's script may send requests to another origin, without reading the answers: the browser says so in
/// `Sec-Fetch-Site` or `Origin`. And a page may have its own name point to 127.0.0.1 (DNS rebinding), which makes it the same origin: the
/// browser then sends that name as `Host`.
public struct SiteRule: Sendable {
  /// Whether `Host` must be a name of the loopback.
  private let checksHost: Bool
  /// Whether browsers can reach the server at all.
  private let checksSite: Bool

  /// The rule of a server that listens at `address`. With tokens a name may stand before it, a proxy's say: a browser sends no token by
  /// itself. On an address of the network (`insecure`) nobody knows by which names it is reached.
  public init(address: ServerAddress, hasTokens: Bool) {
    if case .unix = address {
      (checksHost, checksSite) = (false, false)
    } else {
      (checksHost, checksSite) = (address.isLocal && !hasTokens, true)
    }
  }

  /// Nil for a request that may go on; else the answer.
  public func refusal(_ request: HTTPRequest) -> RequestRefusal? {
    if checksHost, let host = request.authority, !Self.isLoopbackName(host) {
      return RequestRefusal(
        status: .misdirectedRequest, code: "wrong_host", title: "Not a name of this server",
        detail:
          "the request is for the host '\(host.prefix(100))', and a server without tokens answers only as localhost, 127.0.0.1 or [::1]; use one of them, or give the server tokens"
      )
    }
    // Of places among those who listen there are only so many.
    guard checksSite, Self.mayChangeState(request) || request.headerFields.acceptsEvents, Self.isCrossSite(request) else { return nil }
    return RequestRefusal(
      status: .forbidden, code: "cross_site", title: "Sent by a page of another site",
      detail:
        "a web page of another origin sent this request, and it could change something or take a place among the listeners; send it from a program, or from the server's own page"
    )
  }

  /// Everything but a plain look: a query can hold `commit`, or a consumer whose place a read moves.
  private static func mayChangeState(_ request: HTTPRequest) -> Bool {
    let isRead = request.method == .get || request.method == .head || request.method == .options
    return !isRead || request.path?.contains("?") == true
  }

  /// Browsers send `Sec-Fetch-Site` to loopback and TLS servers; `Origin` (older ones, plain HTTP) names the page's. Programs send neither.
  private static func isCrossSite(_ request: HTTPRequest) -> Bool {
    let fields = request.headerFields
    if let site = fields[.init("Sec-Fetch-Site")!] { return site != "same-origin" && site != "none" }
    guard let origin = fields[.origin] else { return false }
    guard let host = request.authority?.lowercased() else { return true }
    return !["http://", "https://"].contains { origin.lowercased() == $0 + host }
  }

  /// Whether a `Host` field names the loopback: by a number or as localhost, with any port (a tunnel may have another).
  static func isLoopbackName(_ authority: String) -> Bool {
    var host = authority.lowercased()[...]
    if host.hasPrefix("[") {
      guard let end = host.firstIndex(of: "]"), isPort(host[host.index(after: end)...]) else { return false }
      host = host[host.index(after: host.startIndex)..<end]
      return host.contains(":") && ServerAddress.isLoopback(String(host))
    }
    if let colon = host.firstIndex(of: ":") {
      guard isPort(host[colon...]) else { return false }
      host = host[..<colon]
    }
    return host == "localhost" || ServerAddress.isLoopback(String(host))
  }

  /// Empty, or a colon and digits.
  private static func isPort(_ text: Substring) -> Bool {
    text.isEmpty || text.first == ":" && text.dropFirst().utf8.allSatisfy { 0x30...0x39 ~= $0 }
  }
}
