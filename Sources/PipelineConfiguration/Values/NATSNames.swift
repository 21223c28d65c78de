internal import Glibc

/// What NATS takes as names of streams, subjects and servers.
enum NATSNames {
  static let streamExample = "LOGS"
  static let serverExpected = "a nats:// or tls:// URL such as nats://127.0.0.1:4222"

  /// What is wrong with a stream's name, or nil.
  static func streamProblem(_ text: String) -> String? {
    let isFine =
      !text.isEmpty && text.utf8.count <= 64 && text.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    return isFine ? nil : "a stream's name has 1 to 64 letters, digits, '-' and '_'"
  }

  /// What is wrong with a subject, or nil.
  static func subjectProblem(_ text: String, wildcards: Bool) -> String? {
    let tokens = text.split(separator: ".", omittingEmptySubsequences: false)
    guard text.utf8.count <= 255, tokens.allSatisfy({ !$0.isEmpty }) else {
      return "a subject is tokens joined by '.', none empty, at most 255 bytes in all"
    }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return "a subject holds no blanks and nothing outside ASCII" }
    if text.hasPrefix("$") { return "subjects that begin with '$' are NATS's own" }
    for (index, token) in tokens.enumerated() where token.contains("*") || token.contains(">") {
      guard wildcards else { return "a sink publishes on one subject; it can't hold '*' or '>'" }
      guard token == "*" || (token == ">" && index == tokens.count - 1) else {
        return "'*' stands for one whole token, and '>' for all at the end"
      }
    }
    return nil
  }

  /// What is wrong with a server's URL, or nil. Says nothing of the text itself: it may hold a secret.
  static func serverProblem(_ text: String) -> String? {
    let lower = text.lowercased()
    guard lower.hasPrefix("nats://") || lower.hasPrefix("tls://") else { return "expected \(serverExpected)" }
    let scheme = lower.hasPrefix("nats://") ? "nats://" : "tls://"
    // The same shape as an HTTP URL's, without a path.
    let rest = text.dropFirst(scheme.utf8.count)
    guard !rest.contains("/"), !rest.contains("?"), HTTPURL.problem("http://" + rest) == nil else { return "expected \(serverExpected)" }
    return nil
  }

  /// Whether TLS is used.
  static func isSecure(_ text: String) -> Bool { text.lowercased().hasPrefix("tls://") }

  /// `sluice.<host>.<queue>`, whatever a subject's token can't hold replaced by `_`.
  static func defaultSubject(queue: String) -> String { "sluice.\(token(hostName)).\(token(queue))" }

  /// `text` as one token of a subject.
  static func token(_ text: String) -> String {
    String(
      decoding: text.utf8.map { isPlain($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
  }

  private static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func isPlain(_ byte: UInt8) -> Bool { 0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte }
}
