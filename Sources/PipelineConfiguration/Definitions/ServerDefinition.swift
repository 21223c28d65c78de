public import PipelineCore

/// The section `server`: the HTTP side, for all pipelines of a process.
public struct ServerDefinition: Sendable, Equatable {
  /// The files of TLS, all PEM; read when the server starts, and again when they change.
  public struct TLS: Sendable, Equatable {
    /// The server's certificate, then those that lead to its authority.
    public var certificateFile: String
    /// Its private key.
    public var keyFile: String
    /// Authorities one of which must have signed a client's certificate; nil: clients need none.
    public var clientAuthorityFile: String?

    /// A certificate with its key.
    public init(certificateFile: String, keyFile: String, clientAuthorityFile: String? = nil) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
      self.clientAuthorityFile = clientAuthorityFile
    }
  }

  /// What one client, and all of them together, may take.
  public struct Limits: Sendable, Equatable {
    /// Connections at a time; the next ones wait in the kernel until one of these is closed.
    public var maxConnections: Int
    /// Header fields of a request.
    public var maxHeaders: Int
    /// Bytes of all header fields of a request.
    public var maxHeaderBytes: Int
    /// For the TLS handshake.
    public var handshakeTimeout: Duration
    /// For a whole request head, from connecting, or from its first byte.
    public var headerTimeout: Duration
    /// Between a response and the next request's first byte.
    public var idleTimeout: Duration
    /// In each such time ``minProgressBytes`` of a request's body must come.
    public var bodyTimeout: Duration
    /// In each such time the client must take ``minProgressBytes`` of a response that waits for it.
    public var responseTimeout: Duration
    /// See ``bodyTimeout`` and ``responseTimeout``.
    public var minProgressBytes: Int
    /// Requests a second of one address; nil for as many as come.
    public var requestsPerSecond: Int?

    /// Limits; the defaults are the pipeline file's.
    public init(
      maxConnections: Int = 12_000, maxHeaders: Int = 100, maxHeaderBytes: Int = 16 << 10, handshakeTimeout: Duration = .seconds(10),
      headerTimeout: Duration = .seconds(10), idleTimeout: Duration = .seconds(60), bodyTimeout: Duration = .seconds(30),
      responseTimeout: Duration = .seconds(60), minProgressBytes: Int = 4 << 10, requestsPerSecond: Int? = nil
    ) {
      self.maxConnections = maxConnections
      self.maxHeaders = maxHeaders
      self.maxHeaderBytes = maxHeaderBytes
      self.handshakeTimeout = handshakeTimeout
      self.headerTimeout = headerTimeout
      self.idleTimeout = idleTimeout
      self.bodyTimeout = bodyTimeout
      self.responseTimeout = responseTimeout
      self.minProgressBytes = minProgressBytes
      self.requestsPerSecond = requestsPerSecond
    }
  }

  /// Where the server listens.
  public var listen: ServerAddress
  /// The file of access tokens; nil: whoever can connect may do everything.
  public var tokensFile: String?
  /// TLS; nil for plain HTTP.
  public var tls: TLS?
  /// Whether the operator wants an address that others reach without tokens, or tokens without TLS.
  public var isInsecure: Bool
  /// What clients may take.
  public var limits: Limits

  /// A server; the defaults are the pipeline file's.
  public init(
    listen: ServerAddress = .standard, tokensFile: String? = nil, tls: TLS? = nil, isInsecure: Bool = false, limits: Limits = Limits()
  ) {
    self.listen = listen
    self.tokensFile = tokensFile
    self.tls = tls
    self.isInsecure = isInsecure
    self.limits = limits
  }
}
