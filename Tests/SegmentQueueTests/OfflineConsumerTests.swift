import DurableFiles
import RecordBlocks
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Consumers that are away: one or all, for a minute or for ever. Producers don't notice while there is room, the others lose nothing by it,
/// and who comes back goes on where it was and is told exactly what it missed.
@Suite(.timeLimit(.minutes(2))) struct OfflineConsumerTests {
  private static let minute = Duration.seconds(60)
  private static let day = Duration.seconds(86_400)

  /// Numbered lines that hardly compress, so that sizes are foreseeable.
  private static func line(_ number: Int) -> String {
    let seed = UInt64(number)
    return "\(number) \(seed &* 0x9E37_79B9_7F4A_7C15) \((seed + 7) &* 0xD1B5_4A32_D192_ED03) \((seed + 3) &* 0xBF58_476D_1CE4_E5B9)"
  }

  private func lines(_ range: Range<Int>) -> [String] { range.map(Self.line) }

  private func byteCount(_ range: Range<Int>) -> UInt64 { range.reduce(0) { $0 + UInt64(Self.line($1).utf8.count) + 1 } }

  /// More than twice what `small` keeps.
  private static let plenty = 60_000

  private func small(_ change: (inout QueueOptions) -> Void = { _ in }) -> QueueFixture {
    var fixture = QueueFixture()
    fixture.options.maxSize = 1 << 20
    fixture.options.segmentSize = 64 << 10
    change(&fixture.options)
    return fixture
  }

  /// What a consumer was given, added up.
  private struct Given {
    var lines: [String] = []
    var gaps: [Entry] = []
    var lostRecords: UInt64 = 0
    var lostBytes: UInt64 = 0
    var bytes: UInt64 = 0

    init(_ entries: [Entry]) {
      for entry in entries {
        switch entry {
        case .line(let line):
          lines.append(line)
          bytes += UInt64(line.utf8.count) + 1
        case .gap(_, let records, let bytes):
          gaps.append(entry)
          lostRecords += records
          lostBytes += bytes
        }
      }
    }

    var records: UInt64 { UInt64(lines.count) + lostRecords }
    var reasons: Set<Gap.Reason> { Set(gaps.compactMap { if case .gap(let reason, _, _) = $0 { reason } else { nil } }) }
  }

  private func write(_ range: Range<Int>, _ writer: SourceWriter, step: Int = 1000, each: () throws -> Void = {}) async throws {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: step) {
      try await writer.writeDurably(lines(start..<min(start + step, range.upperBound)))
      try each()
    }
  }

  private func account(_ name: String, _ queue: SegmentQueue) throws -> ConsumerStatus {
    try #require(queue.status().consumers.first { $0.name == name })
  }

  /// Waits until the queue is full, or has taken everything without being so.
  private func untilFull(_ queue: SegmentQueue) async {
    while !queue.status().isFull, queue.durableEnd < Offset(UInt64(Self.plenty)) { await Task.yield() }
    #expect(queue.status().isFull)
  }

  // MARK: For how long

  @Test(arguments: [false, true]) func `away for a minute it goes on where it was`(_ overRestart: Bool) async throws {
    let fixture = small()
    var queue = try fixture.open()
    var writer = try queue.writer(source: "app")
    var job = try queue.consumer("job", kind: .pull)
    try await write(0..<2000, writer)
    let first = try #require(try job.read(from: .zero, limits: BatchLimits(maxRecords: 700, maxBytes: 1 << 20)))
    try job.commit(first.next)
    fixture.clock.advance(by: Self.minute)
    if overRestart {
      await queue.close()
      queue = try fixture.open()
      writer = try queue.writer(source: "app")
      job = try queue.consumer("job", kind: .pull)
    }
    try await write(2000..<3000, writer)
    #expect(try job.drain(committing: true) == lines(700..<3000).map(Entry.line))
    #expect(try account("job", queue).lostRecords == 0)
    #expect(fixture.notices.messages == [])
    await queue.close()
  }

  @Test func `away for longer than consumer_expiry it finds everything, as long as there is room`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let job = try queue.consumer("job", kind: .pull)
    try await write(0..<5000, writer)
    fixture.clock.advance(by: Self.day * 30)
    #expect(try account("job", queue).silence == Self.day * 30)
    queue.applyAge()
    #expect(try job.drain(committing: true) == lines(0..<5000).map(Entry.line))
    #expect(try account("job", queue).silence == .zero, "a call ends the silence")
    await queue.close()
  }

  @Test func `away for longer than consumer_expiry it stops nobody, and is told exactly what went`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let job = try queue.consumer("job", kind: .pull)
    let live = try queue.consumer("live", kind: .sink)
    try await write(0..<1000, writer)
    fixture.clock.advance(by: Self.day * 8)
    var seen = try live.drain(committing: true)
    try await write(1000..<Self.plenty, writer) {
      seen += try live.drain(committing: true)
      #expect(!queue.status().isFull)
    }
    #expect(seen == lines(0..<Self.plenty).map(Entry.line), "the other one has everything")
    let before = try account("job", queue)
    let given = Given(try job.drain(committing: true))
    #expect(given.reasons == [.retention] && given.gaps.count == 1)
    #expect(given.lostRecords > 0)
    #expect(given.records == UInt64(Self.plenty))
    #expect(given.lostBytes + given.bytes == byteCount(0..<Self.plenty))
    #expect(given.lines == lines(Int(given.lostRecords)..<Self.plenty), "all but the oldest")
    #expect(before.lostRecords == given.lostRecords && before.lagRecords == UInt64(given.lines.count), "its status told so before it asked")
    let after = try account("job", queue)
    #expect(after.lostRecords == given.lostRecords && after.lostBytes == given.lostBytes && after.lagRecords == 0)
    await queue.close()
  }

  @Test func `away for ever it fills the queue, by name, until consumer_expiry is over, and then a waiting writer goes on`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let job = try queue.consumer("job", kind: .pull)
    let writing = Task { try await self.write(0..<Self.plenty, writer) }
    await untilFull(queue)
    #expect(queue.status().fullBecauseOf == "job")
    #expect(queue.startOffset == .zero, "nothing of what it holds has gone")
    fixture.clock.advance(by: Self.day * 7 - Self.minute)
    queue.clockChanged()
    #expect(queue.startOffset == .zero)
    fixture.clock.advance(by: Self.minute * 2)
    queue.clockChanged()
    try await writing.value
    #expect(queue.status().totalRecords == UInt64(Self.plenty))
    #expect(queue.status().storedBytes <= fixture.options.maxSize)
    let given = Given(try job.drain(committing: true))
    #expect(given.records == UInt64(Self.plenty) && given.lostBytes + given.bytes == byteCount(0..<Self.plenty))
    #expect(given.lostRecords > 0 && given.reasons == [.retention])
    await queue.close()
  }

  @Test func `away for ever it is let go by deleting it, and a waiting writer goes on`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    _ = try queue.consumer("job", kind: .pull)
    let writing = Task { try await self.write(0..<Self.plenty, writer) }
    await untilFull(queue)
    try queue.deleteConsumer("job")
    try await writing.value
    #expect(queue.status().totalRecords == UInt64(Self.plenty))
    await queue.close()
  }

  // MARK: How many

  @Test func `one of three is away: the others have everything while it holds what it may, and it is told the rest`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let readers = try ["a", "b"].map { try queue.consumer($0, kind: .sink) }
    let away = try queue.consumer("away", kind: .pull, hold: .share(percent: 40))
    var seen: [[Entry]] = [[], []]
    try await write(0..<Self.plenty, writer) {
      for index in readers.indices { seen[index] += try readers[index].drain(committing: true) }
      #expect(!queue.status().isFull)
    }
    for index in readers.indices {
      #expect(seen[index] == lines(0..<Self.plenty).map(Entry.line))
      #expect(try account(readers[index].name, queue).lostRecords == 0)
    }
    let given = Given(try away.drain(committing: true))
    #expect(given.records == UInt64(Self.plenty) && given.lostBytes + given.bytes == byteCount(0..<Self.plenty))
    #expect(given.lostRecords > 0 && given.gaps.count == 1)
    await queue.close()
  }

  @Test func `one of three is away and holds all: the others have read everything when the writer waits, and go on with it`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let readers = try ["a", "b"].map { try queue.consumer($0, kind: .sink) }
    let away = try queue.consumer("away", kind: .sink)
    let writing = Task { try await self.write(0..<Self.plenty, writer) }
    var seen: [[Entry]] = [[], []]
    while !(queue.status().fullBecauseOf == "away") {
      for index in readers.indices { seen[index] += try readers[index].drain(committing: true) }
      await Task.yield()
    }
    for index in readers.indices { seen[index] += try readers[index].drain(committing: true) }
    #expect(Set(seen.map(\.count)).count == 1)
    var late: [Entry] = []
    while late.count < Self.plenty {
      late += try away.drain(committing: true)
      for index in readers.indices { seen[index] += try readers[index].drain(committing: true) }
      await Task.yield()
    }
    try await writing.value
    let expected = lines(0..<Self.plenty).map(Entry.line)
    #expect(late == expected)
    for index in readers.indices { #expect(seen[index] + (try readers[index].drain(committing: true)) == expected) }
    await queue.close()
  }

  @Test func `while all are away the writer waits for the first that comes back, and nobody has lost anything`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let all = try ["a", "b", "c"].map { try queue.consumer($0, kind: .sink) }
    let writing = Task { try await self.write(0..<Self.plenty, writer) }
    await untilFull(queue)
    #expect(["a", "b", "c"].contains(queue.status().fullBecauseOf))
    var seen: [[Entry]] = [[], [], []]
    // One alone frees nothing: the others still hold it all.
    seen[0] += try all[0].drain(committing: true)
    fixture.clock.advance(by: .seconds(2))
    queue.clockChanged()
    #expect(queue.startOffset == .zero)
    while seen.contains(where: { $0.count < Self.plenty }) {
      for index in all.indices { seen[index] += try all[index].drain(committing: true) }
      await Task.yield()
    }
    try await writing.value
    for entries in seen { #expect(entries == lines(0..<Self.plenty).map(Entry.line)) }
    await queue.close()
  }

  @Test func `while all are away for longer than consumer_expiry the writer never waits, and each is told what it missed`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let all = try ["a", "b", "c"].map { try queue.consumer($0, kind: .pull) }
    try await write(0..<100, writer)
    try all[1].commit(Offset(50))
    fixture.clock.advance(by: Self.day * 8)
    try await write(100..<Self.plenty, writer) { #expect(!queue.status().isFull) }
    for (consumer, start) in zip(all, [0, 50, 0]) {
      let given = Given(try consumer.drain(committing: true))
      #expect(given.records == UInt64(Self.plenty - start))
      #expect(given.lostBytes + given.bytes == byteCount(start..<Self.plenty))
      #expect(given.gaps.count == 1 && given.reasons == [.retention])
    }
    await queue.close()
  }

  @Test func `with nobody registered the oldest goes for what comes, and who comes then begins with the oldest kept`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await write(0..<Self.plenty, writer) { #expect(!queue.status().isFull) }
    fixture.clock.advance(by: Self.day * 400)
    queue.applyAge()
    let start = Int(queue.startOffset.rawValue)
    #expect(start > 0)
    #expect(queue.status().storedBytes > fixture.options.maxSize / 2, "nothing goes for its age alone: nobody has read it")
    let late = try queue.consumer("late", kind: .pull)
    #expect(try late.drain(committing: true) == lines(start..<Self.plenty).map(Entry.line))
    #expect(try account("late", queue).lostRecords == 0, "what was gone before it came is no loss of its own")
    await queue.close()
  }

  @Test func `with nobody registered max_age deletes`() async throws {
    let fixture = small { $0.maxAge = Self.day }
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    try await write(0..<5000, writer)
    try await queue.seal()
    fixture.clock.advance(by: Self.day * 2)
    queue.applyAge()
    #expect(queue.startOffset == Offset(5000))
    await queue.close()
  }

  // MARK: The host is off

  /// Whether the wall clock can be trusted or not: silence is only counted while the queue is open.
  @Test(arguments: [false, true]) func `a host that was off for a month makes no consumer silent`(_ isSynchronised: Bool) async throws {
    let fixture = small()
    fixture.clock.setSynchronised(isSynchronised)
    var queue = try fixture.open()
    var writer = try queue.writer(source: "app")
    _ = try queue.consumer("job", kind: .pull)
    try await write(0..<1000, writer)
    fixture.clock.advance(by: Self.day)
    // Twice: what was counted as closed once isn't silence at the next opening either.
    for _ in 0..<2 {
      await queue.close()
      fixture.clock.reboot(after: Self.day * 30)
      queue = try fixture.open()
      #expect(try account("job", queue).silence <= Self.day, "only the day before it was switched off")
    }
    writer = try queue.writer(source: "app")
    let written = queue.status().totalRecords
    let writing = Task { [writer] in try await self.write(Int(written)..<Self.plenty, writer) }
    await untilFull(queue)
    #expect(queue.status().fullBecauseOf == "job")
    #expect(queue.startOffset == .zero, "it still holds everything")
    let job = try queue.consumer("job", kind: .pull)
    var seen: [Entry] = []
    while job.cursor < Offset(UInt64(Self.plenty)) {
      seen += try job.drain(committing: true)
      await Task.yield()
    }
    try await writing.value
    #expect(seen == lines(0..<Self.plenty).map(Entry.line))
    await queue.close()
  }

  @Test func `time while the host was on and the queue closed is no silence either, a week open is`() async throws {
    let fixture = small()
    fixture.clock.setSynchronised(true)
    var queue = try fixture.open()
    _ = try queue.consumer("job", kind: .pull)
    try await write(0..<10, try queue.writer(source: "app"))
    for _ in 0..<4 {
      fixture.clock.advance(by: Self.day * 2)
      try await write(10..<20, try queue.writer(source: "app"))
      await queue.close()
      fixture.clock.advance(by: Self.day * 100)
      queue = try fixture.open()
    }
    #expect(try account("job", queue).silence == Self.day * 8)
    await queue.close()
  }

  @Test func `a month off is age when the clock is synchronised, and no age when it isn't`() async throws {
    for isSynchronised in [false, true] {
      let fixture = small { $0.maxAge = Self.day * 7 }
      fixture.clock.setSynchronised(isSynchronised)
      var queue = try fixture.open()
      _ = try queue.consumer("job", kind: .pull)
      try await write(0..<1000, try queue.writer(source: "app"))
      try await queue.seal()
      await queue.close()
      fixture.clock.reboot(after: Self.day * 30)
      queue = try fixture.open()
      try await write(1000..<1001, try queue.writer(source: "app"))
      queue.applyAge()
      let job = try queue.consumer("job", kind: .pull)
      let given = Given(try job.drain(committing: true))
      #expect(given.records == 1001)
      #expect(given.lostRecords == (isSynchronised ? 1000 : 0))
      await queue.close()
    }
  }

  // MARK: What it is told

  /// What each hold, overflow and kind of source leads to.
  private struct Policy: CustomTestStringConvertible {
    var hold: Hold
    var overflow: QueueOptions.Overflow
    var whenFull: WhenFull
    /// Why the consumer that was away loses, if it does.
    var reason: Gap.Reason?

    var testDescription: String { "hold \(hold), overflow \(overflow), when_full \(whenFull)" }

    static let all: [Policy] = [
      Policy(hold: .all, overflow: .wait, whenFull: .wait, reason: nil),
      Policy(hold: .all, overflow: .wait, whenFull: .dropNewest, reason: .dropNewest),
      Policy(hold: .all, overflow: .dropOldest, whenFull: .wait, reason: .dropOldest),
      Policy(hold: .all, overflow: .dropOldest, whenFull: .dropNewest, reason: .dropOldest),
      Policy(hold: .bytes(300_000), overflow: .wait, whenFull: .wait, reason: .retention),
      Policy(hold: .bytes(300_000), overflow: .wait, whenFull: .dropNewest, reason: .retention),
      Policy(hold: .bytes(300_000), overflow: .dropOldest, whenFull: .wait, reason: .retention),
      Policy(hold: .bytes(0), overflow: .wait, whenFull: .wait, reason: .retention),
      Policy(hold: .share(percent: 1), overflow: .wait, whenFull: .wait, reason: .retention),
      Policy(hold: .share(percent: 50), overflow: .wait, whenFull: .wait, reason: .retention),
      Policy(hold: .share(percent: 100), overflow: .wait, whenFull: .wait, reason: nil),
      Policy(hold: .age(.seconds(300)), overflow: .wait, whenFull: .wait, reason: .retention),
      Policy(hold: .age(.seconds(86_400)), overflow: .wait, whenFull: .wait, reason: nil),
    ]
  }

  @Test(arguments: Policy.all) private func `who comes back is told exactly what it missed`(_ policy: Policy) async throws {
    let fixture = small { $0.overflow = policy.overflow }
    let queue = try fixture.open()
    let writer = try queue.writer(source: "app", whenFull: policy.whenFull)
    let away = try queue.consumer("away", kind: .sink, hold: policy.hold)
    let live = try queue.consumer("live", kind: .sink)
    let isDone = Mutex(false)
    let writing = Task {
      defer { isDone.withLock { $0 = true } }
      for start in stride(from: 0, to: Self.plenty, by: 1000) {
        let ticket = try await writer.write(batch(self.lines(start..<start + 1000)), checkpoints: [])
        // Records become older than a hold by age while more come in.
        fixture.clock.advance(by: .seconds(30))
        queue.clockChanged()
        do { try await ticket.durable() } catch let error as QueueError where error.code == .full {}
      }
    }
    var seen: [Entry] = []
    var given: [Entry] = []
    var filled = false
    while !isDone.withLock({ $0 }) {
      seen += try live.drain(committing: true)
      if policy.reason == nil, filled || queue.status().fullBecauseOf == "away" {
        filled = true
        given += try away.drain(committing: true)
      }
      await Task.yield()
    }
    try await writing.value
    #expect(filled == (policy.reason == nil), "the writer waits for a consumer that loses nothing")
    // A loss that found no room is written when there is some.
    for _ in 0..<2 {
      fixture.clock.advance(by: .seconds(5))
      queue.clockChanged()
      try await queue.synchronize()
    }
    given += try away.drain(committing: true)
    seen += try live.drain(committing: true)
    let told = Given(given)
    #expect(told.records == UInt64(Self.plenty), "records and gaps are what entered")
    #expect(told.bytes + told.lostBytes == byteCount(0..<Self.plenty))
    #expect(told.lostRecords > 0 || policy.reason == nil)
    if let reason = policy.reason { #expect(told.reasons.contains(reason)) } else { #expect(told.gaps == []) }
    // What it lost alone and what the log lost for all are two accounts.
    let status = queue.status()
    let its = try account("away", queue)
    #expect(its.lostRecords + status.totalLost == told.lostRecords)
    #expect(status.totalRecords + status.totalLost == UInt64(Self.plenty))
    let other = Given(seen)
    #expect(other.records == UInt64(Self.plenty) && other.bytes + other.lostBytes == byteCount(0..<Self.plenty))
    await queue.close()
  }

  @Test func `a gap of the log that goes with the records around it is told with them, and no loss counts twice`() async throws {
    let fixture = small { $0.maxAge = Self.day }
    let queue = try fixture.open()
    let writer = try queue.writer(source: "network")
    let away = try queue.consumer("away", kind: .pull)
    let live = try queue.consumer("live", kind: .pull)
    try await write(0..<1000, writer)
    writer.recordGap(Gap(reason: .kernelDrop, records: 50, bytes: 4000, firstTime: 1, lastTime: 2))
    try await queue.synchronize()
    try await write(1000..<2000, writer)
    #expect(Given(try live.drain(committing: true)).records == 2050)
    try await queue.seal()
    fixture.clock.advance(by: Self.day * 2)
    queue.applyAge()
    writer.recordGap(Gap(reason: .dropped, records: 3, bytes: 30, firstTime: 1, lastTime: 2))
    try await queue.synchronize()
    try await write(2000..<2001, writer)
    let entries = try away.drain(committing: true)
    #expect(
      entries == [
        .gap(.retention, records: 2050, bytes: byteCount(0..<2000) + 4000), .gap(.dropped, records: 3, bytes: 30),
        .line(Self.line(2000)),
      ], "all that entered and isn't given any more, then what is still told by the log itself")
    let its = try account("away", queue)
    #expect(its.lostRecords == 2000 && its.lostBytes == byteCount(0..<2000), "its own account: records that were there for it")
    #expect(queue.status().totalLost == 53 && queue.status().totalRecords == 2001, "the queue's: what never was")
    #expect(Given(try live.drain(committing: true)).records == 4)
    #expect(try account("live", queue).lostRecords == 0)
    await queue.close()
  }

  @Test func `a gap that was read before it was deleted isn't told again`() async throws {
    let fixture = small()
    let queue = try fixture.open()
    let writer = try queue.writer(source: "network")
    let job = try queue.consumer("job", kind: .pull)
    writer.recordGap(Gap(reason: .kernelDrop, records: 50, bytes: 4000, firstTime: 1, lastTime: 2))
    try await queue.synchronize()
    try await write(0..<100, writer)
    try await queue.seal()
    let early = try #require(try job.read(from: .zero, limits: BatchLimits(maxBytes: 1 << 20)))
    #expect(try early.entries == [.gap(.kernelDrop, records: 50, bytes: 4000)])
    _ = try queue.trim(before: Offset(101))
    let rest = try #require(try job.read(from: early.next, limits: BatchLimits(maxBytes: 1 << 20)))
    #expect(try rest.entries == [.gap(.retention, records: 100, bytes: byteCount(0..<100))])
    try job.commit(rest.next)
    #expect(try account("job", queue).lostRecords == 100)
    await queue.close()
  }

  @Test func `a loss says when it happened, from the first deletion to the last, also after a restart`() async throws {
    let fixture = small()
    var queue = try fixture.open()
    _ = try queue.consumer("away", kind: .pull)
    for start in [0, 100, 200] {
      try await write(start..<start + 100, try queue.writer(source: "app"))
      try await queue.seal()
    }
    let first = fixture.clock.wall()
    _ = try queue.trim(before: Offset(100))
    fixture.clock.advance(by: Self.minute)
    let last = fixture.clock.wall()
    _ = try queue.trim(before: Offset(200))
    fixture.clock.advance(by: Self.day)
    await queue.close()
    queue = try fixture.open()
    let away = try queue.consumer("away", kind: .pull)
    guard case .gap(let gap)? = try away.read(from: .zero, limits: BatchLimits(maxBytes: 1 << 20))?.content else {
      Issue.record("no gap first")
      return
    }
    #expect(gap == Gap(reason: .retention, records: 200, bytes: byteCount(0..<200), firstTime: first, lastTime: last))
    await queue.close()
  }

  @Test func `a consumer whose file can't be read holds everything, however old the queue is`() async throws {
    let fixture = small()
    var queue = try fixture.open()
    _ = try queue.consumer("job", kind: .pull)
    try await write(0..<10, try queue.writer(source: "app"))
    fixture.clock.advance(by: Self.day * 100)
    try await write(10..<20, try queue.writer(source: "app"))
    await queue.close()
    let file = try fixture.disk.directory("data/queue/consumers", create: false).open("job", .update)
    try file.write([UInt8](repeating: 0x55, count: 32 << 10), at: 0)
    queue = try fixture.open()
    let writer = try queue.writer(source: "app")
    let writing = Task { try await self.write(20..<Self.plenty, writer) }
    await untilFull(queue)
    #expect(queue.status().fullBecauseOf == "job")
    #expect(queue.startOffset == .zero)
    await queue.close()
    _ = try? await writing.value
  }
}
