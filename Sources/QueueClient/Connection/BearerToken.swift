internal import Glibc

/// A server's token, from a file; no description of it shows it.
public struct BearerToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The most bytes that a token may have.
  static let maximumBytes = 4096

  let value: String

  /// Reads a file with the token and at most one line feed behind it.
  public init(file path: String) throws(QueueClientError) {
    let bytes: [UInt8]
    do { bytes = try SmallFile.read(path, limit: Self.maximumBytes + 1) } catch {
      throw QueueClientError(
        .configuration, "the token file \(path) can't be read: \(error.reason)",
        "check that it is there, readable, a regular file, and holds the token alone")
    }
    let token = bytes.last == 0x0A ? bytes.dropLast() : bytes[...]
    guard !token.isEmpty, token.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw QueueClientError(
        .configuration, "the token file \(path) holds no token", "a token is one line of visible ASCII characters without blanks")
    }
    value = String(decoding: token, as: UTF8.self)
  }

  /// Stars.
  public var description: String { "***" }
  /// Stars.
  public var debugDescription: String { "***" }
  /// Nothing.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A file that is read as a whole.
enum SmallFile {
  struct Unreadable: Error {
    let reason: String
  }

  /// The bytes of a regular file of at most `limit` bytes. Never waits, as reading a named pipe would.
  static func read(_ path: String, limit: Int) throws(Unreadable) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else { throw Unreadable(reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Unreadable(reason: String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw Unreadable(reason: "it is no regular file") }
    guard status.st_size <= limit else { throw Unreadable(reason: "it has more than \(limit) bytes") }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    while done < bytes.count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + done, $0.count - done) }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { throw Unreadable(reason: got < 0 ? String(cString: strerror(errno)) : "it became shorter while it was read") }
      done += got
    }
    return bytes
  }
}
