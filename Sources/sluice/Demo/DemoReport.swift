/// What a demonstration has shown.
struct DemoReport: Sendable {
  /// Something that must be so.
  struct Check: Sendable {
    var sentence: String
    var holds: Bool
  }

  /// What was chosen, for the JSON.
  var settings: [(String, JSONValue)]
  /// What was counted, for the JSON.
  var figures: [(String, JSONValue)]
  /// The summary for people: tables and sentences.
  var text: String
  /// How many times faster than told things were played.
  var timeScale: Double = 1
  /// What must be so; the exit code is 0 only if all is.
  var checks: [Check] = []

  mutating func check(_ holds: Bool, _ sentence: String) { checks.append(Check(sentence: sentence, holds: holds)) }

  /// The document of `--output json`.
  func json(scenario: String, seed: UInt64) -> JSONValue {
    .object([
      ("scenario", .string(scenario)), ("version", .string(VersionCommand.version)), ("seed", .integer(seed)),
      ("time_scale", .decimal(timeScale)), ("settings", .object(settings)), ("figures", .object(figures)),
      ("checks", .array(checks.map { .object([("what", .string($0.sentence)), ("holds", .bool($0.holds))]) })),
    ])
  }

  /// The summary with its checks.
  var summary: String {
    text + "\n" + checks.map { "\($0.holds ? "ok    " : "FAILED")  \($0.sentence)\n" }.joined()
  }
}
