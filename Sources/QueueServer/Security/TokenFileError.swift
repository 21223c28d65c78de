/// A file of tokens that can't be used: what is wrong with it, where, and what to do.
public struct TokenFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One mistake.
  public struct Problem: Sendable, Equatable {
    /// From 1; 0 when the file as a whole is meant.
    public let line: Int
    /// From 1, in bytes; 0 when the file as a whole is meant.
    public let column: Int
    /// What is wrong and what to do. Holds nothing of a token or digest.
    public let message: String
  }

  /// The file as the operator named it.
  public let file: String
  /// At least one, in the order of the file.
  public let problems: [Problem]

  init(file: String, problems: [Problem]) {
    self.file = file
    self.problems = problems
  }

  /// About the file as a whole.
  init(file: String, _ message: String) {
    self.init(file: file, problems: [Problem(line: 0, column: 0, message: message)])
  }

  /// `FILE:LINE:COLUMN: message`, one each.
  public var lines: [String] {
    problems.map { $0.line == 0 ? "\(file): \($0.message)" : "\(file):\($0.line):\($0.column): \($0.message)" }
  }

  /// All of them, one a line.
  public var description: String { lines.joined(separator: "\n") }
}
