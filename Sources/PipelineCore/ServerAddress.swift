internal import Glibc

/// Where the HTTP server listens: an IP address with a port, or a Unix socket.
///
/// As text `127.0.0.1:7171`, `[::1]:7171`, `localhost` or `unix:/run/sluice.sock`, in a pipeline file and on the command line alike. A name
/// of a host isn't taken: what it stands for can change between the check and the start, and with it who can reach the server.
public enum ServerAddress: Sendable, Hashable, CustomStringConvertible {
  /// An IPv4 or IPv6 address in its usual text form, without brackets; port 0 leaves the choice to the kernel.
  case internet(host: String, port: UInt16)
  /// A path of at most ``maximumPathBytes``; relative to the working directory.
  case unix(path: String)

  /// The port of an address that names none.
  public static let defaultPort: UInt16 = 7171
  /// Where the server listens when nothing else is asked for.
  public static let standard = ServerAddress.internet(host: "127.0.0.1", port: defaultPort)
  /// What the kernel takes (`man 7 unix`: 108 bytes with the NUL).
  public static let maximumPathBytes = 107
  /// Follows `expected `.
  public static let expected =
    "an IP address with a port, such as 127.0.0.1:7171 or [::1]:7171, or unix:PATH (at most \(maximumPathBytes) bytes)"

  /// The address that `text` tells; nil when it is none.
  public init?(text: String) {
    if text.hasPrefix("unix:") {
      let path = text.dropFirst(5)
      guard !path.isEmpty, path.utf8.count <= Self.maximumPathBytes, path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
      self = .unix(path: String(path))
      return
    }
    var host = text[...]
    var port: Substring?
    if text.hasPrefix("[") {
      guard let bracket = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<bracket]
      let rest = text[text.index(after: bracket)...]
      guard host.contains(":"), rest.isEmpty || rest.hasPrefix(":") else { return nil }
      port = rest.isEmpty ? nil : rest.dropFirst()
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      guard !host.contains(":") else { return nil }
      port = text[text.index(after: colon)...]
    }
    guard let number = port.map(Self.portNumber) ?? Self.defaultPort else { return nil }
    // RFC 6761, section 6.3: the name always stands for the loopback.
    guard let address = host == "localhost" ? "127.0.0.1" : Self.canonicalAddress(String(host)) else { return nil }
    self = .internet(host: address, port: number)
  }

  /// Whether only this machine's processes can connect: a Unix socket, 127.0.0.0/8 or ::1.
  public var isLocal: Bool {
    switch self {
    case .unix: true
    case .internet(let host, _): Self.isLoopback(host)
    }
  }

  /// As in a pipeline file.
  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .internet(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }

  /// What a text that is no address may have been meant for: `:7171`, `7171`, `*:7171`, `http://127.0.0.1:7171`.
  public static func suggestion(for text: String) -> String? {
    var rest = text[...]
    for scheme in ["http://", "https://", "tcp://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
    while rest.last == "/" { rest = rest.dropLast() }
    if rest.hasPrefix("/") { return nil }
    if portNumber(rest) != nil { rest = ":" + rest }
    if rest.hasPrefix(":"), !rest.dropFirst().contains(":") { rest = "127.0.0.1" + rest }
    if rest.hasPrefix("*:") { rest = "0.0.0.0" + rest.dropFirst() }
    if rest.contains("::"), !rest.contains("[") { rest = "[" + rest + "]" }
    guard rest != text[...] else { return nil }
    return ServerAddress(text: String(rest))?.description
  }

  /// Whether a numeric address is one of the loopback's. An IPv4 address inside an IPv6 one (`::ffff:127.0.0.1`) counts as what it holds.
  public static func isLoopback(_ host: String) -> Bool {
    guard let bytes = addressBytes(host) else { return false }
    if bytes.count == 4 { return bytes[0] == 127 }
    if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF { return bytes[12] == 127 }
    return bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
  }

  /// Whether `host` is an IPv4 or IPv6 address, without brackets, and no name.
  public static func isNumeric(_ host: String) -> Bool { addressBytes(host) != nil }

  // MARK: - Numbers

  private static func portNumber(_ text: Substring) -> UInt16? {
    guard !text.isEmpty, text.utf8.count <= 5, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    guard text.utf8.count == 1 || text.utf8.first != 0x30 else { return nil }
    return UInt16(text)
  }

  /// 4 or 16 bytes.
  private static func addressBytes(_ text: String) -> [UInt8]? {
    let isIPv6 = text.contains(":")
    var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
    guard !text.utf8.contains(0), inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &bytes) == 1 else { return nil }
    return bytes
  }

  private static func canonicalAddress(_ text: String) -> String? {
    guard let bytes = addressBytes(text) else { return nil }
    var output = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &output, socklen_t(output.count)) != nil else { return nil }
    return String(decoding: output.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
