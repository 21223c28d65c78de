/// What is asked of an HTTP sink's URL, looked at as text: the sink's client reads it again.
enum HTTPURL {
  static let expected = "an http:// or https:// URL such as https://collector.example/ingest"

  /// What is wrong with `text`, or nil. Says nothing of the text itself: it may hold a secret.
  static func problem(_ text: String) -> String? {
    let scheme = text.lowercased().hasPrefix("https://") ? 8 : text.lowercased().hasPrefix("http://") ? 7 : 0
    guard scheme > 0 else { return "expected \(expected)" }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !#""<>\^`{|}"#.utf8.contains($0) }) else {
      return "a URL holds no blanks, quotes, braces or letters outside ASCII; percent-encode them (%20)"
    }
    guard !text.contains("#") else { return "a fragment (#…) isn't sent in a request; remove it, or write %23" }
    let authority = text.dropFirst(scheme).prefix { !"/?".contains($0) }
    guard !authority.contains("@") else {
      return "user and password don't belong in the URL; use headers: { Authorization: \"Basic ${file:PATH}\" }"
    }
    guard let host = host(authority), !host.isEmpty else { return "expected \(expected)" }
    return nil
  }

  /// Whether TLS is used.
  static func isSecure(_ text: String) -> Bool { text.lowercased().hasPrefix("https://") }

  /// The text without the values of its query: keys and signatures often stand there.
  static func withoutQuery(_ text: String) -> String {
    guard let mark = text.firstIndex(of: "?"), text.index(after: mark) < text.endIndex else { return text }
    return text[...mark] + "<redacted>"
  }

  /// The host of `host`, `host:port`, `[v6]`, `[v6]:port`; nil when it is malformed.
  private static func host(_ authority: Substring) -> Substring? {
    var host = authority
    var port: Substring?
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[...end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
      port = rest.isEmpty ? nil : rest.dropFirst()
      guard host.count > 3, host.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || ":.".contains($0) }) else { return nil }
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      port = authority[authority.index(after: colon)...]
    }
    if let port { guard let number = parseCount(port), 1...65_535 ~= number else { return nil } }
    return host
  }
}
