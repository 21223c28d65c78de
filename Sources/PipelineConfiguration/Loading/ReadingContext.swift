/// What all sections of one pipeline file share while it is read. Used by one load only.
final class ReadingContext {
  let file: String
  private let diagnostics: Diagnostics
  private var substitution: Substitution
  /// Where values stand, by dotted path: for mistakes that show only when all files are read.
  private(set) var places: [String: Place] = [:]
  /// How values that hold a file's content are printed, by dotted path.
  private(set) var redactions: [String: String] = [:]
  /// What is printed of values in errors, by dotted path.
  private(set) var redactedTexts: [String: String] = [:]

  init(file: String, diagnostics: Diagnostics, substitution: Substitution) {
    self.file = file
    self.diagnostics = diagnostics
    self.substitution = substitution
  }

  func report(_ place: Place, _ message: String) { diagnostics.report(place, message) }

  /// Whether more mistakes would only be counted.
  var isFull: Bool { diagnostics.isFull(file) }

  /// The place of a key whose value has none of its own.
  func remember(_ path: String, at place: Place) { places[path] = place }

  /// Keeps a value's place, and how it is printed.
  func remember(_ scalar: Section.Scalar) {
    places[scalar.path] = scalar.place
    redactedTexts[scalar.path] = scalar.text.redacted
    if scalar.text.holdsFile { redactions[scalar.path] = scalar.text.shown }
  }

  /// A setting as a scalar with substitutions made; nil (reported) when it can't be.
  func scalar(_ setting: Setting, path: String, expected: String) -> Section.Scalar? {
    guard case .scalar(let written, _) = setting.content else {
      if case .refused = setting.content { return nil }
      report(setting.place, "\(Section.Scalar.key(path)): expected \(expected), got \(setting.kindWords)")
      return nil
    }
    switch substitution.apply(to: written) {
    case .failure(let problem):
      report(setting.place, "\(Section.Scalar.key(path)): \(problem.message)")
      return nil
    case .success(let text):
      return Section.Scalar(text: text, place: setting.place, path: path, isNothing: setting.isNothing)
    }
  }
}
