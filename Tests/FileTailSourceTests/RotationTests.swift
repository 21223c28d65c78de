import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import FileTailSource

/// How a log is rotated.
enum Rotation: String, CaseIterable, Sendable {
  case renameAndCreate, renameWithDate, renameWithDateBeforeExtension, renameOutOfSight, copytruncate, deleteAndRecreate, renameAndCompress,
    copytruncateAndCompress

  /// Puts `name` away; whether unread bytes survive it anywhere in the directory.
  func perform(_ name: String, _ scenario: TailScenario) {
    switch self {
    case .renameAndCreate: scenario.rename(name, name + ".1")
    case .renameWithDate: scenario.rename(name, name + "-20260901")
    case .renameWithDateBeforeExtension: scenario.rename(name, "app-20260901.log")
    case .renameOutOfSight: scenario.rename(name, "archived")
    case .copytruncate:
      scenario.copy(name, name + ".1")
      scenario.truncate(name)
    case .deleteAndRecreate: scenario.delete(name)
    case .renameAndCompress:
      scenario.rename(name, name + ".1")
      scenario.gzip(name + ".1")
    case .copytruncateAndCompress:
      scenario.copy(name, name + ".1")
      scenario.truncate(name)
      scenario.gzip(name + ".1")
    }
  }

  var keepsUnreadBytes: Bool { self != .deleteAndRecreate }
}

@Suite struct RotationTests {
  /// What varies beside the kind of rotation.
  struct Setting: Sendable, CustomTestStringConvertible {
    var rotation: Rotation
    var paths: [String]
    var firstLines: Int
    var testDescription: String { "\(rotation.rawValue) \(paths) \(firstLines) lines" }
  }

  // Three lines are less than a full head, 100 are more than one.
  static let settings = Rotation.allCases.flatMap { rotation in
    [["app.log"], ["app*"]].flatMap { paths in [3, 100].map { Setting(rotation: rotation, paths: paths, firstLines: $0) } }
  }

  @Test(arguments: settings) func `a rotation while running gives each line once and in order`(_ setting: Setting) async throws {
    let scenario = try TailScenario(paths: setting.paths)
    scenario.append("app.log", lines("a", 0..<setting.firstLines))
    try await scenario.pass()
    setting.rotation.perform("app.log", scenario)
    scenario.append("app.log", lines("b", 0..<5))
    try await scenario.pass()
    scenario.append("app.log", lines("b", 5..<300))
    for _ in 0..<5 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<setting.firstLines) + lines("b", 0..<300))
  }

  @Test(arguments: settings) func `a rotation while it was down gives each line once and in order`(_ setting: Setting) async throws {
    let scenario = try TailScenario(paths: setting.paths)
    scenario.append("app.log", lines("a", 0..<setting.firstLines))
    try await scenario.pass()
    scenario.stop()
    if setting.rotation.keepsUnreadBytes { scenario.append("app.log", lines("late", 0..<50)) }
    setting.rotation.perform("app.log", scenario)
    scenario.append("app.log", lines("b", 0..<300))
    for _ in 0..<5 { try await scenario.pass(after: .seconds(3)) }
    let late = setting.rotation.keepsUnreadBytes ? lines("late", 0..<50) : ""
    #expect(scenario.text == lines("a", 0..<setting.firstLines) + late + lines("b", 0..<300))
  }

  @Test(arguments: settings) func `a kill at any write during a rotation loses and doubles nothing`(_ setting: Setting) async throws {
    var killedAt = 0
    while true {
      let scenario = try TailScenario(paths: setting.paths)
      scenario.output.kill(atWrite: killedAt)
      var wasKilled = false
      func pass() async throws {
        do { try await scenario.pass() } catch is CollectingOutput.Killed {
          wasKilled = true
          scenario.stop()
          scenario.output.kill(atWrite: nil)
          try await scenario.pass()
        }
      }
      scenario.append("app.log", lines("a", 0..<setting.firstLines))
      try await pass()
      scenario.append("app.log", lines("a", setting.firstLines..<setting.firstLines + 3))
      if !setting.rotation.keepsUnreadBytes { try await pass() }
      setting.rotation.perform("app.log", scenario)
      scenario.append("app.log", lines("b", 0..<5))
      try await pass()
      scenario.append("app.log", lines("b", 5..<10))
      for _ in 0..<4 {
        scenario.clock.advance(.seconds(3))
        try await pass()
      }
      #expect(scenario.text == lines("a", 0..<setting.firstLines + 3) + lines("b", 0..<10), "killed at write \(killedAt)")
      if !wasKilled { break }
      killedAt += 1
    }
    #expect(killedAt >= 3)
  }

  @Test func `two rotations while it was down are read in order when the patterns name the rotated files`() async throws {
    let scenario = try TailScenario(paths: ["app.log*"])
    scenario.append("app.log", lines("a", 0..<100))
    try await scenario.pass()
    scenario.stop()
    scenario.append("app.log", lines("a", 100..<200))
    scenario.rename("app.log", "app.log.1")
    scenario.append("app.log", lines("b", 0..<100))
    scenario.rename("app.log.1", "app.log.2")
    scenario.gzip("app.log.2")
    scenario.rename("app.log", "app.log.1")
    scenario.run("touch", "-d", "2026-01-01", scenario.path("app.log.1"))
    scenario.append("app.log", lines("c", 0..<100))
    for _ in 0..<3 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<200) + lines("b", 0..<100) + lines("c", 0..<100))
  }

  @Test(arguments: [["app.log"], ["app.log*"]]) func `a chain of rotations with compression is followed for many generations`(
    _ paths: [String]
  ) async throws {
    let scenario = try TailScenario(paths: paths)
    var expected = ""
    for generation in 0..<6 {
      let text = lines("g\(generation)", 0..<60)
      scenario.append("app.log", text)
      expected += text
      try await scenario.pass(after: .seconds(3))
      if generation >= 2 { scenario.delete("app.log.3.gz") }
      if generation >= 1 {
        scenario.rename("app.log.2.gz", "app.log.3.gz")
      }
      if generation >= 0 {
        scenario.rename("app.log", "app.log.1")
        try await scenario.pass(after: .seconds(3))
        scenario.gzip("app.log.1")
        scenario.rename("app.log.1.gz", "app.log.2.gz")
      }
    }
    for _ in 0..<5 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == expected)
    // Compressed files are closed when they are read, so nothing tells that one was deleted: its checkpoint stays as long as any missing one's.
    for _ in 0..<2 { try await scenario.pass(after: .seconds(8 * 86_400)) }
    #expect(scenario.output.checkpoints.count <= 4)
    #expect(scenario.text == expected)
  }

  @Test func `bytes written to the old file after its rotation are still read`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", lines("a", 0..<10))
    try await scenario.pass()
    scenario.rename("app.log", "app.log.1")
    scenario.append("app.log.1", lines("a", 10..<12))
    scenario.append("app.log", lines("b", 0..<2))
    try await scenario.pass()
    scenario.append("app.log.1", lines("late", 0..<1))
    try await scenario.pass(after: .seconds(30))
    #expect(scenario.text == lines("a", 0..<12) + lines("b", 0..<2) + lines("late", 0..<1))
  }

  @Test func `a file that is moved to another directory is read to its end through its descriptor`() async throws {
    let scenario = try TailScenario()
    scenario.makeDirectory("old")
    scenario.append("app.log", lines("a", 0..<10))
    try await scenario.pass()
    scenario.append("app.log", lines("a", 10..<20))
    scenario.rename("app.log", "old/app.log")
    scenario.append("app.log", lines("b", 0..<10))
    try await scenario.pass()
    scenario.append("old/app.log", lines("a", 20..<21))
    try await scenario.pass(after: .seconds(3))
    #expect(scenario.text == lines("a", 0..<20) + lines("b", 0..<10) + lines("a", 20..<21))
  }

  @Test func `bytes that came before a deletion are read through the open descriptor`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", "one\n")
    try await scenario.pass()
    scenario.append("app.log", "two\nunended")
    scenario.delete("app.log")
    try await scenario.pass()
    #expect(scenario.text == "one\ntwo\nunended")
    try await scenario.pass(after: .seconds(6))
    try await scenario.pass(after: .seconds(6))
    #expect(scenario.output.checkpoints.map(\.stream) == [0], "its checkpoint is forgotten")
  }

  @Test(arguments: [3, 100]) func `a truncated file that grows past the old position at once is read from its beginning`(_ count: Int)
    async throws
  {
    let scenario = try TailScenario()
    scenario.append("app.log", lines("a", 0..<count))
    try await scenario.pass()
    scenario.replace("app.log", lines("b", 0..<count + 50))
    try await scenario.pass()
    #expect(scenario.text == lines("a", 0..<count) + lines("b", 0..<count + 50))
    #expect(scenario.source?.statistics.truncatedFiles == 1)
  }

  @Test(arguments: [3, 100], [false, true]) func `a file rewritten to exactly its old length is read anew`(_ count: Int, _ isDown: Bool)
    async throws
  {
    let scenario = try TailScenario()
    scenario.append("app.log", lines("a", 0..<count))
    try await scenario.pass()
    if isDown { scenario.stop() }
    scenario.replace("app.log", lines("b", 0..<count))
    for _ in 0..<2 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<count) + lines("b", 0..<count))
  }

  @Test func `a rewritten end behind the same first kilobyte is told by the marker`() async throws {
    let scenario = try TailScenario()
    let head = lines("head", 0..<100)
    scenario.append("app.log", head + lines("a", 0..<100))
    try await scenario.pass()
    scenario.replace("app.log", head + lines("b", 0..<150))
    try await scenario.pass()
    #expect(scenario.text == head + lines("a", 0..<100) + head + lines("b", 0..<150))
  }

  @Test func `bytes that a truncation takes away unread are told as a gap`() async throws {
    let scenario = try TailScenario()
    scenario.append("app.log", "one\nunended")
    try await scenario.pass()
    scenario.replace("app.log", "2\n")
    try await scenario.pass()
    #expect(scenario.text == "one\n2\n")
    #expect(scenario.output.gaps.map(\.bytes) == [7])
    #expect(scenario.logs.count("truncated or deleted before they were read") == 1)
  }

  @Test(arguments: [false, true]) func `an inode that is given to another file starts a new stream`(_ isDown: Bool) async throws {
    let scenario = try TailScenario(paths: ["*.log"]) { $0.maxOpenFiles = 1 }
    scenario.append("a.log", lines("a", 0..<10))
    scenario.append("z.log", lines("z", 0..<10))
    try await scenario.pass()
    if isDown { scenario.stop() }
    // A hard link and a rewrite give a.log's very inode to another name and content, whatever the file system's allocator does.
    scenario.rename("a.log", "b.log")
    scenario.replace("b.log", lines("b", 0..<20))
    for _ in 0..<2 { try await scenario.pass(after: .seconds(3)) }
    let text = scenario.text
    #expect(text.contains(lines("b", 0..<20)))
    #expect(text.utf8.count == (lines("a", 0..<10) + lines("z", 0..<10) + lines("b", 0..<20)).utf8.count)
  }

  @Test func `files that were renamed before anyone looked are read, in order, though only the path is named`() async throws {
    let scenario = try TailScenario()
    try scenario.start(usesInotify: true)
    scenario.append("app.log", lines("a", 0..<3))
    try await scenario.pass()
    scenario.append("app.log", lines("a", 3..<5))
    for name in ["b", "c", "d"] {
      for number in [2, 1] where scenario.inode("app.log.\(number)") != 0 { scenario.rename("app.log.\(number)", "app.log.\(number + 1)") }
      scenario.rename("app.log", "app.log.1")
      scenario.append("app.log", lines(name, 0..<5))
    }
    for _ in 0..<3 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == ["a", "b", "c", "d"].map { lines($0, 0..<5) }.joined())
    scenario.append("app.log.1", lines("c", 5..<6))
    try await scenario.pass(after: .seconds(3))
    #expect(scenario.text.hasSuffix(lines("c", 5..<6)))
  }

  @Test func `a file that never had the path is not read when it is renamed`() async throws {
    let scenario = try TailScenario()
    try scenario.start(usesInotify: true)
    scenario.append("app.log", "one\n")
    try await scenario.pass()
    scenario.append("other.log", "two\n")
    scenario.rename("other.log", "app.log.1")
    for _ in 0..<3 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == "one\n")
  }

  @Test func `a file that was written and deleted between two looks is named`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    try scenario.start(usesInotify: true)
    try await scenario.pass()
    scenario.append("gone.log", "lost\n")
    scenario.append("gone.txt", "not ours\n")
    scenario.append("empty.log", "")
    for name in ["gone.log", "gone.txt", "empty.log"] { scenario.delete(name) }
    try await scenario.pass()
    #expect(scenario.logs.count("written and deleted before it was looked at") == 1)
    #expect(scenario.logs.count("gone.log") == 1)
  }

  @Test func `a closed file that grows and is deleted before the next look is named`() async throws {
    let scenario = try TailScenario(paths: ["*.log"]) { $0.maxOpenFiles = 1 }
    try scenario.start(usesInotify: true)
    scenario.append("a.log", "a\n")
    scenario.append("b.log", "b\n")
    for _ in 0..<2 { try await scenario.pass(after: .seconds(3)) }
    let open = try #require(scenario.engine?.open.values.first?.identity.path.lastComponent?.string)
    let closed = open == "a.log" ? "b.log" : "a.log"
    scenario.append(closed, "lost\n")
    scenario.delete(closed)
    try await scenario.pass(after: .seconds(3))
    #expect(scenario.logs.count("deleted while it was closed") == 1)
    // What was read to its end is nobody's loss.
    scenario.append("c.log", "c\n")
    try await scenario.pass(after: .seconds(3))
    scenario.delete(open)
    for _ in 0..<3 { try await scenario.pass(after: .seconds(6)) }
    #expect(scenario.logs.count("deleted") == 1)
  }

  @Test func `two names of one file are read once`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.append("a.log", "one\n")
    scenario.run("ln", scenario.path("a.log"), scenario.path("b.log"))
    scenario.run("ln", "-s", "a.log", scenario.path("c.log"))
    try await scenario.pass()
    scenario.append("b.log", "two\n")
    try await scenario.pass()
    #expect(scenario.text == "one\ntwo\n")
  }

  @Test func `a symbolic link that is turned to another file is followed there`() async throws {
    let scenario = try TailScenario(paths: ["current.log"])
    scenario.append("first", lines("a", 0..<5))
    scenario.run("ln", "-s", "first", scenario.path("current.log"))
    try await scenario.pass()
    scenario.append("first", lines("a", 5..<7))
    scenario.append("second", lines("b", 0..<5))
    scenario.run("ln", "-sfn", "second", scenario.path("current.log"))
    try await scenario.pass()
    #expect(scenario.text == lines("a", 0..<7) + lines("b", 0..<5))
  }

  @Test func `files with the same title line are told apart`() async throws {
    let scenario = try TailScenario(paths: ["*.csv"])
    for name in ["worker-1.csv", "worker-2.csv", "b.csv"] { scenario.append(name, "time,level,text\n") }
    try await scenario.pass()
    scenario.append("worker-3.csv", "time,level,text\n")
    scenario.append("b.csv", "1,info,b\n")
    try await scenario.pass()
    scenario.stop()
    scenario.append("worker-4.csv", "time,level,text\n")
    try await scenario.pass()
    #expect(scenario.output.records.count { $0 == "time,level,text" } == 5)
    #expect(scenario.output.records.count == 6)
  }

  /// What is looked at while copytruncate is at work, and whether the copy is compressed.
  static let races = [0, 1, 2, 3].flatMap { looks in
    [["app.log"], ["app.log*"]].flatMap { paths in [3, 100].flatMap { count in [false, true].map { (looks, paths, count, $0) } } }
  }

  @Test(arguments: races.indices) func `lines that are read between the copy and the truncation are not read again from the copy`(
    _ index: Int
  ) async throws {
    let (looks, paths, count, compresses) = Self.races[index]
    let scenario = try TailScenario(paths: paths)
    scenario.append("app.log", lines("a", 0..<count))
    try await scenario.pass()
    scenario.copy("app.log", "app.log.1")
    if looks & 1 != 0 { try await scenario.pass() }
    scenario.append("app.log", lines("a", count..<count + 5))
    // What comes to the original without being read is lost with copytruncate; read it, with or without a look at the copy.
    if looks & 2 != 0 { try await scenario.pass() } else { try await scenario.passWithoutScan("app.log") }
    scenario.truncate("app.log")
    if compresses { scenario.gzip("app.log.1") }
    scenario.append("app.log", lines("b", 0..<2))
    try await scenario.pass()
    scenario.append("app.log", lines("b", 2..<200))
    for _ in 0..<4 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<count + 5) + lines("b", 0..<200))
    scenario.stop()
    for _ in 0..<3 { try await scenario.pass(after: .seconds(3)) }
    #expect(scenario.text == lines("a", 0..<count + 5) + lines("b", 0..<200), "after a restart")
  }

  @Test(arguments: 1...12) func `a storm of rotations, kills and late writes loses and doubles nothing`(_ seed: UInt64) async throws {
    var random = SplitMix64(seed: seed)
    let scenario = try TailScenario(paths: seed % 2 == 0 ? ["app.log"] : ["app*"]) { $0.maxOpenFiles = seed % 3 == 0 ? 2 : 256 }
    var written = 0
    func write(_ name: String, _ count: Int) {
      scenario.append(name, lines("line", written..<written + count))
      written += count
    }
    func pass(kills: Bool) async throws {
      scenario.clock.advance(.milliseconds(Int64.random(in: 0...4000, using: &random)))
      if kills { scenario.output.kill(atWrite: scenario.output.writes.count + Int.random(in: 0...3, using: &random)) }
      do { try await scenario.pass() } catch is CollectingOutput.Killed { scenario.stop() }
      scenario.output.kill(atWrite: nil)
      if Int.random(in: 0..<6, using: &random) == 0 { scenario.stop() }
    }
    write("app.log", 5)
    for round in 0..<60 {
      write("app.log", Int.random(in: 1...120, using: &random))
      // A file outside the patterns can be known only when it was seen before it was rotated away.
      if seed % 2 == 0 { try await pass(kills: false) }
      if Bool.random(using: &random) { try await pass(kills: Bool.random(using: &random)) }
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        scenario.rename("app.log", "app.log-\(round)")
        if Bool.random(using: &random) { write("app.log-\(round)", 2) }
        write("app.log", 3)
      case 1:
        // Compressed at once, as logrotate does; nothing is written to it afterwards.
        scenario.rename("app.log", "app.log-\(round)")
        if Bool.random(using: &random) { try await pass(kills: true) }
        scenario.gzip("app.log-\(round)")
        write("app.log", 3)
      case 2:
        scenario.copy("app.log", "app.log-\(round)")
        scenario.truncate("app.log")
        if Bool.random(using: &random) { write("app.log", 3) }
        // A second rotation before a look at the first is beyond what a file outside the patterns can be known by.
        try await pass(kills: false)
        try await pass(kills: false)
      default: break
      }
      try await pass(kills: Bool.random(using: &random))
    }
    for _ in 0..<6 { try await scenario.pass(after: .seconds(6)) }
    let records = scenario.output.records
    #expect(records.count == written, "seed \(seed)")
    #expect(Set(records).count == written, "seed \(seed)")
    #expect(scenario.output.gaps.isEmpty, "seed \(seed)")
  }
}
