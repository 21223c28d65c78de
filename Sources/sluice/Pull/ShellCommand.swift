internal import Glibc

/// A shell command that reads its standard input from us; it has taken it when it ends with 0.
final class ShellCommand {
  private let command: String
  private var input: Int32
  private var process: pid_t = 0

  /// Starts `/bin/sh -c command`.
  /// - Parameter environment: variables that it gets beside this process's own.
  init(_ command: String, environment: [(name: String, value: String)] = []) throws(CommandFailure) {
    self.command = command
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0, fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 else {
      throw CommandFailure(.failure, "cannot make a pipe: \(String(cString: strerror(errno)))")
    }
    defer { close(ends[0]) }
    input = ends[1]
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
    // The command gets the signals' usual meaning: this process ignores SIGPIPE, and the others when it waits to be stopped.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var defaults = sigset_t()
    sigemptyset(&defaults)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP] { sigaddset(&defaults, signal) }
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var arguments = Self.strings(["sh", "-c", command])
    defer { arguments.forEach { free($0) } }
    var variables = Self.strings(environment.map { "\($0.name)=\($0.value)" }, before: environ)
    let owned = environment.count
    defer { variables.prefix(owned).forEach { free($0) } }
    let code = posix_spawn(&process, "/bin/sh", &actions, &attributes, &arguments, &variables)
    guard code == 0 else {
      close(input)
      throw CommandFailure(.failure, "cannot start /bin/sh: \(String(cString: strerror(code)))")
    }
  }

  deinit {
    // Given up on the way: its input ends, and it is not waited for.
    if input >= 0 { close(input) }
  }

  /// Gives it `bytes`. A command that doesn't read to the end is judged by its exit status.
  func write(_ bytes: UnsafeRawBufferPointer) throws(CommandFailure) {
    let code = Terminal.writeAll(bytes, to: input)
    if code != 0, code != EPIPE { throw CommandFailure(.failure, "cannot write to '\(command)': \(String(cString: strerror(code)))") }
  }

  /// Ends its input and waits for its end, which must be 0.
  /// - Parameter remedy: what follows from another end.
  func finish(otherwise remedy: String) throws(CommandFailure) {
    close(input)
    input = -1
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { throw CommandFailure(.failure, "cannot wait for '\(command)': \(String(cString: strerror(errno)))") }
    }
    guard status == 0 else {
      let how = status & 0x7F == 0 ? "exit code \((status >> 8) & 0xFF)" : "signal \(status & 0x7F)"
      throw CommandFailure(.failure, "'\(command)' ended with \(how); \(remedy)")
    }
  }

  /// A list as `execve` takes it: `texts`, and what stands in `others`.
  private static func strings(_ texts: [String], before others: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = nil)
    -> [UnsafeMutablePointer<CChar>?]
  {
    var list: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    var next = others
    while let pointer = next?.pointee {
      list.append(pointer)
      next = next?.advanced(by: 1)
    }
    return list + [nil]
  }
}
