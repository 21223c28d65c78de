import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Records that are sent under a key are there once, however often they are sent.
@Suite(.timeLimit(.minutes(2))) struct KeyTests {
  private func key(_ text: String, _ hash: [UInt8] = [1, 2, 3]) -> IdempotencyKey { IdempotencyKey(text, bodyHash: hash)! }

  private func range(_ lower: UInt64, _ upper: UInt64) -> Range<RecordBlocks.Offset> { Offset(lower)..<Offset(upper) }

  private func lines(_ queue: SegmentQueue) throws -> [Entry] {
    let reader = queue.reader()
    var entries: [Entry] = []
    var place = queue.startOffset
    while let batch = try reader.read(from: place, limits: BatchLimits(maxBytes: 1 << 20)) {
      entries += try batch.entries
      place = batch.next
    }
    return entries
  }

  /// Waits until so many wait for the first request under a key.
  private func until(_ count: Int, waitFor text: String, in queue: SegmentQueue) async {
    while queue.monitor.withLock({ $0.keysInFlight[text]?.count }) != count { await Task.yield() }
  }

  @Test func `a key is visible ASCII of 1 to 128 bytes, its hash at most 32`() {
    for text in ["a", "!~", String(repeating: "k", count: 128)] { #expect(IdempotencyKey(text, bodyHash: []) != nil) }
    for text in ["", " ", "a b", "a\n", "ä", "\u{7F}", String(repeating: "k", count: 129)] {
      #expect(IdempotencyKey(text, bodyHash: [1]) == nil, "'\(text)'")
    }
    #expect(IdempotencyKey("a", bodyHash: [UInt8](repeating: 1, count: 32)) != nil)
    #expect(IdempotencyKey("a", bodyHash: [UInt8](repeating: 1, count: 33)) == nil)
  }

  @Test func `what is sent again is not written again, also after a restart, a kill and a power cut`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    var writer = try queue.writer(source: "push")
    try await writer.writeDurably(numbered(0..<2))
    let first = try await writer.write(batch(numbered(2..<5)), key: key("one"))
    #expect(first == KeyedAppend(range: range(2, 5), wasThere: false))
    #expect(try await writer.write(batch(numbered(2..<5)), key: key("one")) == KeyedAppend(range: range(2, 5), wasThere: true))
    #expect(try await writer.write(batch(numbered(5..<6)), key: key("two")).range == range(5, 6))
    for kind in [CrashKind.everythingKept, .unsyncedLost] {
      var after = QueueFixture(fixture.disk.crash(kind))
      after.options = fixture.options
      let queue = try after.open()
      let writer = try queue.writer(source: "push")
      #expect(try await writer.write(batch(numbered(2..<5)), key: key("one")) == KeyedAppend(range: range(2, 5), wasThere: true))
      #expect(try lines(queue) == numbered(0..<6).map(Entry.line))
      await queue.close()
    }
    await queue.close()
    queue = try fixture.open()
    writer = try queue.writer(source: "push")
    #expect(try await writer.write(batch(numbered(5..<6)), key: key("two")) == KeyedAppend(range: range(5, 6), wasThere: true))
    #expect(try lines(queue) == numbered(0..<6).map(Entry.line))
    await queue.close()
    await #expect { try await writer.write(batch(numbered(5..<6)), key: key("two")) } throws: { ($0 as? QueueError)?.code == .closed }
  }

  @Test func `another body under the same key is a conflict, also after a restart`() async throws {
    let fixture = QueueFixture()
    for _ in 0..<2 {
      let queue = try fixture.open()
      let writer = try queue.writer(source: "push")
      try await writer.write(batch(numbered(0..<1)), key: key("one"))
      await #expect { try await writer.write(batch(numbered(1..<2)), key: key("one", [9])) } throws: { error in
        (error as? QueueError)?.code == .keyConflict && "\(error)".contains("'one'")
      }
      #expect(queue.durableEnd == Offset(1))
      await queue.close()
    }
  }

  @Test func `records that wait to share a block don't share that of a keyed body`() async throws {
    var fixture = QueueFixture()
    fixture.options.linger = .milliseconds(500)
    let queue = try fixture.open()
    let writer = try queue.writer(source: "push")
    try await writer.writeDurably(numbered(0..<1))
    let before = try await writer.write(batch(numbered(1..<3)), checkpoints: [])
    #expect(try await writer.write(batch(numbered(3..<5)), key: key("one")) == KeyedAppend(range: range(3, 5), wasThere: false))
    #expect(try await before.durableRange() == range(1, 3))
    #expect(queue.monitor.withLock { $0.table.keys.bodies.map(\.first) } == [Offset(3)])
    #expect(try lines(queue) == numbered(0..<5).map(Entry.line))
    await queue.close()
  }

  @Test func `a body without records is remembered like any other`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    #expect(
      try await queue.writer(source: "push").write(RecordBatch(), key: key("none")) == KeyedAppend(range: range(0, 0), wasThere: false))
    await queue.close()
    queue = try fixture.open()
    #expect(
      try await queue.writer(source: "push").write(RecordBatch(), key: key("none")) == KeyedAppend(range: range(0, 0), wasThere: true))
    await queue.close()
  }

  // MARK: In flight

  @Test func `who sends again before the first is on the disk waits for it, and gets its answer`() async throws {
    var fixture = QueueFixture()
    fixture.options.sync = .interval(.seconds(3600))
    let queue = try fixture.open()
    let writer = try queue.writer(source: "push")
    try await queue.synchronize()
    let first = Task { try await writer.write(batch(numbered(0..<3)), key: key("one")) }
    await until(0, waitFor: "one", in: queue)
    while queue.endOffset != Offset(3) { await Task.yield() }
    let others = (0..<5).map { _ in Task { try await writer.write(batch(numbered(0..<3)), key: key("one")) } }
    let another = Task { try await writer.write(batch(numbered(7..<9)), key: key("one", [7])) }
    let cancelled = Task { try await writer.write(batch(numbered(0..<3)), key: key("one")) }
    await until(7, waitFor: "one", in: queue)
    cancelled.cancel()
    await #expect(throws: CancellationError.self) { try await cancelled.value }
    await until(6, waitFor: "one", in: queue)
    try await queue.synchronize()
    #expect(try await first.value == KeyedAppend(range: range(0, 3), wasThere: false))
    for other in others { #expect(try await other.value == KeyedAppend(range: range(0, 3), wasThere: true)) }
    await #expect { try await another.value } throws: { ($0 as? QueueError)?.code == .keyConflict }
    #expect(queue.endOffset == Offset(3))
    #expect(queue.monitor.withLock { $0.keysInFlight.isEmpty })
    await queue.close()
  }

  /// Lines that hardly compress.
  private func noise(_ byteCount: Int) -> RecordBatch {
    var random = SplitMix64(seed: 7)
    return batch(
      (0..<byteCount / 64).map { _ in (0..<4).map { _ in String(random.next() | 1 << 63, radix: 16) }.joined().prefix(63) }.map(String.init)
    )
  }

  @Test func `when the first is given up before it was written, the next one is written`() async throws {
    var fixture = QueueFixture()
    fixture.options.maxSize = 1 << 20
    fixture.options.segmentSize = 64 << 10
    let queue = try fixture.open()
    let writer = try queue.writer(source: "push")
    let consumer = try queue.consumer("archive", kind: .sink)
    let filling = Task { for _ in 0..<60 { try await writer.write(noise(128 << 10), checkpoints: []) } }
    // Full, and with as much in memory as there may be.
    while !queue.isFull || queue.status().inFlightBytes + (200 << 10) < SegmentQueue.inFlightLimit { await Task.yield() }
    let first = Task { try await writer.write(noise(512 << 10), key: key("one")) }
    await until(0, waitFor: "one", in: queue)
    let second = Task { try await writer.write(noise(512 << 10), key: key("one")) }
    await until(1, waitFor: "one", in: queue)
    first.cancel()
    await #expect(throws: CancellationError.self) { try await first.value }
    await until(0, waitFor: "one", in: queue)
    let draining = Task {
      while !Task.isCancelled {
        _ = try consumer.drain(committing: true)
        await Task.yield()
      }
    }
    try await fixture.ticking(queue) {
      try await filling.value
      let written = try await second.value
      #expect(!written.wasThere && written.range.count == (512 << 10) / 64)
    }
    draining.cancel()
    _ = try await draining.value
    await queue.close()
  }

  @Test func `a source that can't wait says that it dropped the body, and writes it when there is room`() async throws {
    var fixture = QueueFixture()
    fixture.options.maxSize = 1 << 20
    fixture.options.segmentSize = 64 << 10
    let queue = try fixture.open()
    let writer = try queue.writer(source: "push", whenFull: .dropNewest)
    let consumer = try queue.consumer("archive", kind: .sink)
    for number in 0..<100 where !queue.isFull {
      do { try await writer.write(noise(64 << 10), key: key("\(number)")) } catch { #expect((error as? QueueError)?.code == .full) }
    }
    #expect(queue.isFull)
    _ = await fixture.ticking(queue) {
      await #expect { try await writer.write(noise(64 << 10), key: key("late")) } throws: { ($0 as? QueueError)?.code == .full }
    }
    _ = try consumer.drain(committing: true)
    // Nobody writes: it finds by itself that there is room.
    while queue.isFull { await Task.yield() }
    #expect(try await writer.write(noise(64 << 10), key: key("late")).wasThere == false)
    #expect(try await writer.write(noise(64 << 10), key: key("late")).wasThere)
    await queue.close()
  }

  // MARK: For how long

  @Test func `a key is known for 24 hours in which the queue is open`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    var writer = try queue.writer(source: "push")
    try await writer.write(batch(numbered(0..<1)), key: key("one"))
    fixture.clock.advance(by: .seconds(24 * 3600))
    try await writer.writeDurably(numbered(1..<2))
    #expect(try await writer.write(batch(numbered(0..<1)), key: key("one")).wasThere)
    // The wall clock runs ahead: nothing is forgotten for that.
    fixture.clock.setWall(fixture.clock.wall() + 100 * 86_400 * 1_000_000_000)
    await queue.close()
    queue = try fixture.open()
    writer = try queue.writer(source: "push")
    #expect(try await writer.write(batch(numbered(0..<1)), key: key("one")).wasThere)
    fixture.clock.advance(by: .seconds(1))
    #expect(try await writer.write(batch(numbered(2..<3)), key: key("one", [9])) == KeyedAppend(range: range(2, 3), wasThere: false))
    #expect(try await writer.write(batch(numbered(2..<3)), key: key("one", [9])).wasThere)
    try await queue.seal()
    await queue.close()
    queue = try fixture.open()
    #expect(queue.monitor.withLock { $0.table.keys.bodies.map(\.first) } == [Offset(2)])
    await queue.close()
  }

  @Test func `the newest ten thousand are known, in the order in which they were written`() {
    var table = KeyTable()
    for number in 0..<10_001 {
      table.add(KeyedBody(key: "k\(number)", hash: [], first: Offset(UInt64(number)), recordCount: 1, openAge: 5))
    }
    #expect(table.count == 10_000 && table.bodies.count == 10_000)
    #expect(table.body("k0", at: 5) == nil && table.body("k1", at: 5)?.first == Offset(1) && table.body("k10000", at: 5) != nil)
    // What a snapshot tells again changes nothing.
    for body in table.bodies { table.add(body) }
    #expect(table.bodies.map(\.first.rawValue) == Array(1...10_000))
    // A key that was forgotten and written again is the newest.
    table.add(KeyedBody(key: "k0", hash: [1], first: Offset(20_000), recordCount: 1, openAge: 6))
    #expect(table.bodies.last?.key == "k0" && table.body("k1", at: 6) == nil)
    table.forget(at: 6 + KeyTable.lifetime)
    #expect(table.bodies.map(\.key) == ["k0"], "the others are a moment too old")
    #expect(table.byteCount == BlockEntry.key(table.bodies[0]).encodedByteCount)
    table.limit(toBytes: 0)
    #expect(table.count == 0 && table.byteCount == 0)
  }

  @Test func `ten thousand keys are a snapshot of many blocks, each within its header`() {
    var table = CheckpointTable()
    table.apply(
      (0..<10_000).map { number in
        let text = "\(number)-" + String(repeating: "k", count: 122)
        return .key(
          KeyedBody(
            key: text, hash: [UInt8](repeating: UInt8(number % 256), count: 32), first: Offset(UInt64(number)), recordCount: 1, openAge: 1))
      })
    let parts = table.snapshotParts()
    #expect(parts.count > 30)
    #expect(parts.allSatisfy { $0.reduce(0) { $0 + $1.encodedByteCount } <= BlockHeader.maximumEntryBytes })
    var again = CheckpointTable()
    for part in parts { again.apply(part) }
    #expect(again.keys.bodies == table.keys.bodies)
  }

  @Test func `keys outlive rolls, restarts and the deletion of their records`() async throws {
    var fixture = QueueFixture()
    fixture.options.segmentSize = 10_000
    var queue = try fixture.open()
    var writer = try queue.writer(source: "push")
    let pad = String(repeating: "-", count: 100)
    for number in 0..<80 {
      try await writer.write(batch(["body \(number)"]), key: key("\(number)\(pad)"))
      if number % 30 == 15 { try await queue.seal() }
    }
    #expect(queue.status().segmentCount > 2)
    _ = try queue.trim(before: queue.durableEnd)
    #expect(queue.startOffset > Offset(40))
    for _ in 0..<2 {
      for number in stride(from: 0, to: 80, by: 7) {
        let again = try await writer.write(batch(["body \(number)"]), key: key("\(number)\(pad)"))
        #expect(again == KeyedAppend(range: range(UInt64(number), UInt64(number) + 1), wasThere: true))
      }
      #expect(queue.durableEnd == Offset(80))
      await queue.close()
      queue = try fixture.open()
      writer = try queue.writer(source: "push")
    }
    await queue.close()
  }

  @Test func `in a queue of small segments the keys take at most 64 KiB of each`() async throws {
    var fixture = QueueFixture()
    fixture.options.segmentSize = 256 << 10
    let queue = try fixture.open()
    let writer = try queue.writer(source: "push")
    let pad = String(repeating: "-", count: 120)
    try await withThrowingTaskGroup { group in
      for number in 0..<600 { group.addTask { try await writer.write(batch(["\(number)"]), key: key("\(number)\(pad)")) } }
      try await group.waitForAll()
    }
    let (count, bytes) = queue.monitor.withLock { ($0.table.keys.count, $0.table.keys.byteCount) }
    #expect(bytes <= 64 << 10 && count > 300 && count < 600)
    #expect(queue.durableEnd == Offset(600))
    await queue.close()
  }

  @Test func `sealing merges the small blocks around a keyed one, never the keyed one`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    var writer = try queue.writer(source: "push")
    for number in 0..<30 {
      if number % 10 == 5 {
        try await writer.write(batch(["\(number)"]), key: key("\(number)"))
      } else {
        try await writer.writeDurably(["\(number)"])
      }
    }
    try await queue.seal()
    let segment = try #require(queue.store.all.first)
    #expect(segment.isSealed)
    let (file, byteCount, _) = try segment.open(in: queue.store.directory)
    var scanner = BlockScanner(file, queueID: queue.id, range: 0..<byteCount, expecting: .zero, headersOnly: true)
    var blocks: [(UInt64, UInt64, String?)] = []
    while case .header(let header, _)? = try scanner.next() {
      if header.kind == .lines { blocks.append((header.base.rawValue, header.offsetCount, header.keyedBody?.key)) }
    }
    let expected: [(UInt64, UInt64, String?)] = [
      (0, 5, nil), (5, 1, "5"), (6, 9, nil), (15, 1, "15"), (16, 9, nil), (25, 1, "25"), (26, 4, nil),
    ]
    #expect(blocks.elementsEqual(expected, by: ==), "\(blocks)")
    await queue.close()
    // Where the newest snapshot is lost, the older blocks tell.
    let segments = try fixture.disk.directory(fixture.path.appending("segments"), create: false)
    let last = try #require(try segments.names().last)
    let spoilt = try segments.open(last, .update)
    try spoilt.write([0xFF], at: 100)
    queue = try fixture.open()
    writer = try queue.writer(source: "push")
    #expect(try await writer.write(batch(["15"]), key: key("15")) == KeyedAppend(range: range(15, 16), wasThere: true))
    await queue.close()
  }
}
