import Glibc
import Logging
import PipelineCore
import RecordBlocks
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import FileTailSource

/// A clock that stands until it is told to go on.
final class ManualClock: TailClock {
  private let time = Mutex(Duration.seconds(1_000))

  func now() -> Duration { time.withLock { $0 } }
  func wallTime() -> (seconds: Int64, nanoseconds: Int64) { (1_788_264_000 + now().components.seconds, 0) }
  func advance(_ duration: Duration) { time.withLock { $0 += duration } }
}

/// Collects what is logged.
final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])

  func logger() -> Logger { Logger(label: "test") { _ in Handler(lines: self) } }
  func all() -> [String] { lines.withLock { $0 } }
  func count(_ part: String) -> Int { all().count { $0.contains(part) } }

  private struct Handler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      lines.lines.withLock { $0.append("\(event.level) \(event.message) \(facts)") }
    }
  }
}

/// A directory of log files, a file tail over it that is driven step by step, and what it gave.
final class TailScenario {
  private let temporary = TemporaryDirectory()
  var directory: FilePath { temporary.path }
  let clock = ManualClock()
  let logs = LogLines()
  var output = CollectingOutput()
  var configuration: FileTailSource.Configuration
  /// Changed to play a reboot.
  var boot = BootID(high: 1, low: 1)
  private(set) var engine: TailEngine?
  private(set) var source: FileTailSource?

  init(paths: [String] = ["app.log"], _ configure: (inout FileTailSource.Configuration) -> Void = { _ in }) throws {
    configuration = FileTailSource.Configuration(name: "test", paths: paths, logger: logs.logger())
    configuration.workingDirectory = directory
    configuration.hostName = "host"
    configure(&configuration)
  }

  // MARK: - The tail

  /// Starts it anew, as a process would: from what the output has.
  func start(usesInotify: Bool = false) throws {
    let source = try FileTailSource(configuration)
    self.source = source
    engine = source.makeEngine(from: output.checkpoints, usesInotify: usesInotify, clock: clock, boot: boot)
  }

  /// Ends it, as a kill would.
  func stop() { engine = nil }

  /// Looks at all files and reads what there is; starts it when it doesn't run.
  func pass() async throws {
    if engine == nil { try start() }
    engine?.wantScan()
    try await engine?.pass(into: output)
  }

  /// Lets time go by, with the passes that fall into it.
  func pass(after duration: Duration) async throws {
    clock.advance(duration)
    try await pass()
  }

  /// Reads one file's news as an event of inotify makes it, without a look at the directory.
  func passWithoutScan(_ name: String) async throws {
    if let engine, let stream = engine.byPath[directory.appending(name)] { engine.ready(stream) }
    try await engine?.pass(into: output)
  }

  var text: String { String(decoding: output.reproduced, as: UTF8.self) }

  // MARK: - Files

  func path(_ name: String) -> String { directory.appending(name).string }

  func write(_ name: String, _ bytes: [UInt8], append: Bool = true) {
    let file = open(path(name), O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0o644)
    precondition(file >= 0, "cannot write \(name): \(errno)")
    defer { close(file) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress! + done, bytes.count - done) }
      precondition(count > 0, "short write")
      done += count
    }
  }

  func append(_ name: String, _ text: String) { write(name, Array(text.utf8)) }
  func replace(_ name: String, _ text: String) { write(name, Array(text.utf8), append: false) }
  func rename(_ name: String, _ newName: String) { precondition(Glibc.rename(path(name), path(newName)) == 0, "rename failed") }
  func delete(_ name: String) { precondition(unlink(path(name)) == 0, "unlink failed") }
  func copy(_ name: String, _ newName: String) { run("cp", path(name), path(newName)) }
  func truncate(_ name: String) { precondition(Glibc.truncate(path(name), 0) == 0, "truncate failed") }
  func gzip(_ name: String) { run("gzip", path(name)) }
  func makeDirectory(_ name: String) { precondition(mkdir(path(name), 0o755) == 0, "mkdir failed") }
  func inode(_ name: String) -> UInt64 {
    guard case .regular(let file) = FoundFile.look(at: directory.appending(name)) else { return 0 }
    return file.inode
  }

  func run(_ program: String, _ arguments: String...) {
    var process = pid_t()
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    let result = posix_spawnp(&process, program, nil, nil, &words, environ)
    precondition(result == 0, "\(program) is not installed")
    var status: Int32 = 0
    waitpid(process, &status, 0)
    precondition(status == 0, "\(program) failed")
  }
}

/// Numbered lines: `prefix-000001 …`.
func lines(_ prefix: String, _ numbers: Range<Int>, width: Int = 20) -> String {
  var text = ""
  for number in numbers {
    let digits = String(number)
    let line = "\(prefix)-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    text += line + String(repeating: ".", count: max(0, width - line.utf8.count)) + "\n"
  }
  return text
}
