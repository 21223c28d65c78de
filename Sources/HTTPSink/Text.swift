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
      var forms = [value]
      let words = value.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," || $0 == ";" })
      forms += words.filter { $0.utf8.count >= 8 }.map(String.init)
      // As JSON writes them, with and without its optional escape, and as HTML and a URL do.
      for form in forms {
        all.insert(form)
        let json = form.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        all.formUnion([json, json.replacing("/", with: "\\/")])
        all.insert(
          form.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;"))
        all.formUnion(Self.percentEncoded(form))
      }
    }
    // The longest first: what is part of another must not cut that one in two.
    self.values = all.filter { $0.utf8.count >= 4 }.sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
  }

  /// Every byte but letters, digits and `-._~`, in capitals and in small letters.
  private static func percentEncoded(_ text: String) -> [String] {
    let digits = [Array("0123456789ABCDEF".utf8), Array("0123456789abcdef".utf8)]
    return digits.map { digits in
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

  /// `text` with every hidden value replaced by `***`.
  func hidden(in text: String) -> String {
    values.reduce(text) { text, value in text.replacing(value, with: "***") }
  }
}
