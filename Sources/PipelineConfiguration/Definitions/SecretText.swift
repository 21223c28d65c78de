/// A text that may hold a secret: it prints, dumps and logs in a form without it. Only ``value`` tells.
public struct SecretText: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The text itself. Give it to the destination only.
  public let value: String
  /// The text with each secret part replaced by where it came from: `Bearer <from file:/run/secrets/token>`.
  public let description: String

  /// A text that prints as `redacted`.
  public init(_ value: String, redacted: String) {
    self.value = value
    description = redacted
  }

  /// A text without secrets.
  public init(_ value: String) {
    self.init(value, redacted: value)
  }

  /// The same as ``description``.
  public var debugDescription: String { description }
  /// Shows the description only.
  public var customMirror: Mirror { Mirror(self, children: ["redacted": description]) }
}
