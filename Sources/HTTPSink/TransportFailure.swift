internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

/// The words for a request that got no answer: what happened, and what to do.
struct TransportFailure {
  /// What happened, as the rest of a sentence that begins with the URL.
  let happened: String
  /// What to do about it.
  let remedy: String

  private init(_ happened: String, _ remedy: String) {
    self.happened = happened
    self.remedy = remedy
  }

  /// Words for `error`; nothing of what it says itself is quoted but TLS's reason, since errors may quote headers.
  init(_ error: any Error, host: String, timeout: Duration, connectTimeout: Duration) {
    switch error {
    case let error as NIOConnectionError:
      if error.connectionErrors.isEmpty {
        self.init("the name '\(host)' was not found", "check the name in 'url', and this machine's DNS")
      } else {
        let errors = error.connectionErrors.map(\.error)
        // Of several addresses (::1 and 127.0.0.1, say) the one that refused tells more than the one that isn't there.
        let telling = errors.first { ($0 as? IOError)?.errnoCode == ECONNREFUSED } ?? errors[errors.count - 1]
        self.init(telling, host: host, timeout: timeout, connectTimeout: connectTimeout)
      }
    case let error as IOError: self.init(error)
    case let error as HTTPClientError: self.init(error, timeout: timeout, connectTimeout: connectTimeout)
    case ChannelError.connectTimeout:
      self.init(
        "no connection came about within \(connectTimeout)",
        "check host and port in 'url' and the firewalls between, or raise 'connect_timeout'")
    case is AnswerTooLong: self.init("its answer never ends", "check that 'url' leads to a server that takes records")
    case is AnsweredBeforeBody: self.init("it did not take the whole body within \(timeout)", "raise 'timeout' or lower 'batch.max_bytes'")
    case HTTPParserError.invalidEOFState, HTTPParserError.closedConnection: self = Self.closed
    case HTTPParserError.headerOverflow:
      self.init("its answer's headers never end", "check that 'url' leads to a server that takes records")
    case is HTTPParserError, is NIOHTTPDecoderError:
      self.init("what it answered is not HTTP", "check host, port and scheme in 'url' (https instead of http?)")
    case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: self = Self.tls(error, host: host)
    case is ChannelError: self = Self.closed
    default:
      self.init("the request failed (\(type(of: error)))", "it is sent again; look into the destination's log")
    }
  }

  private static let closed = Self(
    "it closed the connection before its answer was whole",
    "it is sent again; look into the destination's log, and check its limit for a body")

  private init(_ error: IOError) {
    let reason = String(cString: strerror(error.errnoCode))
    switch error.errnoCode {
    case ECONNREFUSED: self.init("it refused the connection", "check that the destination runs, and the port in 'url'")
    case ECONNRESET, EPIPE: self = Self.closed
    case ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EHOSTDOWN:
      self.init("it can't be reached (\(reason))", "check host and port in 'url' and the network between")
    default: self.init("the connection failed (\(reason))", "it is sent again; look into the destination's log and this machine's")
    }
  }

  private init(_ error: HTTPClientError, timeout: Duration, connectTimeout: Duration) {
    switch error {
    case .connectTimeout, .getConnectionFromPoolTimeout, .socksHandshakeTimeout, .httpProxyHandshakeTimeout:
      self.init(
        "no connection came about within \(connectTimeout)",
        "check host and port in 'url' and the firewalls between, or raise 'connect_timeout'")
    case .tlsHandshakeTimeout:
      self.init(
        "no TLS handshake came about within \(connectTimeout)", "check that its port in 'url' speaks TLS, or raise 'connect_timeout'")
    case .deadlineExceeded, .readTimeout, .writeTimeout:
      self.init("no whole answer came within \(timeout)", "it is sent again; look into the destination's log, or raise 'timeout'")
    case .remoteConnectionClosed, .uncleanShutdown, .requestStreamCancelled, .cancelled: self = Self.closed
    default:
      self.init("the request failed (\(error.shortDescription))", "it is sent again; look into the destination's log")
    }
  }

  private static func tls(_ error: any Error, host: String) -> Self {
    let text = String(describing: error)
    if text.contains("CERTIFICATE_VERIFY_FAILED") {
      return Self(
        "its certificate is not trusted here", "set 'tls.ca' to the certificate authority that signed it, or renew the certificate")
    }
    if error is NIOSSLExtraError {
      return Self("its certificate is not one for '\(host)'", "check the name in 'url', or the names in the certificate")
    }
    if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
      return Self("it does not speak TLS", "check scheme and port in 'url' (http instead of https?)")
    }
    // BoringSSL names the reason behind the last colon, before the place in its own source.
    let reason = text.split(separator: "OPENSSL_internal:").dropFirst().first?.prefix {
      $0.isLetter || $0.isNumber || $0 == "_" || $0 == " "
    }
    let shown = reason.map { " (\(Text.excerpt(String($0.split(separator: " at ").first ?? $0), limit: 60)))" } ?? ""
    return Self("the TLS handshake failed\(shown)", "check 'url' and 'tls.ca', and the destination's TLS settings")
  }
}
