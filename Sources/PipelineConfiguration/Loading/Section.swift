/// One mapping of a pipeline file while it is read: gives typed values, reports what is wrong, and what nobody asked for.
///
/// A getter returns nil when the key is absent and when its value is wrong; the caller then goes on with the default, so that all
/// mistakes are found.
struct Section {
  /// A scalar with its substitutions made.
  struct Scalar {
    var text: SubstitutedText
    var place: Place
    /// The dotted path of its key.
    var path: String
    /// The key's path for messages: the place tells which element of a list is meant.
    var key: String { Self.key(path) }
    /// Whether it was quoted or holds something.
    var isNothing: Bool
    /// For `got …`.
    var got: String { isNothing ? "nothing" : text.redacted.quoted }

    static func key(_ path: String) -> String {
      guard let dot = path.lastIndex(of: "."), path[dot...].dropFirst().allSatisfy(\.isNumber) else { return path }
      return String(path[..<dot])
    }
  }

  /// The dotted path: `sinks.archive.rotate`; empty for the file itself.
  let path: String
  /// Where the section's name stands, for what is missing in it.
  let place: Place
  private let entries: [Setting.Entry]
  private let context: ReadingContext

  /// The section of a setting that must be a mapping.
  init?(_ setting: Setting, path: String, place: Place, example: String, context: ReadingContext) {
    guard case .mapping(let entries) = setting.content else {
      if case .refused = setting.content { return nil }
      context.report(setting.place, "\(path.isEmpty ? "" : "\(path): ")expected a mapping such as \(example), got \(setting.kindWords)")
      return nil
    }
    self.path = path
    self.place = place
    self.entries = entries
    self.context = context
  }

  /// Reports keys that the section doesn't know. `elsewhere` tells of a key that another kind of this section has.
  func refuseUnknownKeys(_ known: [String], elsewhere: (String) -> String? = { _ in nil }) {
    for entry in entries where !known.contains(entry.key) {
      if context.isFull {
        context.report(entry.keyPlace, "")
        continue
      }
      let place = path.isEmpty ? "at the top level" : "in \(path)"
      let hint: String
      if let other = elsewhere(entry.key) {
        hint = "; \(other)"
      } else if let near = nearest(to: entry.key, among: known) {
        hint = "; did you mean '\(near)'?"
      } else {
        hint = "; known are \(known.joined(separator: ", "))"
      }
      context.report(entry.keyPlace, "unknown key \(entry.key.quoted) \(place)\(hint)")
    }
  }

  /// The entry of a key.
  func entry(_ key: String) -> Setting.Entry? { entries.first { $0.key == key } }

  /// All entries, in order: for sections whose keys are names.
  var named: [Setting.Entry] { entries }

  /// The path of a key in it.
  func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  // MARK: - Values

  /// A scalar; nil when absent, or when it is none or a substitution failed (reported).
  func scalar(_ key: String, expected: String) -> Scalar? {
    entry(key).flatMap { context.scalar($0.value, path: path(of: key), expected: expected) }
  }

  /// A value of `type`.
  func value<Value>(_ key: String, _ type: ValueType<Value>) -> Value? {
    guard let scalar = scalar(key, expected: type.expected) else { return nil }
    context.remember(scalar)
    if !scalar.isNothing, let value = type.parse(scalar.text.value) { return value }
    report(scalar, expected: type.expected, suggestion: scalar.text.value == scalar.text.redacted ? type.suggest(scalar.text.value) : nil)
    return nil
  }

  /// A section inside this one.
  func section(_ key: String, example: String) -> Section? {
    entry(key).flatMap { Section($0.value, path: path(of: key), place: $0.keyPlace, example: example, context: context) }
  }

  /// A list of scalars; one scalar alone counts as a list of one.
  func list(_ key: String, expected: String) -> [Scalar]? {
    guard let entry = entry(key) else { return nil }
    let elements: [Setting]
    if case .sequence(let list) = entry.value.content { elements = list } else { elements = [entry.value] }
    return elements.enumerated().compactMap { context.scalar($1, path: "\(path(of: key)).\($0)", expected: expected) }
  }

  // MARK: - Reporting

  /// Reports that a scalar isn't what was expected.
  func report(_ scalar: Scalar, expected: String, suggestion: String? = nil) {
    let hint = suggestion.map { "; did you mean '\($0)'?" } ?? ""
    report(scalar, "expected \(expected), got \(scalar.got)\(hint)")
  }

  /// Reports something about a scalar's value.
  func report(_ scalar: Scalar, _ message: String) { context.report(scalar.place, "\(scalar.key): \(message)") }

  /// Reports that a key that must be there isn't; not when it is there and wrong.
  func require(_ key: String, example: String) {
    if entry(key) == nil { context.report(place, "\(path.isEmpty ? "" : "\(path): ")'\(key)' is missing; add \(key): \(example)") }
  }
}
