import DurableFiles
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The file systems that run the conformance suite, each with a fresh empty directory.
enum FileSystemKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case local, simulated

  var testDescription: String { rawValue }

  func make() throws -> FileSystemFixture {
    switch self {
    case .local:
      let directory = TemporaryDirectory()
      return FileSystemFixture(
        fileSystem: LocalFileSystem(), path: directory.path, owner: directory,
        plantSymbolicLink: { path, target in #expect(symlink(target, path.string) == 0) })
    case .simulated:
      let fileSystem = SimulatedFileSystem()
      _ = try fileSystem.directory("/data", create: true)
      return FileSystemFixture(
        fileSystem: fileSystem, path: "/data", owner: nil, plantSymbolicLink: { fileSystem.plantSymbolicLink($0, to: $1) })
    }
  }
}

/// A file system and an empty directory on it.
struct FileSystemFixture {
  let fileSystem: any FileSystem
  let path: FilePath
  /// Keeps the directory.
  let owner: TemporaryDirectory?
  let plantSymbolicLink: (_ path: FilePath, _ target: String) -> Void

  func directory() throws -> any Directory { try fileSystem.directory(path, create: false) }
}

/// Expects a ``FileError`` with this code.
func expectFailure(_ code: Errno, _ location: SourceLocation = #_sourceLocation, _ body: () throws -> Void) {
  let error = #expect(throws: FileError.self, sourceLocation: location) { try body() }
  #expect(error?.code == code, sourceLocation: location)
}
