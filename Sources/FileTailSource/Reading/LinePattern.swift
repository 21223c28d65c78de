internal import CPatterns

/// A PCRE2 pattern with match limits, for the lines that begin a multi-line record.
final class LinePattern: @unchecked Sendable {  // only the one thread that runs the source matches with it
  private let compiled: OpaquePointer

  /// Compiles `text`; throws with the place of the mistake, or with the package to install when PCRE2 isn't there.
  init(_ text: String) throws(FileTailError) {
    guard pattern_available() != 0 else {
      throw FileTailError(
        "multiline needs PCRE2, which is not there; install libpcre2-dev before building (libpcre2-8-0 where only the program runs)")
    }
    var position = 0
    var message = [CChar](repeating: 0, count: 256)
    let bytes = Array(text.utf8)
    let result = bytes.withUnsafeBytes { buffer in
      pattern_compile(buffer.bindMemory(to: CChar.self).baseAddress, bytes.count, &position, &message, message.count)
    }
    guard let result else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw FileTailError("the multiline pattern '\(text)' is no valid PCRE2 pattern: \(reason) at byte \(position)")
    }
    compiled = result
  }

  deinit { pattern_destroy(compiled) }

  /// Whether the pattern matches somewhere in the line; nil when the match limits were met first.
  func matches(_ line: UnsafeRawBufferPointer) -> Bool? {
    // PCRE2 wants an address also for nothing.
    let result = line.baseAddress.map { pattern_matches(compiled, $0, line.count) } ?? pattern_matches(compiled, "", 0)
    return result < 0 ? nil : result == 1
  }
}
