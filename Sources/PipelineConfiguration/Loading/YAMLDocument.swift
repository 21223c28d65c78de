internal import Yams

/// Reads a pipeline file's text into a tree of settings with places, and reports what is no YAML or no YAML for us.
struct YAMLDocument {
  /// No key of a pipeline file lies deeper than 5.
  static let maximumDepth = 16

  let file: String
  let diagnostics: Diagnostics
  private var text: YAMLText
  /// The names of keys that stand twice in a mapping: the composer refuses those, so the first is given another name of the same length.
  private var renamedKeys: [Place: String] = [:]

  private init(file: String, text: YAMLText, diagnostics: Diagnostics) {
    self.file = file
    self.text = text
    self.diagnostics = diagnostics
  }

  /// The document's root; nil when there is none to read (said why).
  static func read(_ bytes: [UInt8], file: String, diagnostics: Diagnostics) -> Setting? {
    switch YAMLText.checked(bytes).flatMap({ text in text.hazard().map { .failure($0) } ?? .success(text) }) {
    case .failure(let flaw):
      diagnostics.report(Place(file: file, line: flaw.line, column: flaw.column), flaw.message)
      return nil
    case .success(let text):
      var document = YAMLDocument(file: file, text: text, diagnostics: diagnostics)
      return document.compose()
    }
  }

  private mutating func compose() -> Setting? {
    // Each duplicate key needs another pass; their number is bounded by the work that they make.
    for pass in 0... {
      do {
        // UTF-8 said here: the default would ask the environment and print. No rules: every scalar is a text, `no` and `010` too.
        let parser = try Parser(yaml: text.string, resolver: .basic, encoding: .utf8)
        let root = try parser.singleRoot()
        // The parser owns the anchors: it has to live until they have been found.
        return withExtendedLifetime(parser) { root.map { convert($0, depth: 1) } ?? reportEmpty() }
      } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
        let place = place(context.mark)
        let mayGoOn = (pass + 1) * text.string.utf8.count < 1 << 20
        guard let key = keys.first, mayGoOn, rename(key, at: place, pass: pass) else {
          diagnostics.report(place, "key \((keys.first ?? "").quoted) is given twice; remove one")
          return nil
        }
      } catch {
        report(error)
        return nil
      }
    }
    return nil
  }

  private func reportEmpty() -> Setting? {
    diagnostics.report(Place(file: file, line: 1, column: 1), "the file is empty; a pipeline needs at least 'sources:'")
    return nil
  }

  // MARK: - Nodes

  private mutating func convert(_ node: Node, depth: Int) -> Setting {
    let place = place(node.mark)
    func refuse(_ message: String) -> Setting {
      diagnostics.report(place, message)
      return Setting(content: .refused, place: place)
    }
    // An alias is the node that it stands for, in its place, so this also ends what could grow.
    if node.anchor != nil { return refuse(YAMLText.anchorMessage) }
    guard depth <= Self.maximumDepth else { return refuse("nested too deeply for a pipeline file") }
    if let tag = foreignTag(node) { return refuse("tags such as \(tag.quoted) can't stand in a pipeline file; remove it") }
    switch node {
    case .scalar(let scalar):
      return Setting(content: .scalar(scalar.string, isPlain: scalar.style == .plain), place: place)
    case .sequence(let sequence):
      return Setting(content: .sequence(sequence.map { convert($0, depth: depth + 1) }), place: place)
    case .mapping(let mapping):
      let entries = entries(of: mapping, depth: depth)
      return Setting(content: entries.isEmpty && !mapping.isEmpty ? .refused : .mapping(entries), place: place)
    case .alias: return refuse(YAMLText.anchorMessage)
    }
  }

  private mutating func entries(of mapping: Node.Mapping, depth: Int) -> [Setting.Entry] {
    var entries: [Setting.Entry] = []
    var firstLines: [String: Int] = [:]
    for (keyNode, valueNode) in mapping {
      let keyPlace = place(keyNode.mark)
      guard case .scalar(let scalar) = keyNode, keyNode.anchor == nil, foreignTag(keyNode) == nil else {
        if keyNode.anchor != nil || keyNode.scalar != nil {
          _ = convert(keyNode, depth: depth + 1)
        } else {
          diagnostics.report(keyPlace, "a key must be a plain text, not \(keyNode.mapping == nil ? "a list" : "a mapping")")
        }
        continue
      }
      let key = renamedKeys[keyPlace] ?? scalar.string
      if key == "<<", scalar.style == .plain {
        diagnostics.report(keyPlace, "merge keys (<<) can't stand in a pipeline file; write the values out")
        continue
      }
      let value = convert(valueNode, depth: depth + 1)
      if let first = firstLines[key] {
        diagnostics.report(keyPlace, "key \(key.quoted) is given twice, first in line \(first); remove one")
        continue
      }
      firstLines[key] = keyPlace.line
      entries.append(Setting.Entry(key: key, keyPlace: keyPlace, value: value))
    }
    return entries
  }

  /// A tag that was written out, other than that of what the node is anyway.
  private func foreignTag(_ node: Node) -> String? {
    let tag = node.tag.rawValue
    let own =
      switch node {
      case .scalar: Tag.Name.str
      case .mapping: Tag.Name.map
      case .sequence: Tag.Name.seq
      case .alias: Tag.Name.implicit
      }
    return tag == own.rawValue || tag.isEmpty ? nil : tag.hasPrefix("tag:yaml.org,2002:") ? "!!" + tag.dropFirst(18) : tag
  }

  // MARK: - Duplicate keys

  /// Gives the key at `place` another name, where it is written literally; private-use characters keep every column.
  private mutating func rename(_ key: String, at place: Place, pass: Int) -> Bool {
    guard !key.isEmpty, renamedKeys[place] == nil, var index = text.index(line: place.line, column: place.column) else { return false }
    var string = text.string.unicodeScalars
    if string[index] == "\"" || string[index] == "'" { index = string.index(after: index) }
    guard string[index...].starts(with: key.unicodeScalars), let stand = Unicode.Scalar(0xE000 + UInt32(pass % 6000)) else { return false }
    let end = string.index(index, offsetBy: key.unicodeScalars.count)
    string.replaceSubrange(index..<end, with: repeatElement(stand, count: key.unicodeScalars.count))
    text = YAMLText(string: String(string))
    renamedKeys[place] = key
    return true
  }

  // MARK: - Errors

  private func place(_ mark: Mark?) -> Place { Place(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1) }

  private func report(_ error: any Error) {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _), YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      diagnostics.report(place(mark), explain(problem, context: context, mark: mark))
    default:
      diagnostics.report(Place(file: file, line: 1, column: 1), "not valid YAML: \("\(error)".prefix(200).description.withoutControls)")
    }
  }

  private func explain(_ problem: String, context: YamlError.Context?, mark: Mark) -> String {
    let found = text.scalar(line: mark.line, column: mark.column)
    if problem == "found undefined alias" || context?.text == "while scanning an alias" || context?.text == "while scanning an anchor" {
      return YAMLText.anchorMessage
    }
    if problem.contains("another document") {
      return "a second YAML document begins here; a file holds one pipeline: remove '---', or use two files"
    }
    if problem.contains("nesting level") { return "nested too deeply for a pipeline file" }
    if found == "\t" { return "not valid YAML: a tab can't indent; use spaces" }
    if problem.contains("cannot start any token"), let found {
      return "not valid YAML: a value can't begin with '\(found)' unless it is in quotes"
    }
    if problem.contains("mapping values are not allowed") {
      return "not valid YAML: a ':' can't stand here; put a value that holds ': ' in quotes, and check the indentation"
    }
    if problem.hasPrefix("did not find expected ',' or"), text.line(mark.line).contains("${") {
      return "not valid YAML: inside { } and [ ] a value with '${' must be in quotes: \"${NAME}\""
    }
    let start = context.map { $0.text.isEmpty ? "" : " (\($0.text) that begins in line \($0.mark.line), column \($0.mark.column))" } ?? ""
    return "not valid YAML: \(problem)\(start)".withoutControls
  }
}
