internal import Glibc

extension ValueType where Value == ListenAddress {
  static var listenAddress: Self {
    Self(
      expected: "udp:// with an IP address and a port (1 to 65535), such as udp://127.0.0.1:5514", parse: ListenAddress.init(text:),
      suggest: { text in text.contains("://") ? nil : ListenAddress(text: "udp://\(text)")?.description })
  }
}

extension ListenAddress {
  /// The address that `udp://HOST:PORT` tells.
  fileprivate init?(text: String) {
    guard text.hasPrefix("udp://") else { return nil }
    let address = text.dropFirst(6)
    guard let colon = address.lastIndex(of: ":"), let port = parseCount(address[address.index(after: colon)...]) else { return nil }
    guard 1...65_535 ~= port else { return nil }
    var host = address[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
      guard host.contains(":") else { return nil }
    } else if host.contains(":") {
      return nil
    }
    guard let canonical = Self.canonicalAddress(String(host)) else { return nil }
    self.init(host: canonical, port: UInt16(port))
  }

  /// The usual form of an IPv4 or IPv6 address; nil for anything else, names too.
  private static func canonicalAddress(_ text: String) -> String? {
    let family = text.contains(":") ? AF_INET6 : AF_INET
    var bytes = [UInt8](repeating: 0, count: 16)
    guard !text.utf8.contains(0), inet_pton(family, text, &bytes) == 1 else { return nil }
    var output = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(family, bytes, &output, socklen_t(output.count)) != nil else { return nil }
    return String(decoding: output.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Whether both can't be listened on at once: the same port, and the same address or one that stands for all.
  func overlaps(_ other: ListenAddress) -> Bool {
    guard port == other.port else { return false }
    // `::` takes IPv4 too unless the system is told otherwise.
    return host == other.host || host == "::" || other.host == "::" || (host == "0.0.0.0" && !other.isIPv6)
      || (other.host == "0.0.0.0" && !isIPv6)
  }
}
