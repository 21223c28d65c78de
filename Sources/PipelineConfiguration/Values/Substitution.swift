/// A scalar's text after `${…}` was replaced, in the forms that may be told.
struct SubstitutedText: Equatable {
  /// What the key means.
  var value = ""
  /// For errors: neither the environment's values nor files' contents.
  var redacted = ""
  /// For `sluice check`: without files' contents.
  var shown = ""
  /// Whether a file's content is part of it.
  var holdsFile = false
}

/// Replaces `${NAME}`, `${NAME:-default}` and `${file:PATH}` in one scalar; `$${` stands for a literal `${`. What was put in is not
/// looked at again.
struct Substitution {
  /// A secret is a line; larger files are mistakes.
  static let maximumFileBytes = 65_536
  /// What all substitutions of one pipeline file may add up to.
  static let maximumTotalBytes = 1 << 20

  let environment: [String: String]
  let readFile: PipelineLoader.ReadFile
  private var totalBytes = 0

  init(environment: [String: String], readFile: @escaping PipelineLoader.ReadFile) {
    self.environment = environment
    self.readFile = readFile
  }

  /// The text with all substitutions made, or what is wrong with one.
  mutating func apply(to text: String) -> Result<SubstitutedText, Problem> {
    var result = SubstitutedText()
    var rest = text[...]
    while let dollar = rest.firstSubstitution {
      let before = rest[..<dollar]
      if before.last == "$" {
        result.append(before.dropLast() + "${")
        rest = rest[dollar...].dropFirst(2)
        continue
      }
      result.append(before)
      let inner = rest[dollar...].dropFirst(2)
      guard let end = inner.firstIndex(of: "}") else {
        return .failure(Problem("'${' without a '}' after it; write $${ for a literal '${'"))
      }
      if let problem = replace(inner[..<end], in: &result) { return .failure(problem) }
      rest = inner[inner.index(after: end)...]
    }
    result.append(rest)
    return .success(result)
  }

  private mutating func replace(_ inner: Substring, in result: inout SubstitutedText) -> Problem? {
    if inner.hasPrefix("file:") {
      switch content(ofFile: String(inner.dropFirst(5))) {
      case .failure(let problem): return problem
      case .success(let content):
        result.value += content
        result.redacted += "<from \(String(inner).withoutControls)>"
        result.shown += "<from \(String(inner).withoutControls)>"
        result.holdsFile = true
        return count(content)
      }
    }
    let name = inner.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    let after = inner[name.endIndex...]
    guard let first = name.first, !first.isNumber, after.isEmpty || after.hasPrefix(":-") else {
      let written = "${\(String(inner))}"
      return Problem("\(written.quoted) is no substitution; expected ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for a literal '${'")
    }
    if let value = environment[String(name)], after.isEmpty || !value.isEmpty {
      result.value += value
      result.redacted += "<from environment:\(name)>"
      result.shown += value
      return count(value)
    }
    guard !after.isEmpty else {
      return Problem("the environment has no \(name); set it, or give a default: ${\(name):-value}")
    }
    let fallback = after.dropFirst(2)
    guard !fallback.contains("${") else { return Problem("the default of ${\(name):-…} can't hold another '${'") }
    result.append(fallback)
    return nil
  }

  private mutating func count(_ text: String) -> Problem? {
    totalBytes += text.utf8.count
    return totalBytes > Self.maximumTotalBytes ? Problem("substitutions give more than \(formatSize(Self.maximumTotalBytes))") : nil
  }

  private func content(ofFile path: String) -> Result<String, Problem> {
    guard !path.isEmpty else { return .failure(Problem("${file:} names no file; expected ${file:PATH}")) }
    do throws(ReadFailure) {
      let bytes = try readFile(path, Self.maximumFileBytes)
      guard let text = String(validating: bytes, as: UTF8.self) else { return .failure(Problem("the file \(path.quoted) is not UTF-8")) }
      return .success(text.utf8.last == 0x0A ? String(Substring(text.utf8.dropLast())) : text)
    } catch {
      return .failure(Problem("cannot read \(path.quoted): \(error.reason)"))
    }
  }

  /// What is wrong, as a sentence.
  struct Problem: Error, Equatable {
    let message: String
    init(_ message: String) { self.message = message }
  }
}

extension SubstitutedText {
  /// Adds text that the file itself holds.
  mutating func append(_ literal: some StringProtocol) {
    value += literal
    redacted += literal
    shown += literal
  }
}

extension Substring {
  /// Where `${` first begins.
  fileprivate var firstSubstitution: Index? {
    var index = startIndex
    while let dollar = self[index...].unicodeScalars.firstIndex(of: "$") {
      let next = unicodeScalars.index(after: dollar)
      if next < endIndex, unicodeScalars[next] == "{" { return dollar }
      index = next
    }
    return nil
  }
}
