import Foundation
import Testing

@testable import FileTailSource

@Suite struct JSONTests {
  static let messages: [(bytes: [UInt8], escaped: String, isInvalid: Bool)] = [
    (Array("plain".utf8), "plain", false), ([], "", false), (Array("q\" b\\ / é €😀".utf8), #"q\" b\\ / é €😀"#, false),
    ([9, 8, 12, 13, 0, 1, 27, 31, 127], #"\t\b\f\r\u0000\u0001\u001b\u001f"# + "\u{7F}", false), ([0x61, 0xFF, 0x62], "a\u{FFFD}b", true),
    ([0xC3], "\u{FFFD}", true), ([0xE2, 0x82], "\u{FFFD}", true), ([0xE2, 0x82, 0x41], "\u{FFFD}A", true),
    ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}", true), ([0xC0, 0x80], "\u{FFFD}\u{FFFD}", true),
    ([0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}", true),
    ([0xF0, 0x9F, 0x98], "\u{FFFD}", true), (Array("0123456\"89abcde\\".utf8), #"0123456\"89abcde\\"#, false),
  ]

  @Test(arguments: messages.indices) func `a message is escaped`(_ index: Int) {
    let row = Self.messages[index]
    var encoder = JSONRecordEncoder(host: "h")
    encoder.begin(path: Array("/p".utf8), seconds: 0, nanoseconds: 1_500)
    var output = [UInt8](repeating: 0, count: encoder.capacity(forMessage: row.bytes.count, limit: .max / 2))
    let written = row.bytes.withUnsafeBytes { message in
      output.withUnsafeMutableBytes { encoder.write(message, limit: .max / 2, unended: false, continues: false, to: $0.baseAddress!) }
    }
    let flag = row.isInvalid ? #","invalid_utf8":true"# : ""
    let expected = #"{"timestamp":"1970-01-01T00:00:00.000001Z","host":"h","path":"/p","message":""# + row.escaped + "\"" + flag + "}\n"
    #expect(String(decoding: output[..<written.count], as: UTF8.self) == expected)
    #expect(written.isInvalid == row.isInvalid)
    #expect(written.taken == row.bytes.count)
  }

  @Test func `an escaped message over its limit is cut between characters and goes on`() throws {
    let text = String(repeating: "€\u{1}", count: 100_000)
    var encoder = JSONRecordEncoder(host: "h")
    encoder.begin(path: [], seconds: 0, nanoseconds: 0)
    var rest = Array(text.utf8)
    var joined = ""
    var pieces = 0
    while !rest.isEmpty {
      var output = [UInt8](repeating: 0, count: encoder.capacity(forMessage: rest.count, limit: 300_000))
      let written = rest.withUnsafeBytes { message in
        output.withUnsafeMutableBytes { encoder.write(message, limit: 300_000, unended: false, continues: pieces > 0, to: $0.baseAddress!) }
      }
      let object = try #require(try JSONSerialization.jsonObject(with: Data(output[..<written.count])) as? [String: Any])
      #expect(!written.isInvalid)
      #expect(object["unended"] as? Bool == (written.taken < rest.count ? true : nil))
      joined += try #require(object["message"] as? String)
      rest.removeFirst(written.taken)
      pieces += 1
    }
    #expect(pieces == 3)
    #expect(joined == text)
  }

  private func objects(_ scenario: TailScenario) throws -> [[String: Any]] {
    try scenario.output.records.map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
  }

  @Test func `each line is an object with time, host, path and message`() async throws {
    let scenario = try TailScenario { $0.format = .json }
    scenario.write("app.log", Array("one\r\n\ntw\to\n".utf8) + [0xFF, 10])
    try await scenario.pass()
    let objects = try objects(scenario)
    #expect(objects.compactMap { $0["message"] as? String } == ["one\r", "", "tw\to", "\u{FFFD}"])
    #expect(objects.allSatisfy { $0["host"] as? String == "host" && $0["path"] as? String == scenario.path("app.log") })
    #expect(objects.map { $0["invalid_utf8"] as? Bool } == [nil, nil, nil, true])
    #expect(objects[0]["timestamp"] as? String == "2026-09-01T12:16:40.000000Z")
  }

  @Test func `a kill at any write of JSON loses and doubles nothing`() async throws {
    let text = lines("line", 0..<12_000, width: 60)
    var killAt = 0
    while true {
      let scenario = try TailScenario {
        $0.format = .json
        $0.once = true
      }
      scenario.append("app.log", text)
      scenario.output.kill(atWrite: killAt)
      var wasKilled = false
      do { try await scenario.pass() } catch is CollectingOutput.Killed {
        wasKilled = true
        scenario.stop()
        scenario.output.kill(atWrite: nil)
        try await scenario.pass()
      }
      let messages = try objects(scenario).compactMap { $0["message"] as? String }
      #expect(messages.map { $0 + "\n" }.joined() == text)
      if !wasKilled { break }
      killAt += 1
    }
    #expect(killAt > 4)
  }

  @Test func `a long line is split and its pieces are marked`() async throws {
    let scenario = try TailScenario {
      $0.format = .json
      $0.maxLineBytes = 100
    }
    let long = String(repeating: "x", count: 250)
    scenario.append("app.log", "a\n" + long + "\nb\n")
    try await scenario.pass()
    let objects = try objects(scenario)
    #expect(
      objects.compactMap { $0["message"] as? String } == [
        "a", String(long.prefix(100)), String(long.prefix(100)), String(long.prefix(50)), "b",
      ])
    #expect(objects.map { $0["unended"] as? Bool } == [nil, true, true, nil, nil])
    #expect(objects.map { $0["continues"] as? Bool } == [nil, nil, true, true, nil])
    #expect(scenario.output.writes.allSatisfy { !$0.lastIsUnended && !$0.firstContinues }, "every object is a whole line")
  }

  @Test func `a line that escaping makes very long fits into a block`() async throws {
    let scenario = try TailScenario { $0.format = .json }
    scenario.write("app.log", [UInt8](repeating: 1, count: 6_000_000) + [10, 97, 10])
    try await scenario.pass()
    #expect(scenario.output.writes.allSatisfy { $0.lines.count < 64 << 20 })
    let messages = try objects(scenario).compactMap { $0["message"] as? String }
    #expect(messages.map(\.utf8.count).reduce(0, +) == 6_000_001)
  }
}

@Suite struct MultilineTests {
  private func scenario(_ start: String = #"^\d{4}-"#, _ configure: (inout FileTailSource.Configuration) -> Void = { _ in }) throws
    -> TailScenario
  {
    try TailScenario {
      $0.format = .json
      $0.multiline = .init(start: start, timeout: .seconds(1))
      configure(&$0)
    }
  }

  private func messages(_ scenario: TailScenario) throws -> [String] {
    try scenario.output.records.map { record in
      let object = try #require(try JSONSerialization.jsonObject(with: Data(record.utf8)) as? [String: Any])
      return try #require(object["message"] as? String)
    }
  }

  static let trace =
    "2026-09-01 ERROR boom\njava.lang.Error: boom\n\tat a.B.c(B.java:1)\n\n\tat a.B.d(B.java:2)\nCaused by: x\n\t... 2 more"

  @Test func `a stack trace is one record, ended by the next record's start`() async throws {
    let scenario = try scenario()
    scenario.append("app.log", Self.trace + "\n2026-09-02 INFO fine\n2026-09-03 INFO last\n")
    try await scenario.pass()
    #expect(try messages(scenario) == [Self.trace, "2026-09-02 INFO fine"])
    try await scenario.pass(after: .milliseconds(999))
    #expect(try messages(scenario).count == 2)
    try await scenario.pass(after: .milliseconds(1))
    #expect(try messages(scenario) == [Self.trace, "2026-09-02 INFO fine", "2026-09-03 INFO last"])
  }

  @Test func `a trace that comes line by line is joined while it keeps coming`() async throws {
    let scenario = try scenario()
    for line in Self.trace.split(separator: "\n", omittingEmptySubsequences: false) {
      scenario.append("app.log", line + "\n")
      try await scenario.pass(after: .milliseconds(900))
    }
    #expect(try messages(scenario).isEmpty)
    try await scenario.pass(after: .seconds(1))
    #expect(try messages(scenario) == [Self.trace])
  }

  @Test func `a pending record is not covered by the checkpoint`() async throws {
    let scenario = try scenario()
    scenario.append("app.log", "2026-a\n" + Self.trace + "\n")
    try await scenario.pass()
    scenario.stop()
    #expect(try messages(scenario) == ["2026-a"])
    scenario.append("app.log", "\tat more\n2026-z\n")
    try await scenario.pass()
    #expect(try messages(scenario) == ["2026-a", Self.trace + "\n\tat more"])
  }

  @Test func `lines before the first start are a record of their own`() async throws {
    let scenario = try scenario()
    scenario.append("app.log", "tail of\nsomething\n2026-a\n2026-b\n")
    try await scenario.pass()
    #expect(try messages(scenario) == ["tail of\nsomething", "2026-a"])
  }

  @Test func `the timeout leaves an unended line waiting, and the end of the file takes it along`() async throws {
    let scenario = try scenario()
    scenario.append("app.log", "2026-a\n more\n half")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(1))
    #expect(try messages(scenario) == ["2026-a\n more"])
    scenario.append("app.log", " done\n2026-b\n last")
    try await scenario.pass()
    #expect(try messages(scenario) == ["2026-a\n more", " half done"])
    scenario.delete("app.log")
    try await scenario.pass()
    #expect(try messages(scenario) == ["2026-a\n more", " half done", "2026-b\n last"])
  }

  @Test func `a joined record over the limit is cut between lines and counted`() async throws {
    let scenario = try scenario { $0.maxLineBytes = 100 }
    let line = String(repeating: "x", count: 39)
    scenario.append("app.log", "2026-a\n" + String(repeating: line + "\n", count: 5) + "2026-b\n2026-c\n")
    try await scenario.pass()
    #expect(try messages(scenario) == ["2026-a\n\(line)\n\(line)", "\(line)\n\(line)", line, "2026-b"])
    try await scenario.pass()
    #expect(scenario.source?.statistics.splitRecords == 2)
  }

  @Test func `a long pending record isn't matched from its start with each new line`() async throws {
    let scenario = try scenario()
    var text = "2026-a\n"
    scenario.append("app.log", text)
    for _ in 0..<30 {
      let more = String(repeating: " " + String(repeating: "y", count: 98) + "\n", count: 300)
      text += more
      scenario.append("app.log", more)
      try await scenario.pass(after: .milliseconds(500))
    }
    #expect(try messages(scenario).isEmpty)
    scenario.append("app.log", "2026-b\n")
    try await scenario.pass()
    #expect(try messages(scenario) == [String(text.dropLast())])
  }

  @Test func `a pattern that needs too many steps counts as not matching, and is counted`() async throws {
    let scenario = try scenario(#"^(a+)+$"#)
    scenario.append("app.log", "a\n" + String(repeating: "a", count: 60) + "b\na\n")
    try await scenario.pass()
    #expect(try messages(scenario).count == 1)
    #expect((scenario.source?.statistics.patternLimits ?? 0) > 0)
  }

  @Test(arguments: [("(", "pattern '('"), ("^a", "format: json")]) func `a mistake is told with its remedy`(_ start: String, _ part: String)
  {
    var configuration = FileTailSource.Configuration(name: "test", paths: ["a"], logger: LogLines().logger())
    configuration.multiline = .init(start: start)
    configuration.format = start == "(" ? .json : .raw
    #expect { try FileTailSource(configuration) } throws: { "\($0)".contains(part) }
  }
}
