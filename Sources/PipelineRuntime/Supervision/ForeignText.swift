/// A time to wait, for a log line: `0.4 s`.
func secondsText(_ duration: Duration) -> String {
  let tenths = (max(.zero, duration).inSeconds * 10).rounded(.up)
  return "\(tenths / 10) s"
}

/// Text that came from outside (a server's answer, a file's name) as it may stand in our own log: control characters escaped, length
/// bounded.
func escapedForLog(_ text: String, limit: Int = 2000) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    if result.utf8.count >= limit {
      result += "…"
      break
    }
    switch scalar.value {
    case 0x0A: result += "\\n"
    case 0x0D: result += "\\r"
    case 0x09: result += "\\t"
    case 0..<0x20, 0x7F..<0xA0, 0xAD, 0x61C,
      0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
