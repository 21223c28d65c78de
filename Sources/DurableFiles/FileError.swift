public import SystemPackage

/// A failed file operation: what was tried, where, and the kernel's reason.
public struct FileError: Error, Sendable, CustomStringConvertible {
  /// The operation, as a user would say it: `open`, `write`, `sync`, …
  public let operation: String
  /// The file or directory that it was tried on.
  public let path: FilePath
  /// The kernel's reason.
  public let code: Errno
  /// What stands there and what to do about it, where the kernel's reason alone would leave one guessing.
  public let explanation: String?

  /// An error of `operation` on `path`.
  public init(_ operation: String, _ path: FilePath, _ code: Errno, _ explanation: String? = nil) {
    self.operation = operation
    self.path = path
    self.code = code
    self.explanation = explanation
  }

  /// Whether room on the disk is what is missing (`ENOSPC`, `EDQUOT`): waiting or deleting can help.
  public var isOutOfSpace: Bool { code == .noSpace || code == .diskQuotaExceeded }

  /// One sentence with operation, path and reason, and a remedy where there is one.
  public var description: String {
    if let explanation { return "cannot \(operation) \(path): \(explanation)" }
    let remedy: String
    switch code {
    case .permissionDenied, .notPermitted: remedy = "; check the owner and mode of the file and of each directory above it"
    case .noSpace, .diskQuotaExceeded: remedy = "; free disk space"
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem: remedy = "; raise the limit of open files (ulimit -n)"
    case .tooManySymbolicLinkLevels: remedy = "; a symbolic link stands there, and Sluice follows none"
    case .isDirectory: remedy = "; a directory stands there; move it away"
    case .notDirectory: remedy = "; something else than a directory stands there; move it away"
    case .readOnlyFileSystem: remedy = "; the file system is mounted read-only"
    default: remedy = ""
    }
    return "cannot \(operation) \(path): \(code)\(remedy)"
  }
}
