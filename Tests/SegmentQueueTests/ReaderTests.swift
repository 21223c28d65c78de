import DurableFiles
import Glibc
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// What an HTTP server asks of a queue beside consumers: readers without a name, sealed files, the facts of a consumer.
@Suite(.timeLimit(.minutes(2))) struct ReaderTests {
  private let limits = BatchLimits(maxBytes: 1 << 20)

  private func bytes(_ range: Range<Int>) -> UInt64 { numbered(range).reduce(0) { $0 + UInt64($1.utf8.count) + 1 } }

  /// A queue with ten records in each of three sealed segments, and ten in the active one.
  private func filled(_ fixture: QueueFixture) async throws -> (SegmentQueue, SourceWriter) {
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    for start in [0, 10, 20, 30] {
      try await writer.writeDurably(numbered(start..<start + 10))
      if start < 30 { try await queue.seal() }
    }
    return (queue, writer)
  }

  @Test func `a reader begins where each call says, and tells how far it is from the end`() async throws {
    let fixture = QueueFixture()
    let (queue, _) = try await filled(fixture)
    let reader = queue.reader()
    for start in [35, 0, 22, 9, 40] {
      var place = Offset(UInt64(start))
      var entries: [Entry] = []
      while let batch = try reader.read(from: place, limits: BatchLimits(maxRecords: 7, maxBytes: 1 << 20)) {
        entries += try batch.entries
        place = batch.next
        let lag = queue.lag(from: batch)
        #expect(lag == (UInt64(40 - Int(place.rawValue)), bytes(Int(place.rawValue)..<40)))
      }
      #expect(entries == numbered(start..<40).map(Entry.line))
    }
    await queue.close()
  }

  @Test func `what was deleted is told exactly to one who goes on, and as exactly as anybody knows to others`() async throws {
    let fixture = QueueFixture()
    let (queue, writer) = try await filled(fixture)
    let going = queue.reader()
    let first = try #require(try going.read(from: Offset(3), limits: BatchLimits(maxRecords: 4, maxBytes: 1 << 20)))
    #expect(first.next == Offset(7))
    #expect(try queue.trim(before: Offset(20)) == Offset(20))
    #expect(try going.read(from: first.next, limits: limits)?.entries == [.gap(.retention, records: 13, bytes: bytes(7..<20))])
    #expect(try going.read(from: .zero, limits: limits)?.entries == [.gap(.retention, records: 20, bytes: bytes(0..<20))])
    let gone = try #require(try going.read(from: Offset(5), limits: limits))
    #expect(gone.next == Offset(20) && gone.recordCount == 0)
    #expect(try gone.entries == [.gap(.retention, records: 15, bytes: 0)])
    #expect(queue.lag(from: gone) == (20, bytes(20..<40)))
    #expect(try going.read(from: gone.next, limits: limits)?.first == Offset(20))
    // A gap of the log takes an offset and tells more records than that.
    writer.recordGap(Gap(reason: .kernelDrop, records: 5, bytes: 500, firstTime: 1, lastTime: 2))
    try await queue.synchronize()
    try await queue.seal()
    #expect(try queue.trim(before: Offset(41)) == Offset(41))
    #expect(try going.read(from: .zero, limits: limits)?.entries == [.gap(.retention, records: 45, bytes: bytes(0..<40))])
    #expect(try going.read(from: Offset(39), limits: limits)?.entries == [.gap(.retention, records: 2, bytes: 0)])
    await queue.close()
  }

  @Test func `a damaged block is a gap for a reader`() async throws {
    let fixture = QueueFixture()
    var (queue, _) = try await filled(fixture)
    await queue.close()
    let segments = try fixture.disk.directory(fixture.path.appending("segments"), create: false)
    let name = try #require(try segments.names().first { $0.hasPrefix("00000000000000000010") })
    let file = try segments.open(name, .update)
    let size = try file.status().size
    let old = try file.read(4, at: size - 12)
    try file.write(old.map { ~$0 }, at: size - 12)
    queue = try fixture.open()
    let reader = queue.reader()
    #expect(try reader.read(from: .zero, limits: limits)?.entries == numbered(0..<10).map(Entry.line))
    #expect(try reader.read(from: Offset(10), limits: limits)?.entries == [.gap(.corruptBlock, records: 10, bytes: bytes(10..<20))])
    #expect(try reader.read(from: Offset(20), limits: limits)?.first == Offset(20))
    await queue.close()
  }

  @Test func `an idle reader keeps no deleted file open, and one that is gone is forgotten`() async throws {
    let directory = TemporaryDirectory()
    var options = QueueOptions()
    options.minFreeDisk = 0
    let queue = try SegmentQueue.open(directory.path.appending("queue"), name: "queue", options: options)
    let writer = try queue.writer(source: "app")
    for start in [0, 10] {
      try await writer.writeDurably(numbered(start..<start + 10))
      try await queue.seal()
    }
    try await writer.writeDurably(numbered(20..<21))
    do {
      let readers = (0..<5).map { _ in queue.reader() }
      // Not the newest ones, which are read from memory.
      queue.monitor.withLock { $0.trimRecent(to: 0) }
      for reader in readers { _ = try reader.read(from: Offset(3), limits: limits) }
      func openDeleted() -> [String] {
        let names = (try? LocalFileSystem().directory(FilePath("/proc/self/fd"), create: false).names()) ?? []
        return names.compactMap { name in
          var target = [CChar](repeating: 0, count: 4096)
          let count = readlink("/proc/self/fd/\(name)", &target, target.count - 1)
          let text = String(decoding: target.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
          return text.contains(directory.path.string) && text.hasSuffix(" (deleted)") ? text : nil
        }
      }
      _ = try queue.trim(before: Offset(20))
      #expect(openDeleted() == [])
      #expect(queue.readers.withLock { $0.count } == 5)
      withExtendedLifetime(readers) {}
    }
    #expect(queue.readers.withLock { $0.isEmpty })
    await queue.close()
  }

  // MARK: Appending

  @Test func `a batch is told its offsets, also in a block that it shares`() async throws {
    var fixture = QueueFixture()
    fixture.options.linger = .seconds(10)
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    // The first after a quiet spell goes at once; the others share a block.
    let tickets = [
      try await writer.write(batch(numbered(0..<3)), checkpoints: []), try await writer.write(batch(numbered(3..<4)), checkpoints: []),
      try await writer.write(RecordBatch(), checkpoints: [.set(stream: 1, identity: nil, value: [1])]),
      try await writer.write(batch(numbered(4..<9)), checkpoints: []),
    ]
    try await queue.synchronize()
    var ranges: [Range<UInt64>] = []
    for ticket in tickets {
      let range = try await ticket.durableRange()
      ranges.append(range.lowerBound.rawValue..<range.upperBound.rawValue)
    }
    #expect(ranges == [0..<3, 3..<4, 4..<4, 4..<9])
    let large = try await writer.write(batch((0..<5).map { "\($0)" + String(repeating: "x", count: 50_000) }), checkpoints: [])
    #expect(try await large.durableRange() == Offset(9)..<Offset(14))
    await queue.close()
  }

  // MARK: Sealed segments

  @Test func `sealed segments are listed and opened by their names, and nothing else is`() async throws {
    let fixture = QueueFixture()
    let (queue, _) = try await filled(fixture)
    let sealed = queue.sealedSegments
    #expect(sealed.map(\.base) == [Offset(0), Offset(10), Offset(20)] && sealed.map(\.end) == [Offset(10), Offset(20), Offset(30)])
    #expect(sealed.allSatisfy { $0.isSealed && $0.created == fixture.clock.wall() })
    for segment in sealed {
      let (file, byteCount) = try queue.openSegment(named: segment.name)
      #expect(byteCount == segment.byteCount && byteCount > 0)
      let (size, start) = (try file.status().size, try file.read(2, at: 0))
      #expect(size == byteCount && start == [0x1F, 0x8B])
    }
    let active = SegmentName(Offset(30), .active).text
    for name in [
      active, SegmentName(Offset(30), .sealed).text, "", ".", "../lock", "x.gz", "0.gz", sealed[0].name + "/", sealed[0].name + ".tmp",
    ] {
      #expect { try queue.openSegment(named: name) } throws: { ($0 as? QueueError)?.code == .unknownSegment }
    }
    let (kept, byteCount) = try queue.openSegment(named: sealed[0].name)
    _ = try queue.trim(before: Offset(10))
    #expect(queue.sealedSegments.map(\.base) == [Offset(10), Offset(20)])
    #expect { try queue.openSegment(named: sealed[0].name) } throws: { ($0 as? QueueError)?.code == .unknownSegment }
    let read = try kept.read(Int(byteCount), at: 0)
    #expect(read.count == Int(byteCount), "who has it open reads on")
    await queue.close()
  }

  // MARK: Consumers

  @Test func `asking for a consumer makes none and is no call`() async throws {
    let fixture = QueueFixture()
    let (queue, _) = try await filled(fixture)
    #expect { try queue.knownConsumer("job") } throws: { ($0 as? QueueError)?.code == .unknownConsumer }
    #expect { try queue.knownConsumer("../lock\n") } throws: { error in
      (error as? QueueError)?.code == .unknownConsumer && !"\(error)".contains("\n")
    }
    #expect(queue.consumerNames == [])
    let made = try queue.consumer("job", kind: .pull)
    fixture.clock.advance(by: .seconds(3600))
    let known = try queue.knownConsumer("job")
    #expect(known === made && known.status().silence == .seconds(3600))
    #expect(known.status().lagRecords == 40 && known.status().hold == .all)
    try known.changeHold(to: .bytes(1 << 20))
    #expect(known.status().hold == .bytes(1 << 20) && known.status().silence == .seconds(3600))
    _ = try known.read(from: known.cursor, limits: limits)
    #expect(known.status().silence == .zero, "reading is a call")
    await queue.close()
    let again = try fixture.open()
    #expect(try again.knownConsumer("job").hold == .bytes(1 << 20))
    await again.close()
  }

  @Test func `declaring a batch job at each start is no call of the job's`() async throws {
    let fixture = QueueFixture()
    var queue = try fixture.open()
    _ = try queue.consumer("job", kind: .pull)
    _ = try queue.consumer("archive", kind: .sink)
    for day in 1...3 {
      await queue.close()
      queue = try fixture.open()
      let (job, archive) = (try queue.consumer("job", kind: .pull), try queue.consumer("archive", kind: .sink))
      fixture.clock.advance(by: .seconds(86_400))
      // The queue's age is what its blocks tell.
      try await queue.writer(source: "app").writeDurably(numbered(0..<1))
      #expect(job.status().silence == .seconds(86_400 * day), "silence goes on over restarts")
      #expect(archive.status().silence == .zero, "a running sink is never silent")
    }
    await queue.close()
  }

  @Test func `a consumer whose records are gone says what it will be told`() async throws {
    let fixture = QueueFixture()
    let (queue, _) = try await filled(fixture)
    let job = try queue.consumer("job", kind: .pull)
    try job.commit(Offset(4))
    #expect(job.pendingLoss == nil)
    _ = try queue.trim(before: Offset(20))
    let loss = try #require(job.pendingLoss)
    #expect(loss.next == Offset(20) && loss.gap.records == 16 && loss.gap.bytes == bytes(4..<20))
    let told = try #require(try job.read(from: job.cursor, limits: limits))
    #expect(told.next == loss.next)
    guard case .gap(let gap) = told.content else {
      Issue.record("no gap")
      return
    }
    #expect(gap == loss.gap)
    try job.commit(told.next)
    #expect(job.pendingLoss == nil && job.status().lostRecords == 16)
    await queue.close()
  }
}
