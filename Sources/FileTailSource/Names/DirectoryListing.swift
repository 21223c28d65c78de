internal import Glibc
internal import SystemPackage

/// The names in a directory, as the kernel lists them.
struct DirectoryListing {
  /// What a name is itself; links are not followed.
  enum Kind: Hashable, Sendable { case regular, directory, link, other }

  /// One name.
  struct Entry {
    var name: [UInt8]
    var inode: UInt64
    var kind: Kind
  }

  /// The most names that are read of one directory: a bound on memory, far above what a log directory has.
  static let mostEntries = 200_000

  /// Lists a directory without `.` and `..`, in no order.
  static func entries(of path: FilePath) throws(Errno) -> [Entry] {
    guard let stream = path.withPlatformString({ opendir($0) }) else { throw Errno(rawValue: errno) }
    defer { closedir(stream) }
    var entries: [Entry] = []
    while entries.count < mostEntries {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw Errno(rawValue: errno) }
        break
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in Array(bytes.prefix { $0 != 0 }) }
      if name == [0x2E] || name == [0x2E, 0x2E] { continue }
      let kind = kind(Int(entry.pointee.d_type), of: name, in: dirfd(stream))
      entries.append(Entry(name: name, inode: UInt64(entry.pointee.d_ino), kind: kind))
    }
    return entries
  }

  private static func kind(_ type: Int, of name: [UInt8], in directory: Int32) -> Kind {
    if type == Int(DT_REG) { return .regular }
    if type == Int(DT_DIR) { return .directory }
    if type == Int(DT_LNK) { return .link }
    guard type == Int(DT_UNKNOWN) else { return .other }
    // Some file systems leave it to us to look.
    var status = stat()
    let result = (name + [0]).withUnsafeBytes {
      fstatat(directory, $0.bindMemory(to: CChar.self).baseAddress!, &status, AT_SYMLINK_NOFOLLOW)
    }
    guard result == 0 else { return .other }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .regular
    case S_IFDIR: return .directory
    case S_IFLNK: return .link
    default: return .other
    }
  }
}
