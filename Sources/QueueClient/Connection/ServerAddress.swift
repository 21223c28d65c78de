/// Where a server listens: `http://HOST:PORT`, `https://HOST:PORT`, or the Unix socket of a process on this machine.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
  /// What every request's URL begins with; no slash at its end.
  let base: String
  /// Whether TLS is spoken.
  let usesTLS: Bool
  /// Whether it is a Unix socket, whose permissions take a token's place.
  public let isUnixSocket: Bool
  /// The host's name, or the socket's path.
  let host: String
  /// As messages name it.
  public let description: String

  /// Reads `http://HOST:PORT`, `https://HOST:PORT` (either with a path that stands before every request's), `HOST:PORT` or `unix:PATH`.
  public init(_ text: String) throws(QueueClientError) {
    if text.hasPrefix("unix:") {
      var path = String(text.dropFirst("unix:".count))
      if path.hasPrefix("//") { path = String(path.dropFirst(2)) }
      guard path.hasPrefix("/") else {
        throw Self.error("'\(text)' has no absolute path", "give unix:/PATH/server.sock")
      }
      self.init(unixSocket: path)
      return
    }
    let form = "give http://HOST:PORT, https://HOST:PORT or unix:PATH"
    let separator = text.firstRange(of: "://")
    let scheme = separator.map { text[..<$0.lowerBound].lowercased() } ?? "http"
    var rest = separator.map { text[$0.upperBound...] } ?? text[...]
    guard scheme == "http" || scheme == "https" else { throw Self.error("'\(text)' is neither http nor https", form) }
    while rest.hasSuffix("/") { rest.removeLast() }
    let authority = rest.prefix { $0 != "/" }
    guard !authority.contains("@") else {
      // Not quoted: it may be a password.
      throw Self.error("the server's address holds a user name", "a token is given by a file (--token-file)")
    }
    guard !authority.isEmpty,
      rest.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F && !"?#\\\"<>^`{|}".unicodeScalars.contains($0) })
    else { throw Self.error("'\(text)' is no server's address", form) }
    var host = authority
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { throw Self.error("'\(text)' is no server's address", form) }
      host = authority[...end]
    } else if let colon = authority.lastIndex(of: ":") {
      host = authority[..<colon]
    }
    let port = authority.dropFirst(host.count)
    guard !host.isEmpty, port.isEmpty || (port.hasPrefix(":") && UInt16(port.dropFirst()).map { $0 > 0 } ?? false) else {
      throw Self.error("'\(text)' is no server's address", form)
    }
    self.init(
      base: "\(scheme)://\(rest)", usesTLS: scheme == "https", isUnixSocket: false, host: String(host), description: "\(scheme)://\(rest)")
  }

  /// The socket at a path of this machine.
  public init(unixSocket path: String) {
    self.init(base: "http+unix://\(Self.encoded(path))", usesTLS: false, isUnixSocket: true, host: path, description: "unix:\(path)")
  }

  private init(base: String, usesTLS: Bool, isUnixSocket: Bool, host: String, description: String) {
    self.base = base
    self.usesTLS = usesTLS
    self.isUnixSocket = isUnixSocket
    self.host = host
    self.description = description
  }

  /// The same server, named in messages as `name`.
  public func named(_ name: String) -> ServerAddress {
    ServerAddress(base: base, usesTLS: usesTLS, isUnixSocket: isUnixSocket, host: host, description: name)
  }

  /// What is sent to it stays on this machine.
  var isLocal: Bool {
    isUnixSocket || host == "localhost" || host.hasPrefix("127.") || host == "[::1]"
  }

  private static func error(_ sentence: String, _ remedy: String) -> QueueClientError { QueueClientError(.configuration, sentence, remedy) }

  /// Every byte but letters, digits and `-._~` as `%XX`, so that it is one part of a path, a value of a query, or a host.
  static func encoded(_ text: some StringProtocol) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
        result.append(byte)
      default: result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
