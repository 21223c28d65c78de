import DurableFiles
import FileSink
import Glibc
import Logging
import PipelineCore
import SystemPackage
import TestSupport

/// A temporary directory with a place for outputs and one for the manifest, and sinks that write there.
struct SinkFixture {
  let temporary = TemporaryDirectory()
  var outputs: FilePath { temporary.path.appending("out") }
  var states: FilePath { temporary.path.appending("consumers") }

  /// A sink for the template `out/<name>`.
  func sink(
    _ name: String = "app.log", timezone: String = "UTC", rotateBytes: UInt64? = nil, maxFiles: Int? = nil, writeGaps: Bool = false,
    consumer: String = "archive", logger: Logger = .silent
  ) throws -> FileSink {
    FileSink(
      .init(
        name: consumer, path: try PathTemplate("\(outputs)/\(name)", timezone: timezone), rotateBytes: rotateBytes, maxFiles: maxFiles,
        writeGaps: writeGaps, stateDirectory: try LocalFileSystem().directory(states, create: true), logger: logger))
  }

  /// The outputs in order.
  func names() throws -> [String] {
    inOrder(try LocalFileSystem().directory(outputs, create: true).names())
  }

  func read(_ name: String) throws -> [UInt8] { try contents(outputs.appending(name)) }

  /// All outputs, one after the other.
  func readAll() throws -> [UInt8] { try names().flatMap { try read($0) } }

  func zcatAll() throws -> [UInt8] { try run("/bin/zcat", names().map { outputs.appending($0).string }) }

  /// Puts a file of someone else's among the outputs.
  func plant(_ name: String, _ text: String) throws {
    let directory = try LocalFileSystem().directory(outputs, create: true)
    if try directory.status(name) != nil { try directory.unlink(name) }
    try directory.open(name, .createNew).write(Array(text.utf8), at: 0)
  }

  func rename(_ name: String, to newName: String) throws {
    try LocalFileSystem().directory(outputs, create: false).rename(name, to: newName)
  }

  func truncate(_ name: String, to size: Int64) throws {
    try LocalFileSystem().directory(outputs, create: false).open(name, .update).truncate(to: size)
  }
}

extension Logger {
  /// Says nothing.
  static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Keeps what is logged, for a test to look at.
final class LogRecorder: LogHandler, @unchecked Sendable {  // one test's sink logs at a time, from one thread
  var lines: [String] = []
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  var logger: Logger { Logger(label: "test") { _ in self } }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    lines.append("\(event.level): \(event.message) \(facts)")
  }

  func contains(_ text: String) -> Bool { lines.contains { $0.contains(text) } }
}
