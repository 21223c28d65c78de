internal import ArgumentParser
internal import Logging

/// How log lines look.
enum LogFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
  case text, json

  /// One line, without its line feed. `count` > 1 tells how many lines like it this one stands for.
  func line(_ event: LogLine, count: Int = 1, colored: Bool = false) -> String {
    var facts = event.metadata
    if count > 1 { facts.append(("repeated", .string(String(count)))) }
    switch self {
    case .text: return text(event, facts, colored: colored)
    case .json: return json(event, facts)
    }
  }

  private func text(_ event: LogLine, _ facts: [(String, JSONValue)], colored: Bool) -> String {
    let name = event.level.rawValue
    let (on, off) = colored ? (Self.color(event.level), "\u{1B}[0m") : ("", "")
    var line =
      "\(HumanText.time(event.time)) \(on)\(name)\(off)\(String(repeating: " ", count: max(0, 7 - name.count))) \(Escaping.escaped(event.message))"
    for (key, value) in facts {
      let text = if case .string(let string) = value { string } else { value.line }
      line += " \(Escaping.word(key))=\(Escaping.word(text))"
    }
    return line
  }

  private func json(_ event: LogLine, _ facts: [(String, JSONValue)]) -> String {
    var pairs: [(String, JSONValue)] = [
      ("time", .string(HumanText.time(event.time))), ("level", .string(event.level.rawValue)), ("logger", .string(event.label)),
      ("message", .string(event.message)),
    ]
    if !facts.isEmpty { pairs.append(("metadata", .object(facts))) }
    return JSONValue.object(pairs).line
  }

  private static func color(_ level: Logger.Level) -> String {
    switch level {
    case .trace, .debug, .info: "\u{1B}[2m"
    case .notice: "\u{1B}[36m"
    case .warning: "\u{1B}[33m"
    case .error, .critical: "\u{1B}[31m"
    }
  }
}

/// The least level that is logged.
enum LogLevel: String, CaseIterable, ExpressibleByArgument, Sendable {
  case trace, debug, info, notice, warning, error

  /// The same for swift-log.
  var level: Logger.Level {
    switch self {
    case .trace: .trace
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    }
  }
}

/// A log line before it is text.
struct LogLine: Sendable {
  /// Nanoseconds since 1970.
  var time: Int64
  var level: Logger.Level
  var label: String
  var message: String
  var metadata: [(String, JSONValue)]

  /// What it is about, as far as repetition goes: its message and the part of the pipeline, but not the changing facts.
  var subject: String {
    metadata.reduce(into: level.rawValue + "\u{1F}" + message) { subject, pair in
      if ["queue.name", "source.name", "sink.name", "consumer.name"].contains(pair.0), case .string(let name) = pair.1 {
        subject += "\u{1F}\(name)"
      }
    }
  }
}
