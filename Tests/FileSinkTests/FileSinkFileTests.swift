import DurableFiles
import PipelineCore
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import FileSink

@Suite struct `The files of a file sink` {
  /// 2026-09-01 12:00:00 UTC.
  let noon: Int64 = 1_788_264_000
  let day: Int64 = 86_400

  @Test(arguments: ["app.log", "app.log.gz"])
  func `A file that would outgrow its limit is followed by the next number, and none is over the limit`(_ name: String) async throws {
    var queue = TestQueue()
    var random = SplitMix64(seed: 7)
    for _ in 0..<40 { queue.append((0..<40).map { _ in String(random.next()) }) }
    let fixture = SinkFixture()
    let driver = SinkDriver(queue)
    driver.maxRecords = 100
    driver.deliveriesPerCommit = 4
    try await driver.run(try fixture.sink(name, rotateBytes: 3000))
    let names = try fixture.names()
    #expect(names.count > 3)
    #expect(
      names.prefix(3)
        == (name == "app.log" ? ["app.log", "app.0001.log", "app.0002.log"] : ["app.log.gz", "app.0001.log.gz", "app.0002.log.gz"]))
    for name in names { #expect(try fixture.read(name).count <= 3000) }
    let written = name == "app.log" ? try fixture.readAll() : try fixture.zcatAll()
    #expect(try written == queue.bytes)
  }

  @Test func `A block larger than the limit gets a file of its own`() async throws {
    var queue = TestQueue()
    for index in 0..<3 { queue.append([String(repeating: "\(index)", count: 100)]) }
    let fixture = SinkFixture()
    try await SinkDriver(queue).run(try fixture.sink(rotateBytes: 10))
    #expect(try fixture.names().count == 3)
    #expect(try fixture.readAll() == queue.bytes)
  }

  @Test func `Names follow the time at which blocks were appended, and never go back`() async throws {
    var queue = TestQueue()
    for (text, days) in [("a", 0), ("b", 0), ("c", 1), ("late", 0), ("d", 1), ("e", 3)] {
      queue.append([text], at: noon + Int64(days) * day)
    }
    let fixture = SinkFixture()
    try await SinkDriver(queue).run(try fixture.sink("%Y/%m/app-%d.log"))
    #expect(try fixture.names() == ["2026"])
    #expect(try text(fixture.read("2026/09/app-01.log")) == "a\nb\n")
    #expect(try text(fixture.read("2026/09/app-02.log")) == "c\nlate\nd\n")
    #expect(try text(fixture.read("2026/09/app-04.log")) == "e\n")
  }

  @Test func `A name that comes again gets a number`() async throws {
    var queue = TestQueue()
    for days in 0..<3 { queue.append(["day \(days)"], at: noon + Int64(days) * day) }
    let fixture = SinkFixture()
    try await SinkDriver(queue).run(try fixture.sink("app-%H.log", rotateBytes: 1000))
    #expect(try fixture.names() == ["app-12.log"])
    var nights = TestQueue()
    for half in 0..<4 { nights.append(["half \(half)"], at: noon + Int64(half) * day / 2) }
    let other = SinkFixture()
    try await SinkDriver(nights).run(try other.sink("app-%H.log"))
    #expect(try other.names() == ["app-00.log", "app-00.0001.log", "app-12.log", "app-12.0001.log"])
    #expect(try text(other.read("app-12.0001.log")) == "half 2\n")
  }

  @Test func `A line that continues stays in its file, whatever time and size say`() async throws {
    var queue = TestQueue()
    queue.append(["abc"], at: noon, unended: true)
    queue.append(["def", "g"], at: noon + day, unended: true, continues: true)
    queue.append(["h"], at: noon + day)
    let fixture = SinkFixture()
    try await SinkDriver(queue).run(try fixture.sink("app-%d.log", rotateBytes: 4))
    #expect(try fixture.names() == ["app-01.log", "app-02.log"])
    #expect(try text(fixture.read("app-01.log")) == "abcdef\ng\n")
    #expect(try text(fixture.read("app-02.log")) == "h\n")
  }

  @Test(arguments: ["app-%d.log", "app-%d.log.gz"])
  func `A file whose last line waited for more ends with a line feed when another file is begun`(_ template: String) async throws {
    var queue = TestQueue()
    queue.append(["a"], at: noon, unended: true)
    queue.append(["b"], at: noon + day)
    queue.append(["c"], at: noon + day, unended: true)
    queue.append(["d"], at: noon + 2 * day, source: 2, unended: true)
    let fixture = SinkFixture()
    let driver = SinkDriver(queue)
    // A block a delivery, so that the line feed goes into a file that was synced and committed before.
    driver.maxRecords = 1
    try await driver.run(try fixture.sink(template))
    #expect(try fixture.names().count == 3)
    let written = template.hasSuffix(".gz") ? try fixture.zcatAll() : try fixture.readAll()
    #expect(text(written) == "a\nb\nc\nd")
  }

  @Test func `The line feed that a file may still need counts for its limit`() async throws {
    var queue = TestQueue()
    queue.append(["1234"], at: noon)
    queue.append(["6789"], at: noon, unended: true)
    queue.append(["next"], at: noon)
    let fixture = SinkFixture()
    try await SinkDriver(queue).run(try fixture.sink(rotateBytes: 9))
    #expect(try fixture.names().map { try text(fixture.read($0)) } == ["1234\n", "6789\n", "next\n"])
  }

  @Test func `Files of others are left alone: the next free number is taken, with a word about it`() async throws {
    var queue = TestQueue()
    for index in 0..<3 { queue.append(["line \(index)"]) }
    let fixture = SinkFixture()
    try fixture.plant("app.log", "theirs\n")
    try fixture.plant("app.0002.log", "")
    let log = LogRecorder()
    try await SinkDriver(queue).run(try fixture.sink(rotateBytes: 10, logger: log.logger))
    #expect(try fixture.names() == ["app.log", "app.0001.log", "app.0002.log", "app.0003.log", "app.0004.log"])
    #expect(try text(fixture.read("app.log")) == "theirs\n")
    #expect(try fixture.read("app.0002.log") == [])
    #expect(try text(fixture.readAll()) == "theirs\nline 0\nline 1\nline 2\n")
    #expect(log.contains("notice: a file is already there; the output goes to the next free number file.path=\(fixture.outputs)/app.log"))
  }

  @Test func `Links in a file's or directory's place are not followed`() async throws {
    var queue = TestQueue()
    queue.append(["line"])
    let fixture = SinkFixture()
    try fixture.plant("victim", "")
    _ = try run("/bin/ln", ["-s", "victim", fixture.outputs.appending("app.log").string])
    try await SinkDriver(queue).run(try fixture.sink())
    #expect(try fixture.read("victim") == [])
    #expect(try text(fixture.read("app.0001.log")) == "line\n")
    _ = try run("/bin/ln", ["-s", "/tmp", fixture.outputs.appending("2026").string])
    let stopped = await #expect(throws: SinkDriver.Stopped.self) {
      try await SinkDriver(queue).run(try fixture.sink("%Y/app.log", consumer: "other"))
    }
    #expect(stopped?.error.advice == .waitForOperator)
    #expect(stopped?.error.message.contains("2026") == true)
  }

  @Test func `Two sinks never write one file`() async throws {
    var queue = TestQueue()
    queue.append(["line"])
    let fixture = SinkFixture()
    let first = try fixture.sink()
    let driver = SinkDriver(queue)
    try await driver.run(first)
    let stopped = await #expect(throws: SinkDriver.Stopped.self) {
      try await SinkDriver(queue, from: driver.committed).run(try fixture.sink())
    }
    #expect(stopped?.error.advice == .waitForOperator)
    #expect(stopped?.error.message.contains("another process, or another sink of this one, is writing \(fixture.outputs)/app.log") == true)
    await first.close()
    try await SinkDriver(queue, from: driver.committed).run(try fixture.sink())
  }

  @Test func `Only the newest files are kept, and only the sink's own are deleted`() async throws {
    var queue = TestQueue()
    for index in 0..<10 { queue.append(["line \(index)"]) }
    let fixture = SinkFixture()
    try fixture.plant("app.0003.log", "theirs\n")
    try fixture.plant("older.log", "theirs\n")
    let driver = SinkDriver(queue)
    try await driver.run(try fixture.sink(rotateBytes: 7, maxFiles: 3))
    #expect(try fixture.names() == ["app.0003.log", "app.0008.log", "app.0009.log", "app.0010.log", "older.log"])
    #expect(try text(fixture.read("app.0010.log")) == "line 9\n")
    // A lower limit is met when the sink goes on.
    queue.append(["more"])
    try await SinkDriver(queue, from: driver.committed).run(try fixture.sink(rotateBytes: 7, maxFiles: 1))
    #expect(try fixture.names() == ["app.0003.log", "app.0011.log", "older.log"])
    let manifest = try OutputManifest(of: "archive", in: LocalFileSystem().directory(fixture.states, create: false))
    #expect(manifest.entries.last?.number == 11)
  }

  @Test func `Deleting waits until the new file is committed`() async throws {
    var queue = TestQueue()
    queue.append(["one"])
    queue.append(["two"])
    let fixture = SinkFixture()
    let sink = try fixture.sink(rotateBytes: 4, maxFiles: 1)
    try await SinkDriver(queue.prefix(1)).run(sink)
    let second = try #require(queue.delivery(from: Offset(1)))
    #expect(try await sink.deliver(second) == Offset(1))
    _ = try await sink.sync()
    // Before the commit a crash would go back to the old file.
    #expect(try fixture.names() == ["app.log", "app.0001.log"])
    #expect(try await sink.deliver(second) == Offset(2))
    #expect(try fixture.names() == ["app.0001.log"])
  }

  @Test func `A change of file waits for sync and commit before anything is written`() async throws {
    var queue = TestQueue()
    queue.append(["one"])
    queue.append(["two"])
    let fixture = SinkFixture()
    let sink = try fixture.sink(rotateBytes: 4)
    try await sink.open(SinkStart(state: nil, cursor: .zero, queueHoldsCursor: true))
    let all = try #require(queue.delivery(from: .zero))
    #expect(try await sink.deliver(all) == Offset(0))
    #expect(try await sink.deliver(all) == Offset(0))
    #expect(try fixture.names() == [])
    let created = try FileSinkState(decoding: try await sink.sync().bytes)
    #expect(created.file?.length == 0)
    #expect(try await sink.deliver(all) == Offset(1))
    #expect(try text(fixture.readAll()) == "one\n")
    let changed = try FileSinkState(decoding: try await sink.sync().bytes)
    #expect(changed.name?.location.name == "app.0001.log")
    #expect(try await sink.deliver(#require(queue.delivery(from: Offset(1)))) == Offset(2))
    #expect(try text(fixture.read("app.0001.log")) == "two\n")
    #expect(sink.currentPath == fixture.outputs.appending("app.0001.log"))
  }
}
