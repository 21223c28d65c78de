import Glibc
import RecordBlocks
import SystemPackage
import Testing

@testable import FileTailSource

/// Starting, many files, reboots, rights, and the running source.
@Suite struct LifeTests {
  @Test func `start_at end passes over what is there at the very first start and nothing later`() async throws {
    let scenario = try TailScenario(paths: ["*.log", "*.gz"]) { $0.startAt = .end }
    scenario.append("a.log", lines("old", 0..<100) + "begun")
    scenario.append("old", lines("old", 0..<100))
    scenario.gzip("old")
    try await scenario.pass()
    #expect(scenario.text == "")
    scenario.stop()
    scenario.append("a.log", " and ended\n")
    scenario.append("new.log", "while down\n")
    try await scenario.pass()
    scenario.append("newer.log", "while up\n")
    try await scenario.pass()
    #expect(scenario.output.records == ["begun and ended", "while down", "while up"])
    scenario.rename("a.log", "a.log.1")
    scenario.append("a.log", "after rotation\n")
    try await scenario.pass()
    #expect(scenario.output.records.last == "after rotation")
    #expect(scenario.output.records.count == 4)
  }

  @Test func `a crash in the middle of the very first start passes over no more than that`() async throws {
    let scenario = try TailScenario(paths: ["*.log"]) { $0.startAt = .end }
    for number in 0..<250 { scenario.append("\(number).log", "old\n") }
    scenario.output.kill(atWrite: 1)
    await #expect(throws: CollectingOutput.Killed.self) { try await scenario.pass() }
    scenario.stop()
    scenario.output.kill(atWrite: nil)
    for number in 0..<250 { scenario.append("\(number).log", "new\n") }
    try await scenario.pass()
    // The first hundred were remembered at their place; the others' first start is this one.
    #expect(scenario.output.records.filter { $0 == "old" }.isEmpty)
    #expect(scenario.output.records.count == 100)
  }

  @Test func `three thousand files are followed with 64 open`() async throws {
    let scenario = try TailScenario(paths: ["**/*.log"]) { $0.maxOpenFiles = 64 }
    var expected: Set<String> = []
    for round in 0..<3 {
      for number in 0..<3000 {
        let name = "file-\(number)"
        scenario.append("\(name).log", "\(name) round \(round)\n")
        expected.insert("\(name) round \(round)")
      }
      try await scenario.pass(after: .seconds(3))
      #expect(scenario.engine!.open.count <= 64)
      if round == 1 { scenario.stop() }
    }
    #expect(scenario.output.records.count == 9000)
    #expect(Set(scenario.output.records) == expected)
    #expect(scenario.output.checkpoints.count == 3001)
  }

  @Test func `descriptors go to files with unread bytes, so that their deletion loses nothing`() async throws {
    let scenario = try TailScenario(paths: ["*.log"]) { $0.maxOpenFiles = 4 }
    for number in 0..<20 { scenario.append("\(number).log", "one\n") }
    try await scenario.pass()
    for number in 0..<4 { scenario.append("\(number).log", "two\n") }
    scenario.engine?.scan()
    for number in 0..<4 { scenario.delete("\(number).log") }
    try await scenario.pass()
    #expect(scenario.output.records.count { $0 == "two" } == 4)
    #expect(scenario.output.gaps.isEmpty)
  }

  @Test func `a deleted file's descriptor is kept until it is read, and no other is opened past the bound`() async throws {
    let scenario = try TailScenario(paths: ["*.log"]) { $0.maxOpenFiles = 2 }
    scenario.append("a.log", "a1\n")
    scenario.append("b.log", "b1\n")
    try await scenario.pass()
    scenario.append("a.log", "a2\n")
    scenario.append("b.log", "b2\n")
    scenario.delete("a.log")
    scenario.delete("b.log")
    for number in 0..<10 { scenario.append("new\(number).log", "new\n") }
    for _ in 0..<4 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.output.records.sorted() == ["a1", "a2", "b1", "b2"] + Array(repeating: "new", count: 10))
  }

  @Test func `a file with a long backlog doesn't keep the others waiting`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.append("a.log", lines("a", 0..<200_000, width: 50))
    scenario.append("b.log", "b\n")
    try await scenario.pass()
    let place = try #require(scenario.output.writes.firstIndex { $0.lines == Array("b\n".utf8) })
    let before = scenario.output.writes[..<place].reduce(0) { $0 + $1.lines.count }
    #expect(before < TailEngine.turnBytes + 2 * RecordReader.batchBytes)
    #expect(scenario.output.records.count == 200_001)
  }

  @Test func `after a power loss it goes on at the newest checkpoint that still matches`() async throws {
    let scenario = try TailScenario()
    var text = ""
    for part in 0..<6 {
      let more = lines("p\(part)", 0..<50)
      text += more
      scenario.append("app.log", more)
      try await scenario.pass()
    }
    scenario.stop()
    // The end of the last part is gone, and the application went on in its new boot.
    scenario.boot = BootID(high: 2, low: 2)
    let kept = Array(text.utf8.prefix(text.utf8.count - 300))
    scenario.write("app.log", kept, append: false)
    scenario.append("app.log", "\nnew boot\n")
    try await scenario.pass()
    let afterLoss = Array(kept.suffix(kept.count - 5 * 1050)) + Array("\nnew boot\n".utf8)
    #expect(scenario.text == text + String(decoding: afterLoss, as: UTF8.self))
    #expect(scenario.logs.count("a power loss took back the end") == 1)
    #expect(scenario.logs.count("position=5250") == 1)
    scenario.append("app.log", "later\n")
    try await scenario.pass()
    #expect(scenario.output.records.last == "later")
  }

  @Test func `after a power loss without a matching checkpoint it begins anew and says so`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", lines("a", 0..<10))
    try await scenario.pass()
    scenario.stop()
    scenario.boot = BootID(high: 2, low: 2)
    scenario.replace("app.log", lines("a", 0..<4))
    try await scenario.pass()
    #expect(scenario.text == lines("a", 0..<10) + lines("a", 0..<4))
    #expect(scenario.logs.count("lines.repeated_at_most=4") == 1)
  }

  @Test func `another boot with an untouched file goes on as if nothing was`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", lines("a", 0..<10))
    try await scenario.pass()
    scenario.stop()
    scenario.boot = BootID(high: 2, low: 2)
    scenario.append("app.log", lines("a", 10..<20))
    try await scenario.pass()
    #expect(scenario.text == lines("a", 0..<20))
    #expect(scenario.logs.all().isEmpty)
  }

  @Test func `a missing file's stream is forgotten after the stated time, and found again before`() async throws {
    let scenario = try TailScenario { $0.forgetMissingAfter = .seconds(100) }
    scenario.append("app.log", lines("a", 0..<100))
    try await scenario.pass()
    scenario.stop()
    scenario.makeDirectory("away")
    scenario.rename("app.log", "away/app.log")
    try await scenario.pass()
    #expect(scenario.logs.count("can't be found") == 1)
    try await scenario.pass(after: .seconds(50))
    scenario.rename("away/app.log", "app.log")
    scenario.append("app.log", lines("a", 100..<101))
    try await scenario.pass()
    #expect(scenario.text == lines("a", 0..<101))
    scenario.stop()
    scenario.rename("app.log", "away/app.log")
    try await scenario.pass()
    #expect(scenario.output.checkpoints.count == 2)
    try await scenario.pass(after: .seconds(101))
    #expect(scenario.output.checkpoints.map(\.stream) == [0])
  }

  /// Moving away and back, with a pipe in its place meanwhile, growing in between; `descriptors` says whether the file is open then.
  private func moveAwayAndBack(descriptors: Int, _ pass: (TailScenario) async throws -> Void) async throws {
    let scenario = try TailScenario(paths: ["*.log"]) { $0.maxOpenFiles = descriptors }
    scenario.makeDirectory("away")
    scenario.append("a.log", lines("a", 0..<100))
    try await pass(scenario)
    scenario.append("b.log", lines("b", 0..<100))
    try await pass(scenario)
    for round in 0..<3 {
      scenario.rename("a.log", "away/a.log")
      try await pass(scenario)
      scenario.run("mkfifo", scenario.path("a.log"))
      try await pass(scenario)
      scenario.delete("a.log")
      scenario.rename("away/a.log", "a.log")
      try await pass(scenario)
      scenario.append("a.log", lines("a", 100 + round..<101 + round))
      try await pass(scenario)
    }
    let expected = Set((lines("a", 0..<103) + lines("b", 0..<100)).split(separator: "\n").map(String.init))
    #expect(scenario.output.records.count == expected.count)
    #expect(Set(scenario.output.records) == expected)
    #expect(scenario.output.gaps.isEmpty)
  }

  @Test(arguments: [1, 2]) func `a file that is moved away and back is read once, open or closed`(_ descriptors: Int) async throws {
    try await moveAwayAndBack(descriptors: descriptors) { try await $0.pass() }
    // Longer than a file that left the patterns is kept open.
    try await moveAwayAndBack(descriptors: descriptors) { try await $0.pass(after: .seconds(5000)) }
    // A new process after each step.
    try await moveAwayAndBack(descriptors: descriptors) {
      try await $0.pass()
      $0.stop()
    }
  }

  @Test(arguments: [1, 2]) func `moved away and back it is read once also when the process dies at any write`(
    _ descriptors: Int
  ) async throws {
    var number = 0
    var reached = true
    while reached {
      reached = false
      try await moveAwayAndBack(descriptors: descriptors) { scenario in
        if !reached { scenario.output.kill(atWrite: number) }
        do { try await scenario.pass() } catch is CollectingOutput.Killed {
          reached = true
          scenario.output.kill(atWrite: nil)
          scenario.stop()
          try await scenario.pass()
        }
      }
      number += 1
    }
    #expect(number > 5)
  }

  @Test func `of a file that is missed only what was seen is told as lost, once, and its checkpoint stays the stated time`() async throws {
    let scenario = try TailScenario(paths: ["*.log"]) {
      $0.maxOpenFiles = 1
      $0.forgetMissingAfter = .seconds(100)
    }
    scenario.makeDirectory("away")
    scenario.append("a.log", "first\nbegun")
    try await scenario.pass()
    scenario.append("b.log", "b\n")
    try await scenario.pass()
    for _ in 0..<2 {
      scenario.rename("a.log", "away/a.log")
      try await scenario.pass()
      #expect(scenario.output.gaps.map(\.bytes) == [5])
      scenario.rename("away/a.log", "a.log")
      try await scenario.passWithoutScan("a.log")
    }
    scenario.append("a.log", " and ended\n")
    try await scenario.pass()
    #expect(scenario.output.records == ["first", "b", "begun and ended"])
    scenario.append("b.log", "b\n")
    try await scenario.pass()
    scenario.rename("a.log", "away/a.log")
    try await scenario.pass()
    try await scenario.pass(after: .seconds(99))
    #expect(scenario.output.checkpoints.map(\.stream) == [0, 1, 2])
    try await scenario.pass(after: .seconds(2))
    #expect(scenario.output.checkpoints.map(\.stream) == [0, 2])
  }

  @Test func `a deleted file's stream is forgotten when it was read to its end`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.append("a.log", "a\n")
    try await scenario.pass()
    scenario.delete("a.log")
    try await scenario.pass()
    #expect(scenario.output.checkpoints.map(\.stream) == [0, 1])
    try await scenario.pass(after: .seconds(6))
    #expect(scenario.output.checkpoints.map(\.stream) == [0])
  }

  @Test func `a file that was missing after a power loss goes on at the newest checkpoint that still matches`() async throws {
    let scenario = try TailScenario()
    scenario.makeDirectory("away")
    scenario.append("app.log", lines("a", 0..<100))
    try await scenario.pass()
    scenario.append("app.log", lines("a", 100..<200))
    try await scenario.pass()
    scenario.stop()
    scenario.boot = BootID(high: 2, low: 2)
    scenario.rename("app.log", "away/app.log")
    scenario.replace("away/app.log", lines("a", 0..<100))
    try await scenario.pass()
    scenario.rename("away/app.log", "app.log")
    try await scenario.pass()
    scenario.append("app.log", lines("a", 200..<201))
    try await scenario.pass()
    #expect(scenario.text == lines("a", 0..<201))
  }

  @Test func `an unreadable file is told once, retried, and read when it may be`() async throws {
    let scenario = try TailScenario()
    scenario.run("chmod", "755", scenario.directory.string)
    scenario.append("app.log", "secret\n")
    scenario.run("chmod", "000", scenario.path("app.log"))
    try scenario.start()
    for _ in 0..<3 {
      withoutRootsRights { scenario.engine?.scan() }
    }
    #expect(scenario.logs.count("can't be read and is skipped") == 1)
    #expect(scenario.logs.count("read access") == 1)
    try await scenario.pass()
    #expect(scenario.text == "secret\n")
  }

  @Test func `a copy made by hand is not read again, until it grows on its own`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.append("a.log", lines("a", 0..<100))
    try await scenario.pass()
    scenario.copy("a.log", "copy.log")
    for _ in 0..<4 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<100))
    scenario.append("copy.log", "own life\n")
    scenario.append("a.log", "own life of a\n")
    for _ in 0..<2 { try await scenario.pass(after: .seconds(3)) }
    #expect(Set(scenario.output.records.suffix(2)) == ["own life", "own life of a"])
    #expect(scenario.output.records.count == 102)
  }

  /// Root may read everything; this thread gives that up for a while (`man 2 setfsuid`).
  private func withoutRootsRights(_ body: () -> Void) {
    guard geteuid() == 0 else { return body() }
    typealias SetFileSystemUser = @convention(c) (uid_t) -> Int32
    let setUser = unsafeBitCast(dlsym(nil, "setfsuid"), to: SetFileSystemUser.self)
    _ = setUser(65534)
    body()
    _ = setUser(0)
  }

  // MARK: - The running source, with the machine's clock and inotify

  private func run(_ scenario: TailScenario, until enough: () -> Bool) async throws {
    let source = try FileTailSource(scenario.configuration)
    let output = scenario.output
    let checkpoints = output.checkpoints
    let thread = OwnThread()
    let task = Task.detached(executorPreference: thread) { try await source.run(from: checkpoints, into: output) }
    let deadline = ContinuousClock.now + .seconds(240)
    while !enough(), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(2)) }
    #expect(enough())
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    thread.end()
  }

  @Test(arguments: [true, false]) func `changes are seen with inotify, and without it by the rescan`(_ usesInotify: Bool) async throws {
    let scenario = try TailScenario(paths: ["**/*.log"])
    scenario.configuration.usesInotify = usesInotify
    scenario.configuration.rescanInterval = usesInotify ? .seconds(3600) : .milliseconds(5)
    scenario.append("app.log", "one\n")
    var step = 0
    try await run(scenario) {
      let count = scenario.output.records.count
      if count == 1, step == 0 {
        step = 1
        scenario.append("app.log", "two\n")
      } else if count == 2, step == 1 {
        step = 2
        scenario.rename("app.log", "app.log.1")
        scenario.append("app.log", "three\n")
      } else if count == 3, step == 2 {
        step = 3
        scenario.makeDirectory("sub")
        scenario.append("sub/new.log", "four\n")
      }
      return count == 4
    }
    #expect(scenario.output.records == ["one", "two", "three", "four"])
  }

  @Test func `an overflow of the kernel's queue makes it look at all files anew`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.configuration.rescanInterval = .seconds(3600)
    scenario.append("a.log", "a0\n")
    scenario.append("b.log", "b0\n")
    try scenario.start(usesInotify: true)
    try await scenario.engine?.pass(into: scenario.output)
    let limit = try #require(Int(String(decoding: contents("/proc/sys/fs/inotify/max_queued_events"), as: UTF8.self).filter(\.isNumber)))
    // Changes of one file in a row are told as one, so two files take turns.
    for _ in 0..<(limit / 2 + 10) {
      scenario.append("a.log", "a\n")
      scenario.append("b.log", "b\n")
    }
    scenario.append("new.log", "new\n")
    let deadline = ContinuousClock.now + .seconds(240)
    while !scenario.output.records.contains("new"), ContinuousClock.now < deadline {
      try await scenario.engine?.pass(into: scenario.output)
    }
    #expect(scenario.logs.count("inotify's queue ran over") == 1)
    #expect(scenario.output.records.count == 3 + 2 * (limit / 2 + 10))
  }

  private func contents(_ path: String) -> [UInt8] {
    let file = open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(file, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
  }

  @Test func `a run with once returns when all is handed over`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.configuration.once = true
    scenario.append("a.log", "a\nunended")
    let source = try FileTailSource(scenario.configuration)
    try await source.run(from: [], into: scenario.output)
    #expect(scenario.text == "a\nunended")
  }

  static let mistakes: [(String, @Sendable (inout FileTailSource.Configuration) -> Void)] = [
    ("no paths", { $0.paths = [] }), ("max_line", { $0.maxLineBytes = 10 }), ("max_line", { $0.maxLineBytes = 1 << 30 }),
    ("open files", { $0.maxOpenFiles = 0 }), ("without its ']'", { $0.paths = ["a[b"] }), ("without its ']'", { $0.exclude = ["a[b"] }),
  ]

  @Test(arguments: mistakes.indices) func `a configuration that can't run is refused with the remedy`(_ index: Int) {
    var configuration = FileTailSource.Configuration(name: "test", paths: ["a"], logger: LogLines().logger())
    Self.mistakes[index].1(&configuration)
    #expect { try FileTailSource(configuration) } throws: { "\($0)".contains(Self.mistakes[index].0) }
  }
}
