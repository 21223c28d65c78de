/// Why a syslog source can't receive: a sentence with the place and what to do.
public struct SyslogSourceError: Error, Sendable, CustomStringConvertible {
  /// What kind of failure.
  public enum Code: Sendable, Hashable {
    /// The text isn't `udp://HOST:PORT`.
    case invalidAddress
    /// Another process listens there.
    case addressInUse
    /// No interface of this machine has the address.
    case addressNotAvailable
    /// The port needs a right that the process lacks.
    case permissionDenied
    /// Another system call failed.
    case system
  }

  /// What kind of failure.
  public let code: Code
  /// What happened, where, and what to do.
  public let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
