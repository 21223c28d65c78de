extension SyslogSource {
  /// Where datagrams are received.
  public struct Address: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 or IPv6 address in its usual text form, without brackets; never a name. `::` takes IPv4 too.
    public var host: String
    /// 0 lets the kernel choose one: see ``SyslogSource/localPort``.
    public var port: UInt16

    /// An address; `host` is looked at when the source binds.
    public init(host: String, port: UInt16) {
      self.host = host
      self.port = port
    }

    /// Reads `udp://HOST:PORT`, an IPv6 address in brackets: `udp://[::1]:5514`.
    public init(parsing text: String) throws(SyslogSourceError) {
      func invalid(_ reason: String) -> SyslogSourceError {
        SyslogSourceError(
          .invalidAddress, "'\(text)' is not an address to listen on: \(reason); write it as udp://127.0.0.1:5514 or udp://[::1]:5514")
      }
      let scheme = "udp://"
      guard text.hasPrefix(scheme) else { throw invalid("it does not begin with udp://") }
      let rest = text.dropFirst(scheme.count)
      guard let colon = rest.lastIndex(of: ":") else { throw invalid("it has no port") }
      let digits = rest[rest.index(after: colon)...]
      guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(digits) else {
        throw invalid("its port is not a number from 0 to 65535")
      }
      var host = rest[..<colon]
      if host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2 {
        host = host.dropFirst().dropLast()
      } else if host.contains(":") || host.contains("[") || host.contains("]") {
        throw invalid("an IPv6 address stands in brackets")
      }
      guard !host.isEmpty else { throw invalid("it has no host (0.0.0.0 is every IPv4 address of this machine)") }
      self.init(host: String(host), port: port)
    }

    /// As in a pipeline file.
    public var description: String { host.contains(":") ? "udp://[\(host)]:\(port)" : "udp://\(host):\(port)" }
  }
}
