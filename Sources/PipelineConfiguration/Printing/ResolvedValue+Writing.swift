extension ResolvedValue {
  /// Writes block YAML: mappings one key a line, lists in brackets.
  func writeYAML(to text: inout String, indent: Int = 0) {
    guard case .map(let entries) = self else { return }
    for (key, value) in entries {
      text += String(repeating: " ", count: indent) + Self.yamlScalar(key) + ":"
      switch value {
      case .map(let inner) where !inner.isEmpty:
        text += "\n"
        value.writeYAML(to: &text, indent: indent + 2)
      default: text += " \(value.yamlLeaf)\n"
      }
    }
  }

  private var yamlLeaf: String {
    switch self {
    case .text(let string): Self.yamlScalar(string)
    case .number(let number): "\(number)"
    case .list(let elements): "[" + elements.map(\.yamlLeaf).joined(separator: ", ") + "]"
    case .map: "{}"
    }
  }

  /// Plain where nothing can be misread, else in double quotes; `${` stays literal.
  private static func yamlScalar(_ string: String) -> String {
    let plain = string.utf8.allSatisfy { 0x30...0x39 ~= $0 || 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 || "_./%-".utf8.contains($0) }
    let first = string.utf8.first ?? 0x20
    if plain, !string.isEmpty, first != UInt8(ascii: "%"), first != UInt8(ascii: "-") { return string }
    return jsonString(string.replacing("${", with: "$${"))
  }

  /// Writes JSON, two blanks a level.
  func writeJSON(to text: inout String, indent: Int = 0) {
    let margin = String(repeating: " ", count: indent + 2)
    let closing = "\n" + String(repeating: " ", count: indent)
    switch self {
    case .text(let string): text += Self.jsonString(string)
    case .number(let number): text += "\(number)"
    case .list(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        text += (index == 0 ? "\n" : ",\n") + margin
        element.writeJSON(to: &text, indent: indent + 2)
      }
      text += elements.isEmpty ? "]" : closing + "]"
    case .map(let entries):
      text += "{"
      for (index, entry) in entries.enumerated() {
        text += (index == 0 ? "\n" : ",\n") + margin + Self.jsonString(entry.key) + ": "
        entry.value.writeJSON(to: &text, indent: indent + 2)
      }
      text += entries.isEmpty ? "}" : closing + "}"
    }
  }

  /// A JSON string, which is a YAML double-quoted one too.
  private static func jsonString(_ string: String) -> String {
    var result = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.isWrittenOut:
        // Beyond 16 bits JSON takes two escapes, as UTF-16 does.
        for unit in UTF16.encode(scalar)! {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
