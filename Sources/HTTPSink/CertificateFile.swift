internal import Glibc

/// The file of trusted certificates.
enum CertificateFile {
  /// Far more than all authorities there are: a machine's own list has some 200 KiB.
  private static let maximumBytes = 16 << 20

  /// It can't be read, is no regular file, or is too large; the sink's message says the same of all of them.
  struct Unreadable: Error {}

  /// The bytes of a regular file. Never waits, as reading a named pipe would.
  static func read(_ path: String) throws(Unreadable) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else { throw Unreadable() }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= maximumBytes else { throw Unreadable() }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    while done < bytes.count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + done, $0.count - done) }
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { throw Unreadable() }
      done += got
    }
    return bytes
  }
}
