/// A checked `url`: what requests are sent to, and what may be shown of it.
struct Endpoint: Sendable, Hashable {
  /// For the client: without user, password and fragment.
  let url: String
  /// For people: also without the query, which often holds a key.
  let shown: String
  /// The host alone.
  let host: String
  /// `https`.
  let usesTLS: Bool
  /// `user:password` from the URL, percent-decoded.
  let credentials: [UInt8]?
  /// Parts that must not be shown, as they stand in the URL.
  let secrets: [String]

  /// Takes `text` apart (RFC 3986), strictly: what a client would have to guess is refused. `shownText` stands for it in messages.
  init(_ text: String, shownAs shownText: String? = nil) throws(HTTPSink.ConfigurationError) {
    func refuse(_ message: String) -> HTTPSink.ConfigurationError { .init(key: "url", message: message) }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"\"<>\\^`{|}".utf8.contains($0) }) else {
      throw refuse("has a blank, a control character or a letter beyond ASCII; write it percent-encoded (a host name as punycode)")
    }
    let scheme: String
    var rest: Substring
    if text.lowercased().hasPrefix("https://") {
      (scheme, rest) = ("https", text.dropFirst(8))
    } else if text.lowercased().hasPrefix("http://") {
      (scheme, rest) = ("http", text.dropFirst(7))
    } else {
      throw refuse("must begin with https:// or http://")
    }
    guard !rest.contains("#") else { throw refuse("has a fragment ('#…'), which is never sent; remove it, or write '#' as %23") }

    let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    var authority = rest[..<authorityEnd]
    rest = rest[authorityEnd...]
    var secrets: [String] = []
    var credentials: [UInt8]?
    if let at = authority.lastIndex(of: "@") {
      let user = authority[..<at]
      credentials = try Self.percentDecoded(user, refuse)
      secrets.append(String(user))
      if let colon = user.firstIndex(of: ":") { secrets.append(String(user[user.index(after: colon)...])) }
      authority = authority[authority.index(after: at)...]
    }
    let (host, port) = try Self.hostAndPort(authority, refuse)
    _ = try Self.percentDecoded(rest, refuse)
    let query = rest.firstIndex(of: "?")
    let path = rest[..<(query ?? rest.endIndex)]
    if let query {
      let parameters = rest[rest.index(after: query)...]
      secrets.append(String(parameters))
      secrets += parameters.split(separator: "&").compactMap { pair in
        pair.firstIndex(of: "=").map { String(pair[pair.index(after: $0)...]) }
      }
    }
    let origin = "\(scheme)://\(host)\(port.map { ":\($0)" } ?? "")"
    self.host = host
    usesTLS = scheme == "https"
    self.credentials = credentials
    url = origin + (path.isEmpty ? "/" : path) + (query.map { rest[$0...] } ?? "")
    if let shownText {
      shown = shownText
      // Nobody but who wrote it knows which of them is the secret one.
      secrets += path.split(separator: "/").map(String.init).filter { $0.utf8.count >= 8 && !shownText.contains("/\($0)") }
    } else {
      shown = origin + path
    }
    self.secrets = secrets
  }

  private static func hostAndPort(
    _ authority: Substring, _ refuse: (String) -> HTTPSink.ConfigurationError
  ) throws(HTTPSink.ConfigurationError) -> (host: String, port: UInt16?) {
    var host = authority
    var port: UInt16?
    // The colons of an IPv6 address stand within brackets; without the closing one there is no saying which colon is the port's.
    let hostEnd = authority.hasPrefix("[") ? authority.firstIndex(of: "]") ?? authority.endIndex : authority.startIndex
    if let colon = authority[hostEnd...].firstIndex(of: ":") {
      host = authority[..<colon]
      let digits = authority[authority.index(after: colon)...]
      guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt16(digits), number > 0 else {
        throw refuse("has the port '\(Text.printable(digits))'; a port is a number from 1 to 65535")
      }
      port = number
    }
    let isAddress = host.hasPrefix("[") && host.hasSuffix("]") && host.utf8.count > 2
    guard !host.isEmpty, isAddress ? host.dropFirst().dropLast().utf8.allSatisfy(isAddressByte) : host.utf8.allSatisfy(isNameByte) else {
      throw refuse(
        host.isEmpty
          ? "has no host name" : "has the host '\(Text.printable(host))', which is neither a name nor an address (IPv6 stands in [])")
    }
    return (host.lowercased(), port)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
    default: false
    }
  }

  private static func isAddressByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
    default: false
    }
  }

  private static func percentDecoded(
    _ text: Substring, _ refuse: (String) -> HTTPSink.ConfigurationError
  ) throws(HTTPSink.ConfigurationError) -> [UInt8] {
    var decoded: [UInt8] = []
    var bytes = text.utf8.makeIterator()
    while let byte = bytes.next() {
      guard byte == UInt8(ascii: "%") else {
        decoded.append(byte)
        continue
      }
      guard let high = bytes.next().flatMap(hexadecimal), let low = bytes.next().flatMap(hexadecimal) else {
        throw refuse("has a '%' that two hexadecimal digits don't follow; write '%' itself as %25")
      }
      decoded.append(high << 4 | low)
    }
    return decoded
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}
