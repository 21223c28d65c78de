internal import CPatterns

/// Asks PCRE2 whether a text is a pattern, without keeping it.
enum Pattern {
  static let missing =
    "multiline needs PCRE2, which isn't there; install libpcre2-8-0 and, where Sluice is built, libpcre2-dev, and build it again"

  /// What is wrong with `text`, or nil.
  static func problem(_ text: String) -> String? {
    guard pattern_available() != 0 else { return missing }
    var position = 0
    var message = [CChar](repeating: 0, count: 256)
    let compiled = text.withCString { pattern_compile($0, text.utf8.count, &position, &message, message.count) }
    guard let compiled else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      return "not a PCRE2 pattern: \(reason) (after byte \(position) of \(text.utf8.count))"
    }
    pattern_destroy(compiled)
    return nil
  }
}
