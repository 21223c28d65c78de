public import SystemPackage

/// Every file operation of the queue and the file sink, and nothing more: what isn't here they can't do.
///
/// Two implementations stand behind it: ``LocalFileSystem`` makes the system calls; the tests' `SimulatedFileSystem` drops what was not
/// synced and fails the operation it is told to, which is how the order of writes, syncs and renames is tried out.
///
/// Durability is said on each operation: *in the file* means handed to the kernel (it survives the process), *on the disk* means synced
/// (it survives the power). All calls block; none may be made on Swift's cooperative threads.
public protocol FileSystem: Sendable {
  /// Opens a directory, so that what happens below it is safe from renames above it.
  /// - Parameter create: makes it and its missing parents with mode 0700, each durable in its parent before this returns; one that was
  ///   there is made
  ///   durable too, since an earlier process may have died before it was.
  func directory(_ path: FilePath, create: Bool) throws(FileError) -> any Directory
}

/// An open directory. Names are single components; no operation follows a symbolic link in one.
public protocol Directory: AnyObject, Sendable {
  /// The path it was opened at, for messages.
  var path: FilePath { get }
  /// Opens a subdirectory; `create` makes it (mode 0700) in the file system, on the disk after ``sync()``.
  func subdirectory(_ name: String, create: Bool) throws(FileError) -> any Directory
  /// Opens a file; never waits. A directory, a named pipe or a socket in its place is an error.
  func open(_ name: String, _ mode: OpenMode) throws(FileError) -> any File
  /// The names in it, without `.` and `..`, sorted.
  func names() throws(FileError) -> [String]
  /// What `name` is, or nil when nothing bears it. Links are not followed.
  func status(_ name: String) throws(FileError) -> FileStatus?
  /// Renames within the directory, over what bears `newName`. On the disk after ``sync()``.
  func rename(_ name: String, to newName: String) throws(FileError)
  /// Removes a file's name. On the disk after ``sync()``.
  func unlink(_ name: String) throws(FileError)
  /// Makes creations, renames and removals in this directory durable (`fsync` of the directory).
  func sync() throws(FileError)
  /// Bytes that an unprivileged process may still write on this file system.
  func availableBytes() throws(FileError) -> UInt64
  /// Whether it lies on a network file system, where locks and syncs promise less.
  func isOnNetwork() throws(FileError) -> Bool
}

/// How a file is opened.
public enum OpenMode: Sendable, Hashable {
  /// Must exist; only read.
  case read
  /// Must exist; read and written.
  case update
  /// Read and written; made (mode 0600) when missing.
  case create
  /// Read and written; made (mode 0600); it is an error when the name is taken.
  case createNew
}

/// What a name or an open file is.
public struct FileStatus: Sendable, Hashable {
  /// The kinds that matter here.
  public enum Kind: Sendable, Hashable { case regular, directory, symbolicLink, other }
  /// What it is.
  public var kind: Kind
  /// Its length in bytes.
  public var size: Int64
  /// The device it lies on; not stable over a boot.
  public var device: UInt64
  /// Its inode number on that device.
  public var inode: UInt64
  /// How many names it has on its file system.
  public var linkCount: Int

  /// The facts of a file.
  public init(kind: Kind, size: Int64, device: UInt64, inode: UInt64, linkCount: Int = 1) {
    self.kind = kind
    self.size = size
    self.device = device
    self.inode = inode
    self.linkCount = linkCount
  }
}

/// An open file; closed when the last reference goes.
public protocol File: AnyObject, Sendable {
  /// The path it was opened at, for messages.
  var path: FilePath { get }
  /// Reads at a position until `buffer` is full or the file ends; returns the bytes read.
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(FileError) -> Int
  /// Writes all of `bytes` at a position with as few system calls as the kernel lets it; in the file on return.
  /// After an error any part of them may be in the file.
  func write(_ bytes: UnsafeRawBufferPointer, at position: Int64) throws(FileError)
  /// Cuts or extends to `size`; on the disk after ``sync()``.
  func truncate(to size: Int64) throws(FileError)
  /// Puts the file's bytes and length on the disk (`fdatasync`). After an error the bytes since the last sync are lost for good:
  /// never sync the same file again, write them to another.
  func sync() throws(FileError)
  /// The file's facts.
  func status() throws(FileError) -> FileStatus
  /// Takes the exclusive lock of this open file, without waiting; false when another open file has it (`man 2 flock`).
  /// It goes with the process, however that ends.
  func lock() throws(FileError) -> Bool
}

extension File {
  /// Reads `count` bytes at `position`, fewer at the file's end.
  public func read(_ count: Int, at position: Int64) throws(FileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: FileError?
    let got = bytes.withUnsafeMutableBytes { buffer in
      do throws(FileError) { return try read(into: buffer, at: position) } catch {
        failure = error
        return 0
      }
    }
    if let failure { throw failure }
    bytes.removeLast(count - got)
    return bytes
  }

  /// Writes `bytes` at `position`; in the file on return.
  public func write(_ bytes: [UInt8], at position: Int64) throws(FileError) {
    var failure: FileError?
    bytes.withUnsafeBytes { buffer in
      do throws(FileError) { try write(buffer, at: position) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

extension Directory {
  /// Opens a file that is written in place. One that has another name too is refused: what is written here would change it there.
  public func openUnshared(_ name: String, _ mode: OpenMode) throws(FileError) -> any File {
    let file = try open(name, mode)
    let count = try file.status().linkCount
    guard count <= 1 else {
      throw FileError(
        "write to", path.appending(name), .tooManyLinks,
        "it has \(count) names (hard links), and what is written here would change it under the others; remove those, or put a copy in its place"
      )
    }
    return file
  }

  /// Replaces `name` as a whole: temporary file, sync, rename, directory sync. On the disk on return; before that the old content stands.
  public func replace(_ name: String, with bytes: [UInt8]) throws(FileError) {
    let temporary = name + ".tmp"
    if try status(temporary) != nil { try unlink(temporary) }
    let file = try open(temporary, .createNew)
    try file.write(bytes, at: 0)
    try file.sync()
    try rename(temporary, to: name)
    try sync()
  }

  /// All bytes of `name`, or nil when it doesn't exist; an error when it holds more than `limit`.
  public func contents(_ name: String, limit: Int) throws(FileError) -> [UInt8]? {
    guard try status(name) != nil else { return nil }
    let file = try open(name, .read)
    let size = try file.status().size
    guard size <= Int64(limit) else { throw FileError("read", path.appending(name), .fileTooLarge) }
    return try file.read(Int(size), at: 0)
  }
}
