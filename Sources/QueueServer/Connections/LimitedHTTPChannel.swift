public import HummingbirdCore
public import Logging
public import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// Connections of the server: Hummingbird's HTTP/1.1 behind ``ConnectionWatch`` and, with `tls`, behind TLS.
///
///     socket │ ConnectionWatch │ TLS │ HTTP encoder, decoder │ RequestWatch │ Hummingbird
///
/// Each connection takes what ``TLSContexts/current`` is when it comes.
public struct LimitedHTTPChannel: ServerChildChannel {
  /// What Hummingbird reads requests from and writes responses to.
  public typealias Value = HTTP1Channel.Value

  private let http: HTTP1Channel
  private let limits: ConnectionLimits
  private let tls: TLSContexts?
  private let counts: ConnectionCounts

  /// Connections that `responder` answers.
  public init(
    responder: @escaping HTTPChannelHandler.Responder, limits: ConnectionLimits, tls: TLSContexts?, counts: ConnectionCounts,
    handlers: @escaping @Sendable () -> [any RemovableChannelHandler] = { [] }
  ) {
    // Idle connections are ConnectionWatch's.
    http = HTTP1Channel(
      responder: responder,
      configuration: HTTP1Channel.Configuration(
        additionalChannelHandlers: handlers(), idleTimeout: nil,
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: limits.maxHeaderBytes, maxHeaderListSize: limits.maxHeaderBytes, maxHeaderFieldCount: limits.maxHeaders)))
    self.limits = limits
    self.tls = tls
    self.counts = counts
  }

  /// Called by Hummingbird on the connection's event loop.
  public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    do {
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(ConnectionWatch(limits: limits, isSecure: tls != nil, counts: counts, logger: logger))
      if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls.current)) }
    } catch {
      return channel.eventLoop.makeFailedFuture(error)
    }
    return http.setup(channel: channel, logger: logger).flatMapThrowing { value in
      let pipeline = channel.pipeline.syncOperations
      let connection = try pipeline.handler(type: ConnectionWatch.self)
      let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
      try pipeline.addHandler(RequestWatch(connection), position: .after(decoder))
      return value
    }
  }

  /// Called by Hummingbird; returns when the connection is closed.
  public func handle(value: Value, logger: Logger) async { await http.handle(value: value, logger: logger) }
}

extension HTTPServerBuilder {
  /// HTTP/1.1 with limits, plain or over TLS, on an address or a Unix socket. Give ``ConnectionLimits/maxConnections`` to the server's
  /// configuration as `MaximumAvailableConnections`, which accepts the next connection late rather than refusing it.
  ///
  /// - Parameter handlers: stand between HTTP and Hummingbird, for each connection new ones.
  public static func limited(
    _ limits: ConnectionLimits, tls: TLSContexts?, counts: ConnectionCounts,
    handlers: @escaping @Sendable () -> [any RemovableChannelHandler] = { [] }
  ) -> HTTPServerBuilder {
    HTTPServerBuilder { responder in
      LimitedHTTPChannel(responder: responder, limits: limits, tls: tls, counts: counts, handlers: handlers)
    }
  }
}
