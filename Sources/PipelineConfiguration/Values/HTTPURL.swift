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
    var authority = text.dropFirst(scheme).prefix { !"/?".contains($0) }
    if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
    guard let host = host(authority), !host.isEmpty else { return "expected \(expected)" }
    return nil
  }

  /// Whether TLS is used.
  static func isSecure(_ text: String) -> Bool { text.lowercased().hasPrefix("https://") }

  /// The text without user and password, and without its query, where keys and signatures often stand.
  static func redacted(_ text: String) -> String {
    let mark = text.firstIndex(of: "?") ?? text.endIndex
    var result = text[..<mark] + (text[mark...].dropFirst().isEmpty ? text[mark...] : "?<redacted>")
    let start = result.firstRange(of: "://")?.upperBound ?? result.startIndex
    // A slash within `<from file:/run/secrets/user>` doesn't end the authority.
    var depth = 0
    let end =
      result[start...].firstIndex { character in
        depth += character == "<" ? 1 : character == ">" ? -1 : 0
        return character == "/" && depth == 0
      } ?? result.endIndex
    if let at = result[start..<end].lastIndex(of: "@") { result.replaceSubrange(start..<at, with: "<redacted>") }
    return String(result)
  }

  /// What ``redacted(_:)`` made, without the marks of what was left out.
  static func withoutRedactions(_ redacted: String) -> String {
    redacted.replacing("//<redacted>@", with: "//").replacing("?<redacted>", with: "")
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
