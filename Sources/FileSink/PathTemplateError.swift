/// Why a text is no path template, in one sentence with what to do.
public struct PathTemplateError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The sentence; a caller puts the place (file, line, column) before it.
  public let description: String

  init(_ description: String) { self.description = description }
}
