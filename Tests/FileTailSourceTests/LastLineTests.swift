import Testing

@testable import FileTailSource

@Suite struct LastLineTests {
  @Test func `an unended last line waits for its line feed`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", "one\ntw")
    try await scenario.pass()
    for _ in 0..<10 { try await scenario.pass(after: .seconds(3600)) }
    #expect(scenario.text == "one\n")
    scenario.append("app.log", "o\n")
    try await scenario.pass()
    #expect(scenario.text == "one\ntwo\n")
    #expect(scenario.output.writes.allSatisfy { !$0.lastIsUnended && !$0.firstContinues })
  }

  @Test func `idle_flush delivers it, and what follows continues it`() async throws {
    let scenario = try TailScenario { $0.idleFlush = .seconds(10) }
    scenario.append("app.log", "one\ntw")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(9))
    #expect(scenario.text == "one\n")
    try await scenario.pass(after: .seconds(1))
    #expect(scenario.text == "one\ntw")
    scenario.stop()
    scenario.append("app.log", "o\nthree\n")
    try await scenario.pass()
    #expect(scenario.text == "one\ntwo\nthree\n")
  }

  @Test func `growth starts the idle time anew`() async throws {
    let scenario = try TailScenario { $0.idleFlush = .seconds(10) }
    scenario.append("app.log", "a")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(9))
    scenario.append("app.log", "b")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(9))
    #expect(scenario.text == "")
    try await scenario.pass(after: .seconds(1))
    #expect(scenario.text == "ab")
  }

  @Test func `five seconds after the replacement it is delivered, before the new file's lines`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", "one\ntw")
    try await scenario.pass()
    scenario.rename("app.log", "app.log.1")
    scenario.append("app.log", "three\n")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(4))
    #expect(scenario.text == "one\n")
    try await scenario.pass(after: .seconds(1))
    #expect(scenario.text == "one\ntw\nthree\n")
    #expect(scenario.output.records == ["one", "tw", "three"])
  }

  @Test func `completed within the five seconds, it is one line`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", "one\ntw")
    try await scenario.pass()
    scenario.rename("app.log", "app.log.1")
    scenario.append("app.log", "three\n")
    try await scenario.pass(after: .seconds(4))
    scenario.append("app.log.1", "o\n")
    try await scenario.pass()
    #expect(scenario.text == "one\ntwo\nthree\n")
    #expect(scenario.output.writes.allSatisfy { !$0.lastIsUnended })
  }

  @Test func `a chain of replaced files waits five seconds in all, not for each in turn`() async throws {
    let scenario = try TailScenario(paths: ["app.log"])
    for number in 0..<4 {
      scenario.append("app.log", "line \(number)\nunended \(number)")
      try await scenario.pass()
      scenario.rename("app.log", "app.log.\(number + 1)")
    }
    scenario.append("app.log", "last\n")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(5))
    // Files whose predecessors waited were first read just now; no time is added for that.
    #expect(scenario.text == "line 0\nunended 0\nline 1\nunended 1\nline 2\nunended 2\nline 3\nunended 3\nlast\n")
  }

  @Test func `a restart within the five seconds doesn't forget that the file was replaced`() async throws {
    let scenario = try TailScenario(paths: ["app.log*"])
    scenario.append("app.log", "one\ntw")
    try await scenario.pass()
    scenario.rename("app.log", "app.log.1")
    scenario.append("app.log", "three\n")
    try await scenario.pass()
    scenario.stop()
    try await scenario.pass()
    try await scenario.pass(after: .seconds(5))
    try await scenario.pass()
    #expect(scenario.output.records.sorted() == ["one", "three", "tw"])
  }

  @Test func `a deletion releases it at once`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", "one\ntw")
    try await scenario.pass()
    scenario.delete("app.log")
    try await scenario.pass()
    #expect(scenario.text == "one\ntw")
  }
}
