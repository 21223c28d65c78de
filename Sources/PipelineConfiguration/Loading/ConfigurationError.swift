/// One mistake in a pipeline file.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file as it was named to the loader.
  public let file: String
  /// The line, from 1; 0 when the file as a whole is meant (it can't be read, say).
  public let line: Int
  /// The column, from 1, in Unicode scalars; 0 when the file as a whole is meant.
  public let column: Int
  /// What is wrong, what was expected, and what to do, without secrets.
  public let message: String

  /// `FILE:LINE:COLUMN: message`
  public var description: String {
    line == 0 ? "\(file.withoutControls): \(message)" : "\(file.withoutControls):\(line):\(column): \(message)"
  }
}

/// All mistakes that were found, in the order of the files and of the lines in each.
public struct ConfigurationErrors: Error, Sendable, Equatable, CustomStringConvertible {
  /// At least one.
  public let errors: [ConfigurationError]

  /// One mistake a line.
  public var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// A place in a pipeline file.
struct Place: Hashable {
  var file: String
  var line: Int
  var column: Int

  /// The file as a whole.
  init(file: String, line: Int = 0, column: Int = 0) {
    self.file = file
    self.line = line
    self.column = column
  }

  /// For mentioning in the message about another place.
  var text: String { line == 0 ? file.withoutControls : "\(file.withoutControls):\(line):\(column)" }
}

/// Collects mistakes, so that all of a file are told at once. Used by one load only.
final class Diagnostics {
  /// A file with more mistakes is no pipeline file; the rest is only counted.
  static let maximumErrorsPerFile = 100

  private var errors: [ConfigurationError] = []
  private var countsByFile: [String: Int] = [:]

  var isEmpty: Bool { errors.isEmpty }

  /// Whether more mistakes of the file would only be counted: their wording can be spared.
  func isFull(_ file: String) -> Bool { countsByFile[file, default: 0] >= Self.maximumErrorsPerFile }

  func report(_ place: Place, _ message: String) {
    countsByFile[place.file, default: 0] += 1
    guard countsByFile[place.file, default: 0] <= Self.maximumErrorsPerFile else { return }
    errors.append(ConfigurationError(file: place.file, line: place.line, column: place.column, message: message))
  }

  /// What was found, sorted; each place and message once. `files` gives the order of the files.
  func sorted(files: [String]) -> ConfigurationErrors {
    var ranks: [String: Int] = [:]
    for (rank, file) in files.enumerated() where ranks[file] == nil { ranks[file] = rank }
    var seen = Set<ConfigurationError>()
    var result = errors.filter { seen.insert($0).inserted }.enumerated().sorted { one, other in
      let (a, b) = (one.element, other.element)
      return (ranks[a.file] ?? 0, a.line, a.column, one.offset) < (ranks[b.file] ?? 0, b.line, b.column, other.offset)
    }.map(\.element)
    for (file, count) in countsByFile.sorted(by: { $0.key < $1.key }) where count > Self.maximumErrorsPerFile {
      let rest = count - Self.maximumErrorsPerFile
      result.append(ConfigurationError(file: file, line: 0, column: 0, message: "\(rest) more errors; is it a pipeline file?"))
    }
    return ConfigurationErrors(errors: result)
  }
}
