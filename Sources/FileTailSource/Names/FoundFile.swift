internal import Glibc
internal import SystemPackage

/// A regular file that a search came upon, with the facts that tell whether it changed.
struct FoundFile: Hashable, Sendable {
  var path: FilePath
  var device: UInt64
  var inode: UInt64
  var size: UInt64
  /// Nanoseconds since 1970.
  var modified: Int64

  /// Device and inode: what the kernel calls the same file.
  var key: FileKey { FileKey(device: device, inode: inode) }

  /// What a path may lead to.
  enum Look: Hashable, Sendable {
    case regular(FoundFile)
    /// Not a file to read; the words go into a warning.
    case unsuitable(String)
    case directory
    case missing
    case failed(Errno)
  }

  /// Looks at a path, following links.
  static func look(at path: FilePath) -> Look {
    var status = stat()
    guard path.withPlatformString({ stat($0, &status) }) == 0 else {
      let code = Errno(rawValue: errno)
      if code == .tooManySymbolicLinkLevels { return .unsuitable("a symbolic link that leads back to itself") }
      if code == .noSuchFileOrDirectory {
        return path.withPlatformString { lstat($0, &status) } == 0 ? .unsuitable("a symbolic link to nothing") : .missing
      }
      return code == .notDirectory ? .missing : .failed(code)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .regular(FoundFile(path: path, status: status))
    case S_IFDIR: return .directory
    case S_IFIFO: return .unsuitable("a named pipe")
    case S_IFSOCK: return .unsuitable("a socket")
    case S_IFCHR, S_IFBLK: return .unsuitable("a device")
    default: return .unsuitable("not a regular file")
    }
  }

  /// Whether the path itself is a symbolic link.
  static func isLink(_ path: FilePath) -> Bool {
    var status = stat()
    return path.withPlatformString { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  /// Where a link leads in the end.
  static func target(of path: FilePath) -> FilePath? {
    guard let resolved = path.withPlatformString({ realpath($0, nil) }) else { return nil }
    defer { free(resolved) }
    return FilePath(platformString: resolved)
  }

  init(path: FilePath, status: stat) {
    self.path = path
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    size = UInt64(status.st_size)
    modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
  }
}

/// Device and inode.
struct FileKey: Hashable, Sendable {
  var device: UInt64
  var inode: UInt64
}
