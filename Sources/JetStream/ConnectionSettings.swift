/// How a NATS cluster is reached, and who asks.
public struct ConnectionSettings: Sendable {
  /// A server's URL; what it holds of user and password shows nowhere.
  public struct Server: Sendable, Hashable, CustomStringConvertible {
    /// `nats://` or `tls://`.
    public let url: String
    /// Scheme, host and port.
    public let description: String

    /// A server; `shown` is what messages tell of it.
    public init(_ url: String, shown: String) {
      self.url = url
      description = shown
    }

    var usesTLS: Bool { url.lowercased().hasPrefix("tls://") }
  }

  /// Who asks; the values are secrets.
  public enum Identity: Sendable {
    /// Nobody in particular, or whom the URL names.
    case none
    /// A credentials file, as `nsc` makes it.
    case credentials(file: String)
    /// A token.
    case token(String)
    /// A user with a password.
    case user(String, password: String)
  }

  /// The files of TLS, all PEM.
  public struct TLS: Sendable {
    /// Authorities that are trusted instead of the system's.
    public var authorityFile: String?
    /// The client's certificate and its key.
    public var certificateFile: String?
    /// See ``certificateFile``.
    public var keyFile: String?

    /// The system's authorities, and no certificate.
    public init(authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
      self.authorityFile = authorityFile
      self.certificateFile = certificateFile
      self.keyFile = keyFile
    }
  }

  /// At least one; tried in random order.
  public var servers: [Server]
  /// Who asks.
  public var identity: Identity
  /// TLS, for servers of `tls://`.
  public var tls: TLS
  /// For connecting to one server.
  public var connectTimeout: Duration
  /// For the answer to one request.
  public var timeout: Duration

  /// A cluster.
  public init(
    servers: [Server], identity: Identity = .none, tls: TLS = TLS(), connectTimeout: Duration = .milliseconds(1500),
    timeout: Duration = .seconds(5)
  ) {
    self.servers = servers
    self.identity = identity
    self.tls = tls
    self.connectTimeout = connectTimeout
    self.timeout = timeout
  }
}

extension Duration {
  var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000)
  }

  var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
