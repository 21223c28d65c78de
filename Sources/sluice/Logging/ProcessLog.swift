internal import Glibc
internal import Logging
internal import Synchronization

/// The process's log: lines to standard error, repeated warnings counted rather than written.
final class ProcessLog: Sendable {
  private let format: LogFormat
  private let output: DiagnosticOutput
  private let colored: Bool
  private let limiter = Mutex(RepeatLimiter<LogLine>())

  init(format: LogFormat, output: DiagnosticOutput = .shared) {
    self.format = format
    self.output = output
    colored = format == .text && output.canRedraw && Terminal.hasColors(STDERR_FILENO)
  }

  /// A logger that writes here.
  func logger(_ label: String, level: Logger.Level) -> Logger {
    Logger(label: label) { ProcessLogHandler(log: self, label: $0, logLevel: level) }
  }

  /// Writes what was held back and is due; called now and then. `all` tells the rest, at the end.
  func tellRepeated(all: Bool = false) {
    for (line, count) in limiter.withLock({ $0.due(now: Self.monotonic(), all: all) }) {
      output.line(format.line(line, count: count, colored: colored))
    }
  }

  fileprivate func write(_ line: LogLine) {
    if line.level == .warning || line.level == .error {
      guard limiter.withLock({ $0.admits(line.subject, line, now: Self.monotonic()) }) else { return }
    }
    output.line(format.line(line, colored: colored))
  }

  private static func monotonic() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// What swift-log calls.
struct ProcessLogHandler: LogHandler {
  let log: ProcessLog
  let label: String
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(log: ProcessLog, label: String, logLevel: Logger.Level) {
    self.log = log
    self.label = label
    self.logLevel = logLevel
  }

  subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var all = metadata
    if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
    if let own = event.metadata { all.merge(own) { $1 } }
    if let error = event.error { all["error"] = .string("\(error)") }
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    log.write(
      LogLine(
        time: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec), level: event.level, label: label,
        message: event.message.description,
        metadata: all.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) }))
  }
}

extension JSONValue {
  /// Metadata of a log line.
  init(_ value: Logger.MetadataValue) {
    switch value {
    case .string(let text): self = .string(text)
    case .stringConvertible(let value): self = .string(value.description)
    case .array(let values): self = .array(values.map { JSONValue($0) })
    case .dictionary(let pairs): self = .object(pairs.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) })
    @unknown default: self = .string("\(value)")
    }
  }
}
