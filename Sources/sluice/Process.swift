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

  /// The working directory; relative paths are relative to it.
  static var workingDirectory: String {
    guard let path = getcwd(nil, 0) else { return "." }
    defer { free(path) }
    return String(cString: path)
  }

  /// `path` from the root on, for logs.
  static func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : workingDirectory + "/" + path }

  /// Takes as many open files as the administrator allows: shells often give fewer at first.
  private static func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
