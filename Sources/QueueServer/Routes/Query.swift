internal import Foundation
internal import PipelineConfiguration

/// A request's query: each parameter once, and only those that the operation knows.
struct Query: Sendable {
  private var values: [String: String] = [:]

  /// - Throws: ``Problem`` `bad_parameter`.
  init(_ text: String?, allowed: [Endpoint.Parameter]) throws {
    for part in (text ?? "").split(separator: "&", omittingEmptySubsequences: true) {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = pair[0].removingPercentEncoding, let value = (pair.count > 1 ? pair[1] : "").removingPercentEncoding else {
        throw Problem.badParameter("the query has a '%' that two hexadecimal digits don't follow, or bytes that are no UTF-8")
      }
      guard allowed.contains(where: { $0.name == name && $0.place == .query }) else {
        let known = allowed.filter { $0.place == .query }.map(\.name)
        throw Problem.badParameter(
          "there is no parameter '\(name.prefix(64))' here; "
            + (known.isEmpty ? "this operation takes none" : "known are \(known.joined(separator: ", "))"))
      }
      guard values.updateValue(value, forKey: name) == nil else { throw Problem.badParameter("the parameter '\(name)' is given twice") }
    }
  }

  subscript(_ name: String) -> String? { values[name] }

  /// A count within `range`.
  func count(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = values[name] else { return nil }
    guard text.utf8.count <= 18, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = Int(text), range ~= number else {
      throw Problem.badParameter(
        "\(name): expected a whole number from \(range.lowerBound) to \(range.upperBound), got '\(text.prefix(64))'")
    }
    return number
  }

  /// Bytes: a whole number, or one with a unit such as `1MiB`.
  func size(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = values[name] else { return nil }
    let isNumber = !text.isEmpty && text.utf8.count <= 18 && text.utf8.allSatisfy { 0x30...0x39 ~= $0 }
    guard let bytes = isNumber ? Int(text) : QuantityText.size(text), range ~= bytes else {
      throw Problem.badParameter(
        "\(name): expected a count of bytes from \(range.lowerBound) to \(range.upperBound), or one with a unit such as 1MiB, got '\(text.prefix(64))'"
      )
    }
    return bytes
  }

  /// A time to wait, such as `20s`.
  func duration(_ name: String, upTo most: Duration) throws -> Duration? {
    guard let text = values[name] else { return nil }
    guard let duration = QuantityText.duration(text), duration <= most else {
      throw Problem.badParameter(
        "\(name): expected a duration such as 20s or 500ms, at most \(most.components.seconds)s, got '\(text.prefix(64))'")
    }
    return duration
  }
}
