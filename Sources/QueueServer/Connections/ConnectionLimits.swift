internal import NIOCore

/// What one connection may take; the names and defaults are those of `server.limits` in a pipeline file.
public struct ConnectionLimits: Sendable, Equatable {
  /// Connections at a time.
  public var maxConnections = 12_000
  /// Header fields of a request.
  public var maxHeaders = 100
  /// Bytes of a request's header fields and target, in all and each.
  public var maxHeaderBytes = 16 << 10
  /// For the TLS handshake.
  public var handshakeTimeout = Duration.seconds(10)
  /// For a request's head, from connecting, or from its first byte.
  public var headerTimeout = Duration.seconds(10)
  /// Between a response and the next request's first byte.
  public var idleTimeout = Duration.seconds(60)
  /// In each such time ``minProgressBytes`` of a request's body must come.
  public var bodyTimeout = Duration.seconds(30)
  /// In each such time ``minProgressBytes`` of a response must be taken while some of it waits.
  public var responseTimeout = Duration.seconds(60)
  /// See ``bodyTimeout`` and ``responseTimeout``.
  public var minProgressBytes = 4 << 10

  /// The defaults.
  public init() {}

  /// The shortest of the times: no connection has to be looked at more often.
  var shortestTimeout: TimeAmount {
    TimeAmount([handshakeTimeout, headerTimeout, idleTimeout, bodyTimeout, responseTimeout].min() ?? .seconds(1))
  }
}
