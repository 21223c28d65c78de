/// Making text of others fit for our messages.
enum Text {
  /// `text` with control characters, and the invisible ones that reorder a line, written as `\u{…}`.
  static func printable(_ text: some StringProtocol) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
        result += "\\u{\(String(scalar.value, radix: 16))}"
      default:
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The same in one line of at most `limit` characters: line breaks and runs of blanks become one blank.
  static func excerpt(_ text: String, limit: Int = 200) -> String {
    let joined = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let shown = printable(joined.prefix(limit))
    return joined.count > limit ? shown + "…" : shown
  }

  /// RFC 4648's base64, for the one header that needs it.
  static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var result: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var bits: UInt32 = 0
      for byte in group { bits = bits << 8 | UInt32(byte) }
      bits <<= UInt32(8 * (3 - group.count))
      for place in 0..<4 { result.append(place <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "=")) }
    }
    return String(decoding: result, as: UTF8.self)
  }
}

/// The values that none of our messages may show. A destination may send a header of ours back in its answer, which we quote.
struct Secrets: Sendable {
  private let values: [String]

  /// Hides `values` and their words; those of less than four bytes can't be secrets, and hiding them would spoil the text.
  init(_ values: [String]) {
    var all: Set<String> = []
    for value in values {
      all.insert(value)
      for word in value.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," || $0 == ";" }) where word.utf8.count >= 8 {
        all.insert(String(word))
      }
    }
    // The longest first: what is part of another must not cut that one in two.
    self.values = all.filter { $0.utf8.count >= 4 }.sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
  }

  /// `text` with every hidden value replaced by `***`.
  func hidden(in text: String) -> String {
    values.reduce(text) { text, value in text.replacing(value, with: "***") }
  }
}
