internal import Glibc

extension TokenFile {
  /// See ``NewToken/append(to:)``.
  static func append(_ line: String, to path: String) throws(TokenFileError) {
    func failure(_ what: String) -> TokenFileError { TokenFileError(file: path, what) }
    func failed(_ operation: String) -> TokenFileError { failure("cannot \(operation): \(OperatorFile.lastError())") }
    guard !path.utf8.contains(0) else { throw failure("the path holds a NUL byte") }
    let flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    var isNew = false
    var descriptor = open(path, flags)
    if descriptor < 0, errno == ENOENT {
      isNew = true
      descriptor = open(path, flags | O_CREAT | O_EXCL, 0o600)
    }
    guard descriptor >= 0 else { throw failed("open the file of tokens for writing") }
    defer { close(descriptor) }
    // Two that add the same name at the same time: the second sees the first's line.
    guard flock(descriptor, LOCK_EX) == 0 else { throw failed("lock the file") }
    let bytes: [UInt8]
    do throws(OperatorFile.Problem) {
      bytes = try OperatorFile.read(descriptor, limit: maximumBytes) { problem(ofMode: $0, path: path) }
    } catch {
      throw failure(error.sentence)
    }
    let glue = bytes.last.map { $0 == 0x0A ? "" : "\n" } ?? ""
    let addition = Array((glue + line + "\n").utf8)
    _ = try table(of: bytes + addition, file: path)
    let written = addition.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    guard written == addition.count else {
      if written >= 0 { errno = ENOSPC }
      throw failed("write the line")
    }
    guard fsync(descriptor) == 0 else { throw failed("sync the file") }
    if isNew { try syncDirectory(of: path) }
  }

  private static func syncDirectory(of path: String) throws(TokenFileError) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    // Some file systems can't sync a directory (EINVAL), which then has nothing to be made durable.
    guard descriptor >= 0, fsync(descriptor) == 0 || errno == EINVAL else {
      throw TokenFileError(file: path, "cannot sync the directory: \(OperatorFile.lastError())")
    }
  }
}
