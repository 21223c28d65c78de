import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

@Suite(.timeLimit(.minutes(2))) struct QueueTests {
  @Test func `what was written is read in order, after a restart too`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await writer.writeDurably(numbered(0..<10), upTo: 10)
    try await writer.writeDurably(numbered(10..<11), upTo: 11)
    let consumer = try queue.consumer("archive", kind: .sink)
    #expect(try consumer.drain() == numbered(0..<11).map(Entry.line))
    try consumer.commit(Offset(4))
    await queue.close()

    queue = try fixture.open()
    #expect(try queue.writer(source: "app").count == 11)
    let again = try queue.consumer("archive", kind: .sink)
    #expect(again.cursor == Offset(4))
    #expect(try again.drain() == numbered(4..<11).map(Entry.line))
    await queue.close()
    #expect(fixture.notices.messages == [])
  }

  @Test func `kill -9 right after the acknowledgement loses nothing`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    try await queue.writer(source: "app").writeDurably(numbered(0..<100), upTo: 100)
    for kind in [CrashKind.everythingKept, .unsyncedLost] {
      var after = QueueFixture(fixture.disk.crash(kind))
      after.options = fixture.options
      let queue = try after.open()
      #expect(try queue.consumer("x", kind: .pull).drain() == numbered(0..<100).map(Entry.line))
      #expect(try queue.writer(source: "app").count == 100)
      #expect(queue.epoch == 2)
      await queue.close()
    }
    await queue.close()
  }

  @Test func `a queue that lost every segment is looked at without harm, and what it is known to have had is a gap`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    try await queue.writer(source: "app").writeDurably(numbered(0..<10), upTo: 10)
    try queue.consumer("archive", kind: .sink).commit(Offset(4))
    await queue.close()
    let segments = try fixture.disk.directory(fixture.path.appending("segments"), create: false)
    for name in try segments.names() { try segments.unlink(name) }
    try segments.sync()

    let files = try QueueFiles.open(fixture.path, fileSystem: fixture.disk)
    #expect(files.durableEnd == Offset(10) && files.segments.isEmpty)
    var entries: [Entry] = []
    try files.read(from: .zero) { batch in
      entries += try batch.entries
      return true
    }
    #expect(entries == [.gap(.lostTail, records: 10, bytes: 0)])
    #expect(try files.verify(progress: { _, _ in }, finding: { _ in }).blocks == 0)
    queue = try fixture.open()
    #expect(queue.durableEnd == Offset(10))
    await queue.close()
  }

  @Test func `a second opening is told who holds the queue`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    #expect { try fixture.open() } throws: { error in
      (error as? QueueError)?.code == .held && "\(error)".contains("pid ")
    }
    await queue.close()
    let second = try fixture.open()
    await second.close()
  }

  @Test func `segments roll by size and are sealed while the queue is in use`() async throws {
    var fixture = QueueFixture()
    fixture.options.segmentSize = 20_000
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    var written = 0
    while queue.status().segmentCount < 5 {
      try await writer.writeDurably(
        (0..<200).map { "\(written + $0) \(UInt64.random(in: 0 ... .max)) \(UInt64.random(in: 0 ... .max))" }, upTo: written + 200)
      written += 200
    }
    try await queue.seal()
    let names = try #require(fixture.disk.names(fixture.path.appending("segments")))
    #expect(names.filter { $0.hasSuffix(".gz") }.count >= 4)
    #expect(names.filter { $0.hasSuffix(".active") }.count == 1)
    let entries = try queue.consumer("x", kind: .pull).drain()
    #expect(entries.count == written)
    await queue.close()
  }

  @Test func `limits cut batches at whole blocks, and inside a block only when none fits`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    for start in [0, 10, 20] { try await writer.writeDurably(numbered(start..<start + 10)) }
    let consumer = try queue.consumer("x", kind: .pull)
    let snapped = try #require(try consumer.read(from: .zero, limits: BatchLimits(maxRecords: 25, maxBytes: 1 << 20)))
    #expect(snapped.next == Offset(20))
    let cut = try #require(try consumer.read(from: .zero, limits: BatchLimits(maxRecords: 3, maxBytes: 1 << 20)))
    #expect(cut.next == Offset(3) && cut.recordCount == 3)
    let single = try #require(try consumer.read(from: Offset(3), limits: BatchLimits(maxBytes: 1)))
    #expect(single.next == Offset(4))
    #expect(try consumer.drain(limits: BatchLimits(maxRecords: 7, maxBytes: 100)) == numbered(0..<30).map(Entry.line))
    await queue.close()
  }

  @Test func `a gap is an entry of the log with an offset of its own`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "network", whenFull: .dropNewest)
    try await writer.writeDurably(["a"])
    writer.recordGap(Gap(reason: .kernelDrop, records: 5, bytes: 500, firstTime: 1, lastTime: 2))
    writer.recordGap(Gap(reason: .kernelDrop, records: 2, bytes: 200, firstTime: 3, lastTime: 4))
    try await queue.synchronize()
    try await writer.writeDurably(["b"])
    let consumer = try queue.consumer("x", kind: .pull)
    #expect(Set(try consumer.drain()) == [.line("a"), .gap(.kernelDrop, records: 7, bytes: 700), .line("b")])
    #expect(queue.status().totalLost == 7)
    await queue.close()
  }

  @Test func `sources that are named one right after the other have numbers of their own`() async throws {
    let fixture = QueueFixture()
    let queue = try fixture.open()
    let writers = try (0..<400).map { try queue.writer(source: "source\($0)") }
    #expect(Set(writers.map(\.id)).count == 400)
    #expect(try (0..<400).map { try queue.writer(source: "source\($0)").id } == writers.map(\.id))
    await queue.close()
  }

  @Test func `synchronising covers a loss whose second was over before`() async throws {
    var fixture = QueueFixture()
    fixture.options.sync = .interval(.seconds(3600))
    let queue = try fixture.open()
    let writer = try queue.writer(source: "network")
    writer.recordGap(Gap(reason: .kernelDrop, records: 5, bytes: 500, firstTime: 1, lastTime: 2))
    fixture.clock.advance(by: .seconds(2))
    queue.clockChanged()
    while queue.endOffset == .zero { await Task.yield() }
    try await queue.synchronize()
    #expect(queue.durableEnd == Offset(1))
    await queue.close()
  }

  @Test func `an acknowledgement waits for the disk also when the batch joined an open block`() async throws {
    var fixture = QueueFixture()
    fixture.options.linger = .milliseconds(20)
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await fixture.ticking(queue, by: .milliseconds(1)) {
      for count in 1...20 {
        try await writer.writeDurably(["line \(count)"], upTo: count)
        #expect(queue.durableEnd >= Offset(UInt64(count)))
      }
    }
    await queue.close()
  }

  @Test func `a closed queue keeps nothing of itself, nor of its consumers`() async throws {
    let fixture = QueueFixture()
    weak var queue: SegmentQueue?
    weak var consumer: QueueConsumer?
    do {
      let opened = try fixture.open()
      let reading = try opened.consumer("archive", kind: .sink)
      (queue, consumer) = (opened, reading)
      try await opened.writer(source: "app").writeDurably(["line"], upTo: 1)
      #expect(try reading.read(from: .zero, limits: BatchLimits(maxBytes: 1 << 20)) != nil)
      await opened.close()
    }
    // Its threads are ending.
    while queue != nil { await Task.yield() }
    #expect(consumer == nil)
  }
}
