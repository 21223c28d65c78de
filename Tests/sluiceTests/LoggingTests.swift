internal import Glibc
internal import Logging
internal import Testing

@testable internal import sluice

@Suite struct RepeatLimiterTests {
  private let second: UInt64 = 1_000_000_000

  @Test func `the first few of a subject pass and the rest is told once with its count`() {
    var limiter = RepeatLimiter<Int>()
    let passed = (1...20).filter { limiter.admits("disk", $0, now: 0) }
    #expect(passed == [1, 2, 3, 4, 5])
    #expect(limiter.due(now: 9 * second).isEmpty)
    let due = limiter.due(now: 10 * second)
    #expect(due.map(\.line) == [20])
    #expect(due.map(\.count) == [15])
  }

  @Test func `while a subject goes on each period has one summary`() {
    var limiter = RepeatLimiter<Int>()
    for line in 1...6 { _ = limiter.admits("disk", line, now: 0) }
    _ = limiter.due(now: 10 * second)
    let passed = limiter.admits("disk", 7, now: 11 * second)
    #expect(!passed)
    #expect(limiter.due(now: 20 * second).map(\.line) == [7])
  }

  @Test func `a subject that has been quiet for a period starts afresh`() {
    var limiter = RepeatLimiter<Int>()
    for line in 1...5 { _ = limiter.admits("disk", line, now: 0) }
    #expect(limiter.due(now: 10 * second).isEmpty)
    let passed = limiter.admits("disk", 6, now: 10 * second)
    #expect(passed)
  }

  @Test func `subjects don't count for each other and are bounded`() {
    var limiter = RepeatLimiter<Int>()
    let passed = (0..<10_000).filter { limiter.admits("\($0)", $0, now: 0) }
    #expect(passed.count == 10_000)
    #expect(limiter.due(now: 0, all: true).isEmpty)
  }
}

@Suite struct LogFormatTests {
  private let line = LogLine(
    time: 1_788_264_000_123_000_000, level: .warning, label: "sluice", message: "a file can't\nbe read",
    metadata: [("path", .string("/var/log/a b\u{1B}")), ("sizes", .array([.string("1")])), ("source.name", .string("app"))])

  @Test func `text has time, level, message and facts, and no control characters`() {
    #expect(
      LogFormat.text.line(line)
        == #"2026-09-01T12:00:00.123Z warning a file can't\nbe read path="/var/log/a b\u{1b}" sizes="[\"1\"]" source.name=app"#)
  }

  @Test func `json is one object a line`() {
    #expect(
      LogFormat.json.line(line, count: 3)
        == #"{"time":"2026-09-01T12:00:00.123Z","level":"warning","logger":"sluice","message":"a file can't\nbe read","metadata":{"path":"/var/log/a b\u001b","sizes":["1"],"source.name":"app","repeated":"3"}}"#
    )
  }

  @Test func `a line's subject is its message and its part of the pipeline`() {
    var other = line
    other.metadata[0].1 = .string("/elsewhere")
    #expect(other.subject == line.subject)
    other.metadata[2].1 = .string("network")
    #expect(other.subject != line.subject)
  }

  @Test func `a logger's own facts and the line's are merged`() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    var logger = ProcessLog(format: .json, output: DiagnosticOutput(descriptor: ends[1])).logger("test", level: .info)
    logger[metadataKey: "queue"] = "app"
    logger.debug("not shown")
    logger.info("shown", metadata: ["offset": "7"])
    close(ends[1])
    var buffer = [UInt8](repeating: 0, count: 1000)
    let count = read(ends[0], &buffer, buffer.count)
    let text = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    #expect(text.hasSuffix(#""level":"info","logger":"test","message":"shown","metadata":{"offset":"7","queue":"app"}}"# + "\n"))
    #expect(text.count { $0 == "\n" } == 1)
  }
}
