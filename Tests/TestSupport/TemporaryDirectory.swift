internal import Foundation
internal import Glibc
public import SystemPackage

/// A real directory of the machine, removed with all that is in it when the last reference goes.
public final class TemporaryDirectory: Sendable {
  /// Where it is: absolute, without symbolic links.
  public let path: FilePath

  /// A new empty directory (mode 0700) under `TMPDIR`, or under `/tmp`.
  public init() {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/sluice-test.XXXXXX".utf8CString)
    let made: String? = template.withUnsafeMutableBufferPointer { buffer in
      guard mkdtemp(buffer.baseAddress!) != nil, let resolved = realpath(buffer.baseAddress!, nil) else { return nil }
      defer { free(resolved) }
      return String(cString: resolved)
    }
    guard let made else { preconditionFailure("cannot make a directory under \(parent): errno \(errno)") }
    path = FilePath(made)
  }

  deinit { try? FileManager.default.removeItem(atPath: path.string) }
}
