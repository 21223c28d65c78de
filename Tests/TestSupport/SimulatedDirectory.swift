internal import DurableFiles
internal import SystemPackage

/// An open directory of a ``SimulatedFileSystem``.
final class SimulatedDirectory: Directory {
  let path: FilePath
  private let fileSystem: SimulatedFileSystem
  private let node: Int
  private let text: String

  init(_ fileSystem: SimulatedFileSystem, _ node: Int, path: FilePath, text: String) {
    self.fileSystem = fileSystem
    self.node = node
    self.path = path
    self.text = text
  }

  func subdirectory(_ name: String, create: Bool) throws(FileError) -> any Directory {
    let childText = textOf(name)
    var isThere = true
    if create { isThere = try exists(name) }
    if !isThere {
      try fileSystem.perform(.makeDirectory, childText, saying: "create the directory", path.appending(name)) { disk, _ throws(Errno) in
        _ = try disk.makeDirectory(name, in: self.node)
      }
    }
    let child = try fileSystem.perform(.openDirectory, childText, saying: "open the directory", path.appending(name)) {
      disk, _ throws(Errno) in
      guard let child = try disk.child(name, of: self.node) else { throw .noSuchFileOrDirectory }
      guard disk.isDirectory(child) else { throw .notDirectory }
      return child
    }
    return SimulatedDirectory(fileSystem, child, path: path.appending(name), text: childText)
  }

  func open(_ name: String, _ mode: OpenMode) throws(FileError) -> any File {
    let childText = textOf(name)
    var kind = FileOperation.Kind.open
    if mode == .createNew { kind = .create } else if mode == .create, try !exists(name) { kind = .create }
    let (file, handle) = try fileSystem.perform(kind, childText, saying: "open", path.appending(name)) { disk, handle throws(Errno) in
      (try disk.openFile(name, in: self.node, mode), handle)
    }
    return SimulatedFile(fileSystem, file, handle: handle, canWrite: mode != .read, path: path.appending(name), text: childText)
  }

  func names() throws(FileError) -> [String] {
    try fileSystem.perform(.list, text, saying: "list", path) { disk, _ in disk.names(in: self.node) }
  }

  func status(_ name: String) throws(FileError) -> FileStatus? {
    try fileSystem.perform(.look, textOf(name), saying: "look at", path.appending(name)) { disk, _ throws(Errno) in
      try disk.child(name, of: self.node).map { disk.status($0) }
    }
  }

  func rename(_ name: String, to newName: String) throws(FileError) {
    let newText = textOf(newName)
    try fileSystem.perform(.rename, textOf(name), newText, saying: "rename", path.appending(name)) { disk, _ throws(Errno) in
      try disk.rename(name, to: newName, in: self.node)
    }
  }

  func unlink(_ name: String) throws(FileError) {
    try fileSystem.perform(.unlink, textOf(name), saying: "remove", path.appending(name)) { disk, _ throws(Errno) in
      try disk.unlink(name, in: self.node)
    }
  }

  func sync() throws(FileError) {
    try fileSystem.perform(.syncDirectory, text, saying: "sync the directory", path) { disk, _ in disk.syncDirectory(self.node) }
  }

  func availableBytes() throws(FileError) -> UInt64 {
    try fileSystem.perform(.measure, text, saying: "measure the free space of", path) { disk, _ in disk.availableBytes }
  }

  func isOnNetwork() throws(FileError) -> Bool {
    try fileSystem.perform(.measure, text, saying: "look at the file system of", path) { disk, _ in disk.isOnNetwork }
  }

  private func exists(_ name: String) throws(FileError) -> Bool { try fileSystem.holds(name, node, path) }

  private func textOf(_ name: String) -> String {
    precondition(
      !name.isEmpty && name != "." && name != ".." && !name.contains("/") && !name.contains("\0"), "'\(name)' is no single component")
    return text.isEmpty ? name : "\(text)/\(name)"
  }
}
