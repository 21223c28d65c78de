import Testing

@testable import FileTailSource

/// Bytes come out as they went in.
@Suite struct FidelityTests {
  static let contents: [(name: String, bytes: [UInt8])] = [
    ("empty lines", Array("\n\n\na\n\n".utf8)), ("blanks and tabs", Array("  a \t\n\t\n \n".utf8)),
    ("carriage returns", Array("a\r\n\r\nb\r\r\n".utf8)),
    ("NUL and ESC", [0, 10, 97, 0, 98, 10, 27, 91, 109, 10]),
    ("invalid UTF-8", [0xFF, 10, 0xC3, 10, 0xED, 0xA0, 0x80, 10, 0x80, 0xBF, 10]),
    ("every byte", Array(UInt8.min...UInt8.max) + [10]), ("a line of 100 KB", [UInt8](repeating: 120, count: 100_000) + [10, 97, 10]),
    ("a line of 5 MB among others", Array("a\n".utf8) + [UInt8](repeating: 121, count: 5_000_000) + Array("\nb\n".utf8)),
    ("a line as long as a batch", [UInt8](repeating: 122, count: 256 << 10) + [10, 98, 10]),
    ("a line one less than a batch", [UInt8](repeating: 122, count: (256 << 10) - 1) + [10, 98, 10]),
    ("many batches", Array(lines("line", 0..<60_000, width: 37).utf8)), ("nothing", []),
  ]

  @Test(arguments: contents.indices, [false, true]) func `a file comes out byte for byte`(_ index: Int, _ once: Bool) async throws {
    let row = Self.contents[index]
    let scenario = try TailScenario { $0.once = once }
    scenario.write("app.log", row.bytes)
    try await scenario.pass()
    #expect(same(scenario.output.reproduced, row.bytes), "\(row.name)")
    #expect(scenario.output.writes.reduce(0) { $0 + $1.recordCount } == row.bytes.count { $0 == 10 })
  }

  @Test(arguments: contents.indices) func `with once, a last line without line feed comes out too`(_ index: Int) async throws {
    let row = Self.contents[index]
    let scenario = try TailScenario { $0.once = true }
    let bytes = row.bytes + Array("unended".utf8)
    scenario.write("app.log", bytes)
    try await scenario.pass()
    #expect(same(scenario.output.reproduced, bytes), "\(row.name)")
    #expect(scenario.engine?.hasWork == false)
    scenario.stop()
    scenario.append("app.log", " no longer\nnext\n")
    try await scenario.pass()
    #expect(same(scenario.output.reproduced, bytes + Array(" no longer\nnext\n".utf8)), "\(row.name), continued")
  }

  @Test func `bytes that come in any portions come out the same`() async throws {
    let scenario = try TailScenario()
    let bytes = Array(lines("line", 0..<200, width: 33).utf8)
    var done = 0
    var portion = 1
    while done < bytes.count {
      let count = min(portion, bytes.count - done)
      scenario.write("app.log", Array(bytes[done..<done + count]))
      done += count
      portion = portion * 7 % 61 + 1
      try await scenario.pass()
      if done % 5 == 0 { scenario.stop() }
    }
    #expect(same(scenario.output.reproduced, bytes))
    #expect(scenario.output.writes.allSatisfy { !$0.lastIsUnended })
  }

  @Test func `a line that grows slowly to megabytes is delivered when it ends`() async throws {
    let scenario = try TailScenario()
    let part = [UInt8](repeating: 97, count: 70_000)
    for _ in 0..<40 {
      scenario.write("app.log", part)
      try await scenario.pass()
    }
    #expect(scenario.output.reproduced.isEmpty)
    scenario.append("app.log", "\nnext\n")
    try await scenario.pass()
    #expect(scenario.output.records.map(\.utf8.count) == [2_800_000, 4])
  }

  @Test(arguments: [64, 1000, 300_000]) func `a line over the limit is split, counted and not lost`(_ limit: Int) async throws {
    let scenario = try TailScenario { $0.maxLineBytes = limit }
    let long = (0..<limit * 3 + 5).map { UInt8(97 + $0 % 26) }
    let bytes = Array("short\n".utf8) + long + [10] + long.prefix(limit) + Array("\nlast\n".utf8)
    scenario.write("app.log", bytes)
    try await scenario.pass()
    #expect(same(scenario.output.reproduced, bytes))
    #expect(scenario.output.records.map(\.utf8.count) == [5, limit, limit, limit, 5, limit, 4])
    #expect(scenario.source?.statistics.splitRecords == 0, "counted with the next look")
    try await scenario.pass()
    #expect(scenario.source?.statistics.splitRecords == 3)
  }

  @Test func `a split keeps characters whole`() async throws {
    let scenario = try TailScenario { $0.maxLineBytes = 64 }
    let text = String(repeating: "€", count: 50) + "\n"
    scenario.append("app.log", text)
    try await scenario.pass()
    #expect(scenario.text == text)
    #expect(scenario.output.records.map(\.utf8.count) == [63, 63, 24])
  }

  @Test func `a kill at any write of a long file goes on exactly there`() async throws {
    let bytes = Array(lines("line", 0..<90_000, width: 40).utf8) + [UInt8](repeating: 98, count: 600_000) + [10] + Array("unended".utf8)
    var killAt = 0
    while true {
      let scenario = try TailScenario {
        $0.once = true
        $0.maxLineBytes = 200_000
      }
      scenario.write("app.log", bytes)
      scenario.output.kill(atWrite: killAt)
      do { try await scenario.pass() } catch is CollectingOutput.Killed {
        scenario.stop()
        scenario.output.kill(atWrite: nil)
        try await scenario.pass()
        #expect(same(scenario.output.reproduced, bytes), "killed at write \(killAt)")
        killAt += 1
        continue
      }
      #expect(same(scenario.output.reproduced, bytes))
      break
    }
    #expect(killAt > 15)
  }

  @Test func `a released line is not glued to another file's`() async throws {
    let scenario = try TailScenario(paths: ["*.log"]) { $0.idleFlush = .seconds(1) }
    scenario.append("a.log", "start of a")
    scenario.append("b.log", "start of b")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(2))
    scenario.append("a.log", ", end of a\n")
    try await scenario.pass()
    let continued = scenario.output.writes.last { $0.recordCount > 0 }
    #expect(continued?.firstContinues == (scenario.output.records.dropLast().last == "start of a"))
    #expect(scenario.output.records.count == 3)
  }

  /// Whether both are the same, without a failure that prints megabytes.
  private func same(_ bytes: [UInt8], _ others: [UInt8]) -> Bool { bytes == others }
}
