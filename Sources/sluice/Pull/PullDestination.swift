internal import DurableFiles
internal import Glibc
internal import RecordBlocks
internal import SystemPackage

/// Where pulled lines go. `finish` returns when the destination has them for good, which is when the cursor may be committed; without it
/// nothing is kept of a file.
protocol PullDestination: AnyObject {
  func write(_ slices: [BlockSlice]) throws
  /// Makes what was written visible to whoever waits for it; the destination goes on.
  func flush() throws
  /// Ends the destination.
  func finish() throws
}

/// Standard output: the reader has what the kernel took.
final class StandardOutputDestination: PullDestination {
  func write(_ slices: [BlockSlice]) throws {
    for slice in slices { try slice.lines().withUnsafeBytes { (bytes) throws(CommandFailure) in try StandardOutput.write(bytes) } }
  }
  func flush() {}
  func finish() {}
}

/// A new file. It bears another name until it is whole and on the disk, so nobody takes a half one for the result; `.gz` gets the stored
/// blocks as they are.
final class FileDestination: PullDestination {
  private let path: String
  private let partial: String
  private let isCompressed: Bool
  private let inPlace: Bool
  private var fd: Int32

  /// - Parameters:
  ///   - inPlace: writes under the final name from the start: for a pull that follows, and so never ends by itself.
  ///   - replace: takes the place of a file that is there.
  init(_ path: String, inPlace: Bool, replace: Bool) throws(CommandFailure) {
    self.path = path
    self.inPlace = inPlace
    partial = inPlace ? path : path + ".partial"
    isCompressed = path.hasSuffix(".gz")
    var status = stat()
    if lstat(path, &status) == 0 {
      guard replace else {
        throw CommandFailure(.usage, "\(path) is there already; give another name to --output, or --replace to lose what is in it")
      }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw CommandFailure(
          .usage, "\(path) is no regular file, and --replace takes the place of nothing else; give another name to --output")
      }
    }
    // What bears the name goes, what is left of an earlier pull too, and the file is always a new one: nobody else's link, pipe or file is
    // opened, nor one that others may read.
    if lstat(partial, &status) == 0, unlink(partial) != 0 { throw Self.failure("remove what is left at", partial) }
    fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw Self.failure("create", partial) }
  }

  deinit {
    guard fd >= 0 else { return }
    close(fd)
    if !inPlace { unlink(partial) }
  }

  func write(_ slices: [BlockSlice]) throws {
    if isCompressed {
      let parts = try slices.map { try $0.deflated() }
      for piece in GzipMember(joining: parts).pieces { try piece.withUnsafeBytes { (bytes) throws(CommandFailure) in try put(bytes) } }
    } else {
      for slice in slices { try slice.lines().withUnsafeBytes { (bytes) throws(CommandFailure) in try put(bytes) } }
    }
  }

  func flush() {}

  func finish() throws {
    guard fdatasync(fd) == 0 else { throw Self.failure("sync", partial) }
    close(fd)
    fd = -1
    if !inPlace, rename(partial, path) != 0 { throw Self.failure("rename", partial) }
    let parent = FilePath(path).removingLastComponent()
    let directory = open(parent.isEmpty ? "." : parent.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw Self.failure("open the directory of", path) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw Self.failure("sync the directory of", path) }
  }

  private func put(_ bytes: UnsafeRawBufferPointer) throws(CommandFailure) {
    let code = Terminal.writeAll(bytes, to: fd)
    guard code != 0 else { return }
    throw CommandFailure(.failure, "\(FileError("write", FilePath(partial), Errno(rawValue: code))); nothing was committed")
  }

  private static func failure(_ operation: String, _ path: String) -> CommandFailure {
    CommandFailure(.failure, "\(FileError(operation, FilePath(path), Errno(rawValue: errno))); nothing was committed")
  }
}

/// A command that reads the lines from its standard input; it has them when it ends with 0.
final class CommandDestination: PullDestination {
  private let command: ShellCommand

  init(_ command: String) throws(CommandFailure) { self.command = try ShellCommand(command) }

  func write(_ slices: [BlockSlice]) throws {
    for slice in slices { try slice.lines().withUnsafeBytes { (bytes) throws(CommandFailure) in try command.write(bytes) } }
  }

  func flush() {}

  func finish() throws { try command.finish(otherwise: "nothing was committed, so the next pull gives the same records") }
}
