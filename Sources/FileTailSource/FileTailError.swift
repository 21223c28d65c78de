/// A configuration that a file tail can't run with. One sentence with the remedy.
public struct FileTailError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong and what to do.
  public let message: String
  /// The message.
  public var description: String { message }

  init(_ message: String) { self.message = message }
}
