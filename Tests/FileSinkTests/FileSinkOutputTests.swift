import PipelineCore
import RecordBlocks
import Testing

@testable import FileSink

@Suite struct `What a file sink writes` {
  /// Lines with everything that other systems stumble over.
  var hardLines: [[UInt8]] {
    [
      [], Array("\ttab and blanks  ".utf8), [0, 1, 0x1B, 0x0D], [0xFF, 0xFE, 0xC3], [], Array("ordinary".utf8),
      Array(repeating: 0x61, count: 100_000),
    ]
  }

  @Test(arguments: ["app.log", "app.log.gz"], [true, false])
  func `Lines come out byte for byte, whether their blocks are in memory, stored or cut`(_ name: String, _ inMemory: Bool) async throws {
    var queue = TestQueue()
    for index in 0..<20 {
      queue.append(
        bytes: hardLines + [Array("block \(index)".utf8)], codec: index % 2 == 0 ? .shared : BlockCodec(.zlib)!, inMemory: inMemory)
    }
    queue.append(bytes: [Array(repeating: 0x62, count: 5_000_000)])
    for maxRecords in [Int.max, 11, 1] {
      let fixture = SinkFixture()
      let driver = SinkDriver(queue)
      driver.maxRecords = maxRecords
      driver.deliveriesPerCommit = 3
      try await driver.run(try fixture.sink(name))
      let written = name.hasSuffix(".gz") ? try fixture.zcatAll() : try fixture.readAll()
      #expect(try written == queue.bytes)
      #expect(driver.errors.isEmpty)
    }
  }

  @Test func `A block's compressed data stands in the file as it was stored, under a plain header`() async throws {
    var queue = TestQueue()
    var random = SystemRandomNumberGenerator()
    var stored: [[UInt8]] = []
    for _ in 0..<3 {
      queue.append((0..<8000).map { _ in String(UInt64.random(in: 0 ... .max, using: &random)) })
      guard case .block(let block) = queue.entries.last else { continue }
      stored.append(block.deflated.data.array)
      #expect(block.header.lineByteCount > PieceWriter.memberLineBytes / 2)
    }
    let fixture = SinkFixture()
    try await SinkDriver(queue).run(try fixture.sink("app.log.gz"))
    let written = try fixture.read("app.log.gz")
    // One member a full block: header, data, trailer, and nothing else.
    var position = 0
    for data in stored {
      #expect(written[position..<position + 10].elementsEqual(GzipMember.header))
      #expect(written[(position + 10)...].starts(with: data))
      #expect(written[(position + 10 + data.count)...].starts(with: [0x03, 0x00]))
      position += 10 + data.count + 10
    }
    #expect(position == written.count)
  }

  @Test func `Small neighbouring blocks share a member`() async throws {
    var queue = TestQueue()
    for index in 0..<50 { queue.append(["line \(index)"]) }
    let fixture = SinkFixture()
    try await SinkDriver(queue).run(try fixture.sink("app.log.gz"))
    let written = try fixture.read("app.log.gz")
    #expect(
      written.count
        == queue.entries.reduce(20) { sum, entry in
          if case .block(let block) = entry { sum + block.deflated.data.count } else { sum }
        })
    #expect(try fixture.zcatAll() == queue.bytes)
  }

  @Test(arguments: ["app.log", "app.log.gz"])
  func `A record without a line feed gets one only when another record follows that doesn't continue it`(_ name: String) async throws {
    let cases: [(String, (inout TestQueue) -> Void)] = [
      ("a\nb", { $0.append(["a", "b"], unended: true) }),
      (
        "a\nbc\n",
        { queue in
          queue.append(["a", "b"], unended: true); queue.append(["c"], continues: true)
        }
      ),
      (
        "b\nc\n",
        { queue in
          queue.append(["b"], unended: true); queue.append(["c"])
        }
      ),
      // Another source's continuation is of its own record, not of this one.
      (
        "b\nc\n",
        { queue in
          queue.append(["b"], unended: true); queue.append(["c"], source: 2, continues: true)
        }
      ),
      (
        "b\nx\nc\n",
        { queue in
          queue.append(["b"], unended: true); queue.append(["x"], source: 2); queue.append(["c"], continues: true)
        }
      ),
      ("abcd", { queue in for text in ["a", "b", "c", "d"] { queue.append([text], unended: true, continues: text != "a") } }),
      ("", { $0.append([""], unended: true) }),
      (
        "\nb",
        { queue in
          queue.append([""], unended: true); queue.append(["b"], unended: true)
        }
      ),
      // What the queue lost may have been the middle of the line; what never reached it was not.
      (
        "a\nb\n",
        { queue in
          queue.append(["a"], unended: true); queue.appendGap(3, .retention); queue.append(["b"], continues: true)
        }
      ),
      (
        "ab\n",
        { queue in
          queue.append(["a"], unended: true); queue.appendGap(1, .kernelDrop); queue.append(["b"], continues: true)
        }
      ),
    ]
    for (expected, fill) in cases {
      var queue = TestQueue()
      fill(&queue)
      let fixture = SinkFixture()
      let driver = SinkDriver(queue)
      try await driver.run(try fixture.sink(name))
      let written = name.hasSuffix(".gz") && expected != "" ? try fixture.zcatAll() : try fixture.readAll()
      #expect(text(written) == expected)
      // The same with a new process for each delivery.
      let restarted = SinkFixture()
      var commit = SinkDriver.Commit(cursor: .zero, state: nil, time: 0)
      for end in 1...queue.entries.count {
        var part = TestQueue()
        fill(&part)
        let driver = SinkDriver(part.prefix(end), from: commit)
        try await driver.run(try restarted.sink(name))
        commit = driver.committed
      }
      let again = name.hasSuffix(".gz") && expected != "" ? try restarted.zcatAll() : try restarted.readAll()
      #expect(text(again) == expected)
    }
  }

  @Test func `Gaps are passed over, or written as one line of JSON`() async throws {
    var queue = TestQueue()
    queue.appendGap(2, .lostTail, at: 1_788_268_800)
    queue.append(["a"], unended: true)
    queue.appendGap(5, .kernelDrop)
    queue.append(["b"], continues: true)
    let silent = SinkFixture()
    try await SinkDriver(queue).run(try silent.sink())
    #expect(try text(silent.readAll()) == "ab\n")
    let told = SinkFixture()
    try await SinkDriver(queue).run(try told.sink("app-%Y.log.gz", writeGaps: true))
    #expect(try told.names() == ["app-2026.log.gz"])
    #expect(
      try text(told.zcatAll()) == """
        {"sluice_gap":{"first":0,"next":2,"reason":"lost_tail","records":2,"bytes":20,"first_time":"2026-09-01T13:20:00.000Z","last_time":"2026-09-01T13:20:00.000Z"}}
        a
        {"sluice_gap":{"first":3,"next":8,"reason":"kernel_drop","records":5,"bytes":50,"first_time":"2026-09-01T13:20:00.000Z","last_time":"2026-09-01T13:20:00.000Z"}}
        b

        """)
  }

  @Test func `Gaps alone make no file, and their commit is a state to start from`() async throws {
    var queue = TestQueue()
    queue.appendGap(2, .retention)
    let fixture = SinkFixture()
    let driver = SinkDriver(queue)
    try await driver.run(try fixture.sink())
    #expect(try fixture.names() == [])
    queue.append(["a"])
    let next = SinkDriver(queue, from: driver.committed)
    try await next.run(try fixture.sink())
    #expect(try text(fixture.readAll()) == "a\n")
  }

  @Test func `A block that can't be decompressed is told by itself, and what is before it is delivered`() async throws {
    var queue = TestQueue()
    queue.append(["before"])
    queue.append(["damaged"])
    queue.append(["after"])
    try queue.damage(1)
    let fixture = SinkFixture()
    let driver = SinkDriver(queue)
    let sink = try fixture.sink()
    let stopped = await #expect(throws: SinkDriver.Stopped.self) { try await driver.run(sink) }
    #expect(stopped?.error.advice == .unreadable(Offset(1)..<Offset(2)))
    #expect(stopped?.error.message.contains("records 1..<2") == true)
    #expect(driver.committed.cursor == Offset(1))
    // The runtime goes on after it without opening again.
    let rest = try #require(queue.delivery(from: Offset(2)))
    #expect(try await sink.deliver(rest) == Offset(3))
    #expect(try text(fixture.readAll()) == "before\nafter\n")
  }
}
