internal import Glibc

/// Why a file could not be read, in a few words: `No such file or directory`.
public struct ReadFailure: Error, Sendable, Equatable {
  /// The words; they follow `cannot read …: `.
  public let reason: String

  /// A failure for this reason.
  public init(_ reason: String) { self.reason = reason }
}

extension PipelineLoader {
  /// Reads a whole regular file of at most `limit` bytes. Blocking; never waits for a writer.
  public static func readRegularFile(_ path: String, limit: Int) throws(ReadFailure) -> [UInt8] {
    guard !path.utf8.contains(0) else { throw ReadFailure("the path holds a NUL byte") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ReadFailure(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw ReadFailure(String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw ReadFailure("it is a directory") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw ReadFailure("it is no regular file") }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw ReadFailure(String(cString: strerror(errno))) }
      guard count > 0 else { return bytes }
      guard bytes.count + count <= limit else { throw ReadFailure("it is larger than \(formatSize(limit))") }
      bytes += buffer[..<count]
    }
  }

  /// The process's working directory, absolute.
  public static func currentDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
  }
}
