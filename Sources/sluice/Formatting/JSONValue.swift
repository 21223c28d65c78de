/// A fact as `--output json` and the JSON log print it; keys keep their order.
enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([(String, JSONValue)])

  static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

  /// A number with three decimals; null when it isn't finite, since JSON has no other way to say so.
  static func decimal(_ value: Double) -> JSONValue { value.isFinite ? .number(HumanText.decimal(value, 3)) : .null }

  static func string(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

  /// One line without spaces.
  var line: String {
    var text = ""
    write(into: &text, indent: nil)
    return text
  }

  /// Several lines, indented by two.
  var pretty: String {
    var text = ""
    write(into: &text, indent: "")
    return text
  }

  private func write(into text: inout String, indent: String?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let value): text += value
    case .string(let value): Self.write(value, into: &text)
    case .array(let values):
      Self.write(values, "[", "]", into: &text, indent: indent) { $1.write(into: &$0, indent: $2) }
    case .object(let pairs):
      Self.write(pairs, "{", "}", into: &text, indent: indent) {
        Self.write($1.0, into: &$0)
        $0 += $2 == nil ? ":" : ": "
        $1.1.write(into: &$0, indent: $2)
      }
    }
  }

  private static func write<Element>(
    _ elements: [Element], _ open: String, _ close: String, into text: inout String, indent: String?,
    _ body: (inout String, Element, String?) -> Void
  ) {
    text += open
    let inner = indent.map { $0 + "  " }
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let inner { text += "\n" + inner }
      body(&text, element, inner)
    }
    if let indent, !elements.isEmpty { text += "\n" + indent }
    text += close
  }

  private static func write(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where Escaping.isHazard(scalar):
        // Beyond 16 bits JSON takes two escapes, as UTF-16 does.
        for unit in UTF16.encode(scalar)! {
          let digits = String(unit, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
