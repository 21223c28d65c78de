internal import CLinux
internal import Glibc
public import SystemPackage

/// The machine's own file system.
public struct LocalFileSystem: FileSystem {
  /// The machine's own file system.
  public init() {}

  /// See ``FileSystem/directory(_:create:)``.
  public func directory(_ path: FilePath, create: Bool) throws(FileError) -> any Directory {
    if create { try makeDirectories(path) }
    let fd = retryingInterrupts { Glibc.open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard fd >= 0 else { throw FileError("open the directory", path, lastErrno()) }
    return LocalDirectory(fd: fd, path: path)
  }

  private func makeDirectories(_ path: FilePath) throws(FileError) {
    let parent = path.removingLastComponent()
    let parentPath = parent.isEmpty ? FilePath(".") : parent
    var status = stat()
    if stat(path.string, &status) == 0 {
      // An earlier process may have died between making it and syncing its parent. A parent that we may not read was not ours to make it
      // in.
      return try sync(parentPath, unlessUnreadable: true)
    }
    if parentPath != path { try makeDirectories(parentPath) }
    guard mkdir(path.string, 0o700) == 0 || errno == EEXIST else { throw FileError("create the directory", path, lastErrno()) }
    try sync(parentPath, unlessUnreadable: false)
  }

  private func sync(_ directory: FilePath, unlessUnreadable: Bool) throws(FileError) {
    let fd = retryingInterrupts { Glibc.open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    if fd < 0, unlessUnreadable, errno == EACCES { return }
    guard fd >= 0 else { throw FileError("open the directory", directory, lastErrno()) }
    defer { close(fd) }
    // Some file systems can't sync a directory (EINVAL), which then has nothing to be made durable.
    guard fsync(fd) == 0 || (unlessUnreadable && (errno == EINVAL || errno == EROFS)) else {
      throw FileError("sync the directory", directory, lastErrno())
    }
  }
}

/// An open directory of the machine; operations are the kernel's `…at` calls on its descriptor.
final class LocalDirectory: Directory {
  let path: FilePath
  private let fd: Int32

  init(fd: Int32, path: FilePath) {
    self.fd = fd
    self.path = path
  }

  deinit { close(fd) }

  func subdirectory(_ name: String, create: Bool) throws(FileError) -> any Directory {
    if create, mkdirat(fd, name, 0o700) != 0, errno != EEXIST { throw FileError("create the directory", path.appending(name), lastErrno()) }
    let child = retryingInterrupts { openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) }
    guard child >= 0 else {
      let code = lastErrno()
      // The kernel says the same of a link as of a file: that it is no directory.
      let isLink = code == .notDirectory && (try? status(name)?.kind) == .symbolicLink
      throw FileError(
        "open the directory", path.appending(name), code,
        isLink ? "a symbolic link stands there, and Sluice follows none; put the directory itself in its place" : nil)
    }
    return LocalDirectory(fd: child, path: path.appending(name))
  }

  func open(_ name: String, _ mode: OpenMode) throws(FileError) -> any File {
    let flags: Int32
    switch mode {
    case .read: flags = O_RDONLY
    case .update: flags = O_RDWR
    case .create: flags = O_RDWR | O_CREAT
    case .createNew: flags = O_RDWR | O_CREAT | O_EXCL
    }
    // O_NONBLOCK: a planted FIFO must not hang us; it means nothing for a regular file.
    let opened = retryingInterrupts { openat(fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600) }
    guard opened >= 0 else {
      let code = lastErrno()
      throw FileError("open", path.appending(name), code, code == .noSuchAddressOrDevice ? Self.noFile : nil)
    }
    let file = LocalFile(fd: opened, path: path.appending(name))
    var status = stat()
    guard fstat(opened, &status) == 0 else { throw FileError("look at", file.path, lastErrno()) }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: throw FileError("open", file.path, .isDirectory)
    case S_IFIFO, S_IFSOCK: throw FileError("open", file.path, .invalidArgument, Self.noFile)
    default: return file
    }
  }

  private static let noFile = "a named pipe or a socket stands there and no file; move it away"

  func names() throws(FileError) -> [String] {
    let copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else {
      let code = lastErrno()
      if copy >= 0 { close(copy) }
      throw FileError("list", path, code)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw FileError("list", path, lastErrno()) }
        break
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  func status(_ name: String) throws(FileError) -> FileStatus? {
    var status = stat()
    guard fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      if errno == ENOENT { return nil }
      throw FileError("look at", path.appending(name), lastErrno())
    }
    return FileStatus(status)
  }

  func rename(_ name: String, to newName: String) throws(FileError) {
    guard renameat(fd, name, fd, newName) == 0 else { throw FileError("rename", path.appending(name), lastErrno()) }
  }

  func unlink(_ name: String) throws(FileError) {
    guard unlinkat(fd, name, 0) == 0 else { throw FileError("remove", path.appending(name), lastErrno()) }
  }

  func sync() throws(FileError) {
    guard fsync(fd) == 0 else { throw FileError("sync the directory", path, lastErrno()) }
  }

  func availableBytes() throws(FileError) -> UInt64 {
    var status = statvfs()
    guard fstatvfs(fd, &status) == 0 else { throw FileError("measure the free space of", path, lastErrno()) }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }

  func isOnNetwork() throws(FileError) -> Bool {
    let answer = linux_is_network_file_system(fd)
    guard answer >= 0 else { throw FileError("look at the file system of", path, lastErrno()) }
    return answer == 1
  }
}

/// An open file of the machine.
final class LocalFile: File {
  let path: FilePath
  private let fd: Int32

  init(fd: Int32, path: FilePath) {
    self.fd = fd
    self.path = path
  }

  deinit { close(fd) }

  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(FileError) -> Int {
    let (done, failure) = transfer(buffer.count) { done in
      pread(fd, buffer.baseAddress! + done, buffer.count - done, off_t(position) + off_t(done))
    }
    if let failure { throw FileError("read", path, failure) }
    return done
  }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileError) {
    let (done, failure) = transfer(bytes.count) { done in
      pwrite(fd, bytes.baseAddress! + done, bytes.count - done, off_t(position) + off_t(done))
    }
    // Nothing taken and no error: no file system should do that, and asking it for ever wouldn't help.
    if failure != nil || done < bytes.count { throw FileError("write", path, failure ?? .ioError) }
  }

  func truncate(to size: Int64) throws(FileError) {
    guard retryingInterrupts({ ftruncate(fd, off_t(size)) }) == 0 else { throw FileError("cut", path, lastErrno()) }
  }

  func sync() throws(FileError) {
    guard fdatasync(fd) == 0 else { throw FileError("sync", path, lastErrno()) }
  }

  func status() throws(FileError) -> FileStatus {
    var status = stat()
    guard fstat(fd, &status) == 0 else { throw FileError("look at", path, lastErrno()) }
    return FileStatus(status)
  }

  func lock() throws(FileError) -> Bool {
    if retryingInterrupts({ flock(fd, LOCK_EX | LOCK_NB) }) == 0 { return true }
    if errno == EWOULDBLOCK { return false }
    throw FileError("lock", path, lastErrno())
  }
}

extension FileStatus {
  init(_ status: stat) {
    let kind: Kind
    switch status.st_mode & S_IFMT {
    case S_IFREG: kind = .regular
    case S_IFDIR: kind = .directory
    case S_IFLNK: kind = .symbolicLink
    default: kind = .other
    }
    self.init(
      kind: kind, size: Int64(status.st_size), device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
      linkCount: Int(status.st_nlink))
  }
}

/// Asks for more until `count` bytes are done, nothing more comes, or an error that is no interruption.
func transfer(_ count: Int, _ call: (_ done: Int) -> Int) -> (done: Int, failure: Errno?) {
  var done = 0
  while done < count {
    let step = call(done)
    if step == 0 { break }
    if step > 0 {
      done += step
    } else if errno != EINTR {
      return (done, lastErrno())
    }
  }
  return (done, nil)
}

private func lastErrno() -> Errno { Errno(rawValue: errno) }

private func retryingInterrupts(_ call: () -> Int32) -> Int32 {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}
