import DurableFiles
import PipelineCore
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import FileSink

@Suite struct `How a file sink goes on` {
  /// A sink that has delivered `committed`, committed, and then written `more` before it ended.
  func interrupted(
    _ fixture: SinkFixture, name: String = "app.log", committed: [String] = ["one"], more: [String] = ["two"]
  ) async throws -> (TestQueue, SinkDriver.Commit) {
    var queue = TestQueue()
    for line in committed { queue.append([line]) }
    let driver = SinkDriver(queue)
    let sink = try fixture.sink(name)
    try await driver.run(sink)
    for line in more { queue.append([line]) }
    if let rest = queue.delivery(from: driver.committed.cursor) { #expect(try await sink.deliver(rest) == queue.end) }
    await sink.close()
    return (queue, driver.committed)
  }

  @Test(arguments: ["app.log", "app.log.gz"])
  func `What isn't committed is cut off and written again`(_ name: String) async throws {
    let fixture = SinkFixture()
    let (queue, commit) = try await interrupted(fixture, name: name)
    try await SinkDriver(queue, from: commit).run(try fixture.sink(name))
    #expect(try fixture.names() == [name])
    #expect(try text(run("/bin/zcat", ["-f", fixture.outputs.appending(name).string])) == "one\ntwo\n")
  }

  @Test func `When the committed file can't be continued it is left as it is, and a warning says why`() async throws {
    let cases: [(String, (SinkFixture) throws -> Void, queueHolds: Bool, left: String?)] = [
      ("it is gone", { try $0.rename("app.log", to: "moved.log") }, true, nil),
      ("it is shorter (2 bytes) than what was committed (4 bytes)", { try $0.truncate("app.log", to: 2) }, true, "on"),
      (
        "another file has its name",
        {
          try $0.rename("app.log", to: "moved.log"); try $0.plant("app.log", "theirs and longer\n")
        }, true, "theirs and longer\n"
      ),
      ("what would be cut off (4 bytes) is no longer in the queue", { _ in }, false, "one\ntwo\n"),
      (
        "its name belongs to something else than a file",
        {
          try $0.rename("app.log", to: "moved.log"); _ = try run("/bin/mkdir", [$0.outputs.appending("app.log").string])
        }, true, nil
      ),
    ]
    for (reason, interfere, queueHolds, left) in cases {
      let fixture = SinkFixture()
      let (queue, commit) = try await interrupted(fixture)
      try interfere(fixture)
      let log = LogRecorder()
      let driver = SinkDriver(queue, from: commit)
      driver.queueHoldsCursor = queueHolds
      try await driver.run(try fixture.sink(logger: log.logger))
      #expect(
        log.contains(
          "warning: the output file can't be continued; a new one is begun file.path=\(fixture.outputs)/app.log reason=\(reason)"))
      if let left { #expect(try text(fixture.read("app.log")) == left) }
      #expect(try text(fixture.read("app.0001.log")) == "two\n")
    }
  }

  @Test func `Without a tail to cut the file goes on even when the queue has lost what follows`() async throws {
    let fixture = SinkFixture()
    let (_, commit) = try await interrupted(fixture, more: [])
    var queue = TestQueue()
    queue.append(["one"])
    queue.appendGap(1, .retention)
    queue.append(["three"])
    let driver = SinkDriver(queue, from: commit)
    driver.queueHoldsCursor = false
    try await driver.run(try fixture.sink())
    #expect(try fixture.names() == ["app.log"])
    #expect(try text(fixture.readAll()) == "one\nthree\n")
  }

  @Test func `After a tail was left in place a later start doesn't cut it off`() async throws {
    let fixture = SinkFixture()
    var (queue, commit) = try await interrupted(fixture)
    queue = TestQueue()
    queue.append(["one"])
    queue.appendGap(1, .retention)
    let driver = SinkDriver(queue, from: commit)
    driver.queueHoldsCursor = false
    try await driver.run(try fixture.sink())
    commit = driver.committed
    queue.append(["three"])
    try await SinkDriver(queue, from: commit).run(try fixture.sink())
    #expect(try text(fixture.read("app.log")) == "one\ntwo\n")
    #expect(try text(fixture.read("app.0001.log")) == "three\n")
  }

  @Test func `Another device number is no reason: it changes over a boot`() async throws {
    let files = SimulatedFileSystem()
    var queue = TestQueue()
    queue.append(["one"])
    func sink() throws -> FileSink {
      FileSink(
        .init(
          name: "archive", path: try PathTemplate("/out/app.log"), stateDirectory: try files.directory("/consumers", create: true),
          fileSystem: files,
          logger: .silent))
    }
    let driver = SinkDriver(queue)
    let first = try sink()
    try await driver.run(first)
    await first.close()
    files.device += 1
    queue.append(["two"])
    try await SinkDriver(queue, from: driver.committed).run(try sink())
    #expect(files.names("/out") == ["app.log"])
    #expect(files.contents("/out/app.log").map(text) == "one\ntwo\n")
  }

  @Test func `Without a state new files are begun beside the old ones`() async throws {
    let fixture = SinkFixture()
    _ = try await interrupted(fixture)
    var queue = TestQueue()
    queue.append(["anew"])
    try await SinkDriver(queue).run(try fixture.sink())
    #expect(try fixture.names() == ["app.log", "app.0001.log"])
    #expect(try text(fixture.readAll()) == "one\ntwo\nanew\n")
  }

  @Test func `A changed template begins a new file with the next record`() async throws {
    let fixture = SinkFixture()
    var (queue, commit) = try await interrupted(fixture, more: [])
    queue.append(["two"])
    try await SinkDriver(queue, from: commit).run(try fixture.sink("app-%Y.log.gz"))
    let names = try fixture.names()
    #expect(names == ["app-2026.log.gz", "app.log"])
    #expect(try text(fixture.read("app.log")) == "one\n")
    #expect(try text(run("/bin/zcat", [fixture.outputs.appending("app-2026.log.gz").string])) == "two\n")
  }

  @Test(arguments: ["moved", "cut", "appended"])
  func `A file that someone moves, cuts or writes to meanwhile costs no record`(_ what: String) async throws {
    let fixture = SinkFixture()
    var queue = TestQueue()
    queue.append(["one"])
    let sink = try fixture.sink()
    let driver = SinkDriver(queue)
    try await driver.run(sink)
    switch what {
    case "moved": try fixture.rename("app.log", to: "moved.log")
    case "cut": try fixture.truncate("app.log", to: 0)
    default: try LocalFileSystem().directory(fixture.outputs, create: false).open("app.log", .update).write(Array("theirs".utf8), at: 4)
    }
    queue.append(["two"])
    let second = SinkDriver(queue, from: driver.committed)
    second.triesLeft = 1
    // The sink is open still: no restart in between.
    let stopped = await #expect(throws: DeliveryError.self) {
      _ = try await sink.deliver(try #require(queue.delivery(from: Offset(1))))
      _ = try await sink.sync()
    }
    #expect(stopped?.advice == .retry(after: nil))
    try await second.run(sink)
    #expect(try text(fixture.read(what == "appended" ? "app.log" : "app.0001.log")) == (what == "appended" ? "one\ntwo\n" : "two\n"))
  }

  @Test func `A state or a manifest that isn't understood is refused with a remedy`() async throws {
    let fixture = SinkFixture()
    let sink = try fixture.sink()
    for bytes in [[2], [1, 2, 3]] as [[UInt8]] {
      let error = await #expect(throws: DeliveryError.self) {
        try await sink.open(SinkStart(state: SinkState(bytes), cursor: .zero, queueHoldsCursor: true))
      }
      #expect(error?.advice == .waitForOperator)
      #expect(error?.message.contains("'archive'") == true)
    }
    try LocalFileSystem().directory(fixture.states, create: true).replace("archive.files", with: Array("something else".utf8))
    let error = await #expect(throws: DeliveryError.self) {
      try await sink.open(SinkStart(state: nil, cursor: .zero, queueHoldsCursor: true))
    }
    #expect(error?.message.contains("archive.files is not a list of output files") == true)
  }
}
