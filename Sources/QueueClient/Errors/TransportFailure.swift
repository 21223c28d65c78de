internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

extension QueueClientError {
  /// Words for a request that got no whole answer. Nothing that the error says itself is quoted but the kernel's and TLS's reasons: errors
  /// may quote headers, and so the token.
  init(transport error: any Error, at address: ServerAddress, timeouts: (connect: Duration, answer: Duration)) {
    switch error {
    case let error as QueueClientError: self = error
    case is CancellationError: self = .cancelled(at: address)
    case let error as NIOConnectionError:
      let errors = error.connectionErrors.map(\.error)
      // Of several addresses (::1 and 127.0.0.1, say) the one that refused tells more than the one that isn't there.
      if let telling = errors.first(where: { ($0 as? IOError)?.errnoCode == ECONNREFUSED }) ?? errors.last {
        self.init(transport: telling, at: address, timeouts: timeouts)
      } else {
        self.init(.unreachable, "\(address): the name '\(address.host)' was not found", "check the name, and this machine's DNS")
      }
    case let error as IOError: self.init(error, at: address)
    case let error as HTTPClientError: self.init(error, at: address, timeouts: timeouts)
    case ChannelError.connectTimeout: self = .noConnection(at: address, timeouts.connect)
    case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection: self = .broken(at: address)
    case is HTTPParserError, is NIOHTTPDecoderError:
      self.init(.notSluice, "\(address): what answered is not HTTP", "check host, port and scheme (https instead of http?)")
    case is NIOSSLExtraError:
      self.init(
        .untrusted, "\(address): its certificate is not one for '\(address.host)'", "check the name, or the names in the certificate")
    case is NIOSSLError, is BoringSSLError: self = .tls(error, at: address)
    case is ChannelError: self = .broken(at: address)
    default: self.init(.brokenAnswer, "\(address): the request failed (\(type(of: error)))", "look into the server's log")
    }
  }

  static func cancelled(at address: ServerAddress) -> QueueClientError {
    QueueClientError(.cancelled, "the request to \(address) was given up", "")
  }

  private static func broken(at address: ServerAddress) -> QueueClientError {
    QueueClientError(.brokenAnswer, "\(address) closed the connection before its answer was whole", "look into the server's log")
  }

  private static func noConnection(at address: ServerAddress, _ timeout: Duration) -> QueueClientError {
    QueueClientError(
      .unreachable, "\(address): no connection came about within \(timeout)", "check host and port, and the firewalls between")
  }

  private init(_ error: IOError, at address: ServerAddress) {
    let reason = String(cString: strerror(error.errnoCode))
    switch error.errnoCode {
    case ECONNREFUSED, ENOENT:
      self.init(.unreachable, "\(address): nobody answers there (\(reason))", "check that the server runs, and its address")
    case EACCES, EPERM:
      self.init(
        .unreachable, "\(address): this user may not connect (\(reason))",
        "the socket is the server's user's alone: run this as that user, or use its HTTP address")
    case ECONNRESET, EPIPE: self = .broken(at: address)
    default: self.init(.unreachable, "\(address) can't be reached (\(reason))", "check host and port, and the network between")
    }
  }

  private init(_ error: HTTPClientError, at address: ServerAddress, timeouts: (connect: Duration, answer: Duration)) {
    switch error {
    case .connectTimeout, .getConnectionFromPoolTimeout, .socksHandshakeTimeout, .httpProxyHandshakeTimeout, .tlsHandshakeTimeout:
      self = .noConnection(at: address, timeouts.connect)
    case .deadlineExceeded, .readTimeout, .writeTimeout:
      self.init(
        .brokenAnswer, "\(address): nothing came for \(timeouts.answer)", "look into the server's log, and at the network between")
    case .cancelled: self = .cancelled(at: address)
    case .invalidURL, .emptyHost, .emptyScheme, .missingSocketPath:
      self.init(.configuration, "\(address) is no address that can be asked", "give http://HOST:PORT, https://HOST:PORT or unix:PATH")
    case .remoteConnectionClosed, .uncleanShutdown, .requestStreamCancelled: self = .broken(at: address)
    default: self.init(.brokenAnswer, "\(address): the request failed (\(error.shortDescription))", "look into the server's log")
    }
  }

  private static func tls(_ error: any Error, at address: ServerAddress) -> QueueClientError {
    let text = String(describing: error)
    if text.contains("CERTIFICATE_VERIFY_FAILED") {
      return QueueClientError(
        .untrusted, "\(address): its certificate is not trusted here", "give the authority that signed it (--ca), or renew the certificate")
    }
    if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
      return QueueClientError(.untrusted, "\(address) does not speak TLS", "check scheme and port (http instead of https?)")
    }
    return QueueClientError(.untrusted, "\(address): the TLS handshake failed", "check the address, and the server's TLS settings")
  }
}
