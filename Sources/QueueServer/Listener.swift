internal import Glibc
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore
internal import NIOHTTPTypes

/// Where the server listens.
public enum Listener: Sendable, CustomStringConvertible {
  /// An address and port of this machine; port 0 lets the system choose.
  case tcp(host: String, port: Int)
  /// A Unix socket; who may connect is up to the rights of the file and its directory.
  case unix(path: String)

  /// As people write it.
  public var description: String {
    switch self {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  var bindAddress: BindAddress {
    switch self {
    case .tcp(let host, let port): .hostname(host, port: port)
    case .unix(let path): .unixDomainSocket(path: path)
    }
  }
}

/// The server can't listen where it was asked to.
public struct ListenError: Error, Sendable, CustomStringConvertible {
  /// What is in the way, and what to do.
  public let description: String

  init(_ listener: Listener, _ error: any Error) {
    if let error = error as? IOError, error.errnoCode == EADDRINUSE {
      self.init(listener, "another process listens there; stop it, or give another port")
    } else if let error = error as? IOError, error.errnoCode == EACCES {
      self.init(listener, "this user may not; ports under 1024 need a right of their own")
    } else if let error = error as? IOError, error.errnoCode == EADDRNOTAVAIL {
      self.init(listener, "this machine has no such address")
    } else {
      self.init(listener, "\(error)")
    }
  }

  init(_ listener: Listener, _ reason: String) { description = "cannot listen on \(listener): \(reason)" }
}
