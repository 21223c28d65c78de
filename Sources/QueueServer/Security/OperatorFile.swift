internal import CLinux
internal import Glibc

/// A small file that an operator writes and changes while the server runs: tokens, certificates, keys.
enum OperatorFile {
  /// Why it can't be used, as a sentence without the file's name.
  struct Problem: Error, Equatable {
    let sentence: String
    /// Whether nothing stands there.
    var isMissing = false
  }

  /// What the kernel says of a file: when any of it differs, the content may.
  struct Identity: Equatable {
    private var numbers: [Int64]

    init(_ facts: linux_file_facts) {
      // The time of change also moves when the mode is changed, and when somebody sets the time of modification back.
      numbers = [
        Int64(bitPattern: facts.device), Int64(bitPattern: facts.inode), facts.size, Int64(facts.mode), facts.modified.0, facts.modified.1,
        facts.changed.0, facts.changed.1,
      ]
    }

    /// The identity of what stands at `path`, links followed; nil when that can't be told.
    init?(path: String) {
      var facts = linux_file_facts()
      guard linux_look_at_path(path, &facts) == 0 else { return nil }
      self.init(facts)
    }
  }

  /// The bytes of a regular file of at most `limit`. Blocking; never waits for a writer.
  /// - Parameter modeProblem: what is wrong with who may read and write it, if anything.
  static func read(_ path: String, limit: Int, modeProblem: (UInt32) -> String? = { _ in nil }) throws(Problem) -> [UInt8] {
    guard !path.utf8.contains(0) else { throw Problem(sentence: "the path holds a NUL byte") }
    // O_NONBLOCK: a named pipe must not hang us.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw Problem(sentence: "cannot open the file: \(lastError())", isMissing: errno == ENOENT) }
    defer { close(descriptor) }
    return try read(descriptor, limit: limit, modeProblem: modeProblem)
  }

  /// The same of an open file, from its beginning.
  static func read(_ descriptor: Int32, limit: Int, modeProblem: (UInt32) -> String?) throws(Problem) -> [UInt8] {
    var facts = linux_file_facts()
    guard linux_look_at_file(descriptor, &facts) == 0 else { throw Problem(sentence: "cannot look at the file: \(lastError())") }
    guard facts.mode & S_IFMT == S_IFREG else { throw Problem(sentence: "it is no regular file") }
    if let problem = modeProblem(facts.mode) { throw Problem(sentence: problem) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Problem(sentence: "cannot read the file: \(lastError())") }
      guard count > 0 else { return bytes }
      guard bytes.count + count <= limit else { throw Problem(sentence: "it has more than \(limit >> 20) MiB") }
      bytes += buffer[..<count]
    }
  }

  static func lastError() -> String { String(cString: strerror(errno)) }
}
