internal import CLinux
internal import Glibc

/// What holds for the whole process from its first instruction on.
enum Process {
  /// Sets modes of new files, signals and the allocator. Called before any thread is started.
  static func prepare() {
    // Logs may hold secrets: what Sluice creates is its user's alone, whatever the caller's umask says.
    umask(0o077)
    // A reader that goes away is an error of that write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    linux_bound_malloc()
    raiseFileLimit()
  }

  /// The command line behind the program's name, as the kernel has it. Swift's own is empty when a preloaded library has set an environment
  /// variable, and a command that does nothing and ends well must not come of that.
  static var arguments: [String] {
    guard let file = fopen("/proc/self/cmdline", "re") else { return Array(CommandLine.arguments.dropFirst()) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    // Each one is ended by a NUL.
    return bytes.split(separator: 0, omittingEmptySubsequences: false).dropFirst().dropLast().map { String(decoding: $0, as: UTF8.self) }
  }

  /// The working directory; relative paths are relative to it.
  static var workingDirectory: String {
    guard let path = getcwd(nil, 0) else { return "." }
    defer { free(path) }
    return String(cString: path)
  }

  /// `path` from the root on, for logs.
  static func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : workingDirectory + "/" + path }

  /// The most files that may be open in this process at once.
  static var fileLimit: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(clamping: limit.rlim_cur)
  }

  /// Takes as many open files as the administrator allows: shells often give fewer at first.
  private static func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
