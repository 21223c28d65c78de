internal import DurableFiles
internal import SystemPackage

/// An open file of a ``SimulatedFileSystem``. It stays usable when its name is given to another or removed.
final class SimulatedFile: File {
  let path: FilePath
  private let fileSystem: SimulatedFileSystem
  private let node: Int
  private let handle: Int
  private let canWrite: Bool
  private let text: String

  init(_ fileSystem: SimulatedFileSystem, _ node: Int, handle: Int, canWrite: Bool, path: FilePath, text: String) {
    self.fileSystem = fileSystem
    self.node = node
    self.handle = handle
    self.canWrite = canWrite
    self.path = path
    self.text = text
  }

  deinit { fileSystem.close(node, handle: handle) }

  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(FileError) -> Int {
    try fileSystem.perform(.read, text, "\(buffer.count)@\(position)", saying: "read", path) { disk, _ throws(Errno) in
      try disk.read(self.node, into: buffer, at: position)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileError) {
    try fileSystem.perform(
      .write, text, "\(bytes.count)@\(position)", saying: "write", path,
      interrupted: { disk, _, random in
        guard self.canWrite else { return }
        // Room may be missing for a part too; the call fails in any case.
        _ = try? disk.write(self.node, UnsafeRawBufferPointer(rebasing: bytes.prefix(random.int(0...bytes.count))), at: position)
      }
    ) { disk, _ throws(Errno) in
      guard self.canWrite else { throw .badFileDescriptor }
      try disk.write(self.node, bytes, at: position)
    }
  }

  func truncate(to size: Int64) throws(FileError) {
    try fileSystem.perform(.truncate, text, "\(size)", saying: "cut", path) { disk, _ throws(Errno) in
      guard self.canWrite else { throw .invalidArgument }
      try disk.truncate(self.node, to: size)
    }
  }

  func sync() throws(FileError) {
    try fileSystem.perform(
      .sync, text, saying: "sync", path,
      interrupted: { disk, interruption, _ in
        if interruption == .failure { disk.failSync(self.node) }
      }
    ) { disk, _ in
      if disk.syncHasFailed(self.node) { disk.retriedSyncs.append(self.text) }
      disk.sync(self.node)
    }
  }

  func status() throws(FileError) -> FileStatus {
    try fileSystem.perform(.look, text, saying: "look at", path) { disk, _ in disk.status(self.node) }
  }

  func lock() throws(FileError) -> Bool {
    try fileSystem.perform(.lock, text, saying: "lock", path) { disk, _ in disk.lock(self.node, by: self.handle) }
  }
}
