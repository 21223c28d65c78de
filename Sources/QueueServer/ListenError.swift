internal import Glibc
internal import HummingbirdCore
internal import NIOCore
internal import PipelineCore

/// The server can't listen where it was asked to.
public struct ListenError: Error, Sendable, CustomStringConvertible {
  /// What is in the way, and what to do.
  public let description: String

  init(_ address: ServerAddress, _ error: any Error) {
    if let error = error as? IOError, error.errnoCode == EADDRINUSE {
      self.init(address, "another process listens there; stop it, or give another port")
    } else if let error = error as? IOError, error.errnoCode == EACCES {
      self.init(address, "this user may not; ports under 1024 need a right of their own")
    } else if let error = error as? IOError, error.errnoCode == EADDRNOTAVAIL {
      self.init(address, "this machine has no such address")
    } else {
      self.init(address, "\(error)")
    }
  }

  init(_ address: ServerAddress, _ reason: String) { description = "cannot listen on \(address): \(reason)" }
}

extension ServerAddress {
  var isUnix: Bool {
    if case .unix = self { true } else { false }
  }

  var bindAddress: BindAddress {
    switch self {
    case .internet(let host, let port): .hostname(host, port: Int(port))
    case .unix(let path): .unixDomainSocket(path: path)
    }
  }
}
