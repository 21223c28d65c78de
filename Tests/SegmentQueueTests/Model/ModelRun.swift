import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport

@testable import SegmentQueue

/// One generated life of a queue, step by step beside its model.
final class ModelRun {
  struct Disagreement: Error, CustomStringConvertible {
    var description: String
  }

  private var fixture: QueueFixture
  private var queue: SegmentQueue
  private var writers: [SourceWriter] = []
  private var model = QueueModel()
  private var random: SplitMix64
  private(set) var steps: [String] = []
  /// Whether the queue has a bound that can be reached: then nobody waits for the disk.
  private let isBounded: Bool
  private var incarnation = 0
  private var tickets: [(source: Int, batch: Int, ticket: AppendTicket)] = []
  /// A trim was asked for up to here: whoever had not read that loses it.
  private var trimmedTo = 0

  init(seed: UInt64) throws {
    random = SplitMix64(seed: seed)
    fixture = QueueFixture(SimulatedFileSystem(seed: seed))
    isBounded = random.chance(1, in: 4)
    fixture.options.segmentSize = isBounded ? 8_000 : [2_000, 6_000, 40_000][random.int(0..<3)]
    if isBounded { fixture.options.maxSize = (256 << 10) + 40_000 }
    if random.chance(1, in: 3) { fixture.options.linger = .milliseconds(50) }
    if random.chance(1, in: 4) { fixture.options.overflow = .dropOldest }
    if random.chance(1, in: 4) { fixture.options.maxAge = .seconds(3600) }
    if random.chance(1, in: 4) { fixture.options.sync = .interval(.milliseconds(200)) }
    fixture.options.keep = .seconds(random.chance(1, in: 2) ? 600 : 24 * 3600)
    fixture.clock.setSynchronised(random.chance(1, in: 2))
    queue = try fixture.open()
    for index in 0..<random.int(1...3) {
      model.sources.append(QueueModel.Source(name: "source\(index)", canWait: !(isBounded && random.chance(1, in: 3))))
    }
    try openWriters()
  }

  /// Runs `count` steps and closes the queue.
  func run(steps count: Int) async throws {
    for _ in 0..<count { try await step() }
    steps.append("the end: close, reopen, read everything")
    try await reopen(after: nil)
    for name in model.consumers.keys.sorted() { while try read(name, BatchLimits(maxBytes: 1 << 20)) {} }
    await queue.close()
  }

  private func step() async throws {
    switch random.int(0..<100) {
    case 0..<34: try await append()
    case 34..<38: recordGap()
    case 38..<56: try readSome()
    case 56..<70: try commit()
    case 70..<73: try seek()
    case 73..<78: try makeOrDeleteConsumer()
    case 78..<81: try refused()
    case 81..<84:
      note("seal")
      if !queue.status().isFull && !isBounded { try await queue.seal() }
    case 84..<86: try trim()
    case 86..<93: advance()
    case 93..<95:
      note("apply age")
      queue.applyAge()
    case 95..<97: try await reopen(after: nil)
    default: try await reopen(after: [CrashKind.everythingKept, .unsyncedLost, .mixture][random.int(0..<3)])
    }
    try await settle()
    try check()
  }

  private func note(_ text: String) { steps.append(text) }
  private func fail(_ text: String) -> Disagreement { Disagreement(description: text) }
  private func pick() -> String? {
    let names = model.consumers.keys.sorted()
    return names.isEmpty ? nil : names[random.int(0..<names.count)]
  }

  // MARK: Sources

  private func openWriters() throws {
    writers = try model.sources.map { try queue.writer(source: $0.name, whenFull: $0.canWait ? .wait : .dropNewest) }
  }

  /// When the oldest append was made that hasn't been seen in the log as a whole: what comes next may be as old.
  private var oldestUnseen: UInt64?

  private func append() async throws {
    let index = random.int(0..<writers.count)
    oldestUnseen = oldestUnseen ?? fixture.clock.monotonic()
    // A full queue's lane grows no further: nothing would be learned from it.
    if queue.status().isFull && queue.status().inFlightBytes > 20_000 { return }
    var batch = RecordBatch()
    let isLarge = !isBounded && random.chance(1, in: 60)
    let count = isLarge ? 1_500 : random.chance(1, in: 12) ? 0 : random.int(1...30)
    let unended = count > 0 && random.chance(1, in: 8)
    let continues = count > 0 && model.sources[index].endsUnended
    batch.firstContinues = continues
    for number in 0..<count {
      let place = model.sources[index].given.count
      let filling = String(repeating: "\(random.next())", count: isLarge ? 6 : random.int(0...4))
      var line = QueueModel.Line(text: number % 7 == 6 ? "" : "source\(index) \(place) \(incarnation) \(filling)")
      if line.text.isEmpty { line.text = "source\(index) \(place)" }
      line.isUnended = unended && number == count - 1
      line.continues = continues && number == 0
      line.text.withUTF8 { batch.append(UnsafeRawBufferPointer($0), unended: line.isUnended) }
      model.sources[index].given.append(line)
    }
    if count > 0 { model.sources[index].endsUnended = unended }
    var streams = model.sources[index].states.last!.streams
    var changes: [CheckpointChange] = []
    if model.sources[index].canWait {
      for _ in 0..<random.int(0...2) {
        let stream = UInt32(random.int(1...3))
        if random.chance(1, in: 6) {
          changes.append(.forget(stream: stream))
          streams[stream] = nil
        } else {
          let value = Array("\(model.sources[index].given.count) \(model.sources[index].states.count)".utf8)
          let identity = streams[stream] == nil || random.chance(1, in: 4) ? random.bytes(3) : nil
          changes.append(.set(stream: stream, identity: identity, value: value))
          streams[stream] = QueueModel.Stream(identity: identity ?? streams[stream]!.identity, value: value)
        }
      }
    }
    model.sources[index].states.append((model.sources[index].given.count, streams))
    note("append \(count) lines of source\(index)\(unended ? ", unended" : ""), \(changes.count) checkpoints")
    let ticket = try await writers[index].write(batch, checkpoints: changes)
    tickets.append((index, model.sources[index].states.count - 1, ticket))
  }

  private func recordGap() {
    let reason: Gap.Reason = random.chance(1, in: 2) ? .kernelDrop : .dropped
    let gap = Gap(reason: reason, records: UInt64(random.int(1...20)), bytes: UInt64(random.int(0...900)), firstTime: 1, lastTime: 2)
    note("gap \(reason.name) of \(gap.records)")
    writers[random.int(0..<writers.count)].recordGap(gap)
    let told = model.toldGaps[reason] ?? (0, 0)
    model.toldGaps[reason] = (told.records + gap.records, told.bytes + gap.bytes)
  }

  // MARK: Consumers

  /// What consumers do is compared under the maintenance lock, so that nothing is deleted meanwhile.
  private func undisturbed<R>(_ body: () throws -> R) throws -> R {
    try queue.maintenance.withLock { _ in
      try observe()
      return try body()
    }
  }

  private func readSome() throws {
    guard let name = pick() else { return }
    let records = [1, 7, 60, Int.max][random.int(0..<4)]
    _ = try read(name, BatchLimits(maxRecords: records, maxBytes: [1, 200, 5_000, 1 << 20][random.int(0..<4)]))
  }

  /// One read, held against the model. False when there was nothing.
  private func read(_ name: String, _ limits: BatchLimits) throws -> Bool {
    let consumer = try queue.consumer(name, kind: model.consumers[name]!.kindIsSink ? .sink : .pull, hold: hold(name))
    note("\(name) reads at \(model.consumers[name]!.place), \(limits.maxRecords) records, \(limits.maxBytes) bytes")
    return try undisturbed {
      let place = model.consumers[name]!.place
      let known = model.end
      let batch = try consumer.read(from: Offset(UInt64(place)), limits: limits)
      try observe()
      guard let batch else {
        guard place >= known else { throw fail("\(name) got nothing at \(place), and the log ends at \(known)") }
        return false
      }
      let next = Int(batch.next.rawValue)
      guard Int(batch.first.rawValue) == place, next > place else { throw fail("\(name) got \(batch.first)..<\(next) at \(place)") }
      if let end = model.consumers[name]!.lossEnd, place < end {
        // With the gaps of the log that went too; of what is only partly to be told their bytes aren't known.
        let cursor = model.consumers[name]!.cursor
        let gaps = model.countGaps(place..<end)
        let isPart = model.consumers[name]!.readGapsOfItsLoss || model.countGaps(cursor..<place).records > 0
        var lost = model.count(place..<end)
        lost.records += gaps.records
        let leastBytes = isPart ? lost.bytes : lost.bytes + gaps.bytes
        lost.bytes += gaps.bytes
        guard case .gap(let gap) = batch.content, next == end, gap.records == lost.records, gap.bytes >= leastBytes,
          gap.bytes <= lost.bytes,
          gap.reason == .retention || gap.reason == .dropOldest
        else { throw fail("\(name) lost \(place)..<\(end), which are \(lost), and was told \(batch.content), up to \(next)") }
        model.consumers[name]!.toldLosses.append(place..<next)
      } else {
        try compare(batch, place..<next, limits)
      }
      model.consumers[name]!.place = next
      model.consumers[name]!.ends.append(next)
      return true
    }
  }

  private func compare(_ batch: QueueBatch, _ range: Range<Int>, _ limits: BatchLimits) throws {
    guard range.lowerBound >= model.start, range.upperBound <= model.end else {
      throw fail("a batch of \(range), and the log has \(model.start)..<\(model.end)")
    }
    let items = try batch.items
    guard items == Array(model.log[range]) else { throw fail("\(range) gave \(items), the log has \(model.log[range])") }
    guard items.count <= limits.maxRecords, batch.byteCount <= limits.maxBytes || items.count == 1 else {
      throw fail("\(items.count) records of \(batch.byteCount) bytes exceed \(limits)")
    }
    if case .gap = batch.content { return }
    guard batch.recordCount == items.count, UInt64(batch.byteCount) == model.count(range).bytes else {
      throw fail("\(range) says \(batch.recordCount) records and \(batch.byteCount) bytes, it is \(model.count(range))")
    }
  }

  private func hold(_ name: String) -> Hold { model.consumers[name]!.holdsAll ? .all : .share(percent: 5) }

  private func commit() throws {
    guard let name = pick(), let end = model.consumers[name]!.ends.randomElement(using: &random) else { return }
    let consumer = try queue.consumer(name, kind: model.consumers[name]!.kindIsSink ? .sink : .pull, hold: hold(name))
    let inFlight = random.chance(1, in: 4) ? model.consumers[name]!.ends.filter { $0 >= end }.max() : nil
    let state = random.chance(1, in: 3) ? random.bytes(5) : nil
    let drops = random.chance(1, in: 8)
    note("\(name) commits \(end)\(inFlight.map { ", in flight to \($0)" } ?? "")\(drops ? ", dropping" : "")")
    try undisturbed {
      try consumer.commit(
        Offset(UInt64(end)), inFlightEnd: inFlight.map { Offset(UInt64($0)) }, sinkState: state, dropping: drops)
      var it = model.consumers[name]!
      // All of it, or what was told as a gap: what was read before it went is not lost.
      for lost in drops ? [it.cursor..<end] : it.toldLosses.filter({ $0.upperBound <= end }) {
        let count = model.count(lost)
        it.lost = (it.lost.records + count.records, it.lost.bytes + count.bytes)
      }
      it.toldLosses.removeAll { $0.lowerBound < end }
      if it.lossEnd != nil, model.countGaps(it.cursor..<end).records > 0 { it.readGapsOfItsLoss = true }
      if let loss = it.lossEnd, end >= loss {
        it.lossEnd = nil
        it.readGapsOfItsLoss = false
      }
      it.cursor = end
      it.inFlightEnd = inFlight
      if let state { it.state = state }
      it.ends.removeAll { $0 < end }
      it.place = max(it.place, end)
      model.consumers[name] = it
    }
  }

  private func seek() throws {
    guard let name = pick() else { return }
    let consumer = try queue.consumer(name, kind: model.consumers[name]!.kindIsSink ? .sink : .pull, hold: hold(name))
    try undisturbed {
      let target = random.int(model.start...model.end)
      let place: StartAt = [.oldest, .newest, .at(UInt64(target))][random.int(0..<3)]
      note("\(name) seeks to \(place)")
      try consumer.seek(to: place)
      try observe()
      let cursor = Int(consumer.cursor.rawValue)
      switch place {
      case .oldest: guard cursor == model.start else { throw fail("the oldest is \(model.start), \(name) is at \(cursor)") }
      case .newest: guard cursor <= model.end else { throw fail("\(name) is at \(cursor), behind the end \(model.end)") }
      case .at: guard cursor == target else { throw fail("\(name) is at \(cursor), not at \(target)") }
      }
      model.consumers[name]!.cursor = cursor
      model.consumers[name]!.place = cursor
      model.consumers[name]!.ends = []
      model.consumers[name]!.toldLosses = []
      model.consumers[name]!.lossEnd = nil
      model.consumers[name]!.readGapsOfItsLoss = false
      model.consumers[name]!.inFlightEnd = nil
      model.consumers[name]!.state = nil
      model.consumers[name]!.seekCount += 1
    }
  }

  private func makeOrDeleteConsumer() throws {
    let name = "consumer\(random.int(0..<3))"
    if model.consumers[name] != nil {
      guard random.chance(1, in: 3) else { return }
      note("delete \(name)")
      try queue.deleteConsumer(name)
      model.consumers[name] = nil
      return
    }
    let isSink = random.chance(1, in: 2)
    let holdsAll = random.chance(2, in: 3)
    note("make \(name)")
    try undisturbed {
      let oldest = random.chance(2, in: 3)
      let consumer = try queue.consumer(
        name, kind: isSink ? .sink : .pull, startAt: oldest ? .oldest : .newest, hold: holdsAll ? .all : .share(percent: 5))
      try observe()
      let cursor = Int(consumer.cursor.rawValue)
      guard oldest ? cursor == model.start : cursor <= model.end else { throw fail("\(name) begins at \(cursor)") }
      model.consumers[name] = QueueModel.Consumer(
        kindIsSink: isSink, cursor: cursor, holdsAll: holdsAll, place: cursor)
    }
  }

  /// What must be refused, and change nothing.
  private func refused() throws {
    guard let name = pick() else { return }
    let consumer = try queue.consumer(name, kind: model.consumers[name]!.kindIsSink ? .sink : .pull, hold: hold(name))
    note("\(name): what is refused")
    let cursor = consumer.cursor
    func mustThrow(_ code: QueueError.Code, _ what: String, _ body: () throws -> Void) throws {
      do { try body() } catch let error as QueueError where error.code == code { return }
      throw fail("\(what) was not refused as \(code)")
    }
    if cursor > .zero { try mustThrow(.invalidOffset, "a commit back") { try consumer.commit(Offset(cursor.rawValue - 1)) } }
    try mustThrow(.invalidOffset, "a commit beyond the end") { try consumer.commit(queue.durableEnd + 1_000_000) }
    try mustThrow(.invalidOffset, "an end in flight before the cursor") {
      guard cursor > .zero else { throw QueueError(.invalidOffset, "nothing lies before 0") }
      try consumer.commit(cursor, inFlightEnd: Offset(cursor.rawValue - 1))
    }
    try mustThrow(.invalidOffset, "a seek beyond the end") { try consumer.seek(to: .at(queue.durableEnd.rawValue + 1_000_000)) }
    try mustThrow(.invalidName, "another kind") {
      _ = try queue.consumer(name, kind: model.consumers[name]!.kindIsSink ? .pull : .sink)
    }
  }

  // MARK: The queue

  private func trim() throws {
    let offset = random.int(model.start...model.end)
    note("trim before \(offset)")
    trimmedTo = max(trimmedTo, offset)
    let start = try queue.trim(before: Offset(UInt64(offset)))
    guard Int(start.rawValue) <= max(offset, model.end) else { throw fail("trim before \(offset) left \(start)") }
  }

  private func advance() {
    let step: Duration = [.milliseconds(20), .milliseconds(300), .seconds(1.5), .seconds(700), .seconds(5000)][random.int(0..<5)]
    note("\(step) pass")
    fixture.clock.advance(by: step)
    queue.clockChanged()
  }

  /// Ends this opening, in order or by a crash, and begins the next.
  private func reopen(after crash: CrashKind?) async throws {
    let old = queue
    if let crash {
      note("crash, \(crash)")
      // What was acknowledged before the crash must be there after it.
      noteAcknowledged()
      let seed = random.next()
      let disk = fixture.disk.crash(crash, seed: seed)
      await old.close()
      fixture = fixture.on(disk)
    } else {
      note("close")
      await old.close()
    }
    tickets = []
    queue = try fixture.open()
    incarnation += 1
    try openWriters()
    try queue.maintenance.withLock { _ in try observe() }
    for index in model.sources.indices {
      let source = model.sources[index]
      let found = Dictionary(
        uniqueKeysWithValues: writers[index].checkpoints.map { ($0.stream, QueueModel.Stream(identity: $0.identity, value: $0.value)) })
      if source.canWait {
        guard
          let batch = source.states.indices.last(where: {
            source.states[$0].lines == source.shown && source.states[$0].streams == found
          }), batch >= source.acknowledged
        else {
          throw fail(
            "\(source.name) has \(source.shown) lines and the checkpoints \(found) after reopening; batch \(source.acknowledged) was acknowledged with \(source.states[source.acknowledged])"
          )
        }
        model.sources[index].states.removeLast(source.states.count - 1 - batch)
        model.sources[index].acknowledged = min(source.acknowledged, batch)
      }
      let shown = model.sources[index].shown
      model.sources[index].endsUnended = shown > 0 && source.given[shown - 1].isUnended
    }
    if crash == nil && !isBounded && model.loggedGaps.isDifferent(from: model.toldGaps) {
      throw fail("losses \(model.toldGaps) were told, the log has \(model.loggedGaps) after a clean close")
    }
    model.forgetUnshown()
    for name in model.consumers.keys {
      _ = try queue.consumer(name, kind: model.consumers[name]!.kindIsSink ? .sink : .pull, hold: hold(name))
    }
  }

  private func noteAcknowledged() {
    queue.monitor.withLock { _ in
      for (source, batch, ticket) in tickets {
        if case .durable? = ticket.promise.outcome { model.sources[source].acknowledged = max(model.sources[source].acknowledged, batch) }
      }
      tickets.removeAll { $0.ticket.promise.outcome != nil }
    }
  }

  // MARK: Comparing

  /// Sometimes waits until everything is on the disk; a bounded queue may be full, and is only left to itself.
  private func settle() async throws {
    if !isBounded && random.chance(1, in: 2) {
      try await queue.synchronize()
      guard queue.durableEnd == queue.endOffset else {
        throw fail("synchronised, and the durable end is \(queue.durableEnd), the end \(queue.endOffset)")
      }
      noteAcknowledged()
      try queue.maintenance.withLock { _ in try observe() }
      for source in model.sources where source.shown != source.given.count {
        throw fail("synchronised, and the log has \(source.shown) of \(source.given.count) lines of \(source.name)")
      }
      if model.loggedGaps.isDifferent(from: model.toldGaps) {
        throw fail("synchronised: the losses \(model.toldGaps) were told, the log has \(model.loggedGaps)")
      }
    }
    noteAcknowledged()
  }

  /// Takes over what the log has grown by and what was deleted. Under the maintenance lock.
  private func observe() throws {
    let now = fixture.clock.monotonic()
    let reader = queue.makeReader()
    while model.end < Int(queue.durableEnd.rawValue) {
      guard let batch = try reader.read(from: Offset(UInt64(model.end)), limits: BatchLimits(maxBytes: 1 << 20)) else {
        throw fail("nothing at \(model.end), and the durable end is \(queue.durableEnd)")
      }
      let items = try batch.items
      guard Int(batch.next.rawValue) == model.end + items.count else {
        throw fail("\(batch.first)..<\(batch.next) are \(items.count) entries: \(items)")
      }
      for item in items { if let problem = model.grow(item, now: oldestUnseen ?? now) { throw fail(problem) } }
    }
    if queue.endOffset == queue.durableEnd, queue.status().inFlightBytes == 0 { oldestUnseen = nil }
    let start = Int(queue.startOffset.rawValue)
    guard start >= model.start else { throw fail("the start went back from \(model.start) to \(start)") }
    if start > model.start {
      try checkDeletion(upTo: start, now: now)
      model.delete(before: start)
    }
  }

  /// Whoever loses something must have agreed to that, by a word of its own or the queue's.
  private func checkDeletion(upTo start: Int, now: UInt64) throws {
    let isOld = fixture.options.maxAge.map { now - model.seenAt[start - 1] > $0.nanosecondsClamped } ?? false
    if isOld || start <= trimmedTo || (isBounded && fixture.options.overflow == .dropOldest) { return }
    for (name, consumer) in model.consumers where consumer.needed < start && consumer.holdsAll {
      throw fail("\(name) holds everything from \(consumer.needed) on, and the log begins at \(start)")
    }
    guard !isBounded else { return }
    for (name, consumer) in model.consumers where consumer.needed < start {
      throw fail("\(name) is at \(consumer.needed), and the log begins at \(start), without any need of space")
    }
    guard now - model.seenAt[start - 1] > fixture.options.keep.nanosecondsClamped, !model.consumers.isEmpty else {
      throw fail("records before \(start) went before their time")
    }
  }

  private func check() throws {
    try undisturbed {
      for (name, it) in model.consumers.sorted(by: { $0.key < $1.key }) {
        let consumer = try queue.consumer(name, kind: it.kindIsSink ? .sink : .pull, hold: hold(name))
        guard Int(consumer.cursor.rawValue) == it.cursor, consumer.inFlightEnd.map({ Int($0.rawValue) }) == it.inFlightEnd,
          consumer.seekCount == it.seekCount, consumer.sinkState == it.state, consumer.dataWasLost == (it.lossEnd != nil)
        else {
          throw fail(
            "\(name) is at \(consumer.cursor), in flight \(String(describing: consumer.inFlightEnd)), lost \(consumer.dataWasLost); it should be \(it)"
          )
        }
      }
      let status = queue.status()
      if isBounded, status.storedBytes > fixture.options.maxSize { throw fail("\(status.storedBytes) bytes exceed the bound") }
      if status.isFull && fixture.options.overflow == .dropOldest { throw fail("a queue that drops its oldest is full") }
      try observe()
      guard Int(status.durableEnd.rawValue) == model.end else { return }
      guard status.totalRecords == model.totals.records, status.totalBytes == model.totals.bytes, status.totalLost == model.totals.lost
      else { throw fail("the status counts \(status.totalRecords), \(status.totalBytes), \(status.totalLost), not \(model.totals)") }
      for its in status.consumers {
        let it = model.consumers[its.name]!
        let lag = model.count(it.needed..<model.end)
        let pending = model.count(it.cursor..<(it.lossEnd ?? it.cursor))
        guard its.lagRecords == lag.records, its.lagBytes == lag.bytes, its.lostRecords == it.lost.records + pending.records,
          its.lostBytes == it.lost.bytes + pending.bytes
        else {
          throw fail(
            "\(its.name): lag \(its.lagRecords) of \(its.lagBytes) bytes, lost \(its.lostRecords) of \(its.lostBytes); it is \(lag), and \(it.lost) + \(pending)"
          )
        }
      }
    }
  }
}

extension [Gap.Reason: (records: UInt64, bytes: UInt64)] {
  /// Whether the two count anything differently. What a full queue dropped is counted by the queue itself.
  func isDifferent(from other: Self) -> Bool {
    Gap.Reason.allCases.contains { reason in
      reason != .dropNewest
        && (self[reason]?.records ?? 0, self[reason]?.bytes ?? 0) != (other[reason]?.records ?? 0, other[reason]?.bytes ?? 0)
    }
  }
}

extension QueueFixture {
  /// The same queue on another disk, with the same clock.
  func on(_ disk: SimulatedFileSystem) -> QueueFixture {
    var other = QueueFixture(disk, clock: clock)
    other.options = options
    return other
  }
}

extension QueueBatch {
  /// What the batch has, in the model's words.
  var items: [QueueModel.Item] {
    get throws {
      guard case .records(let slices) = content else {
        return try entries.map { entry in
          guard case .gap(let reason, let records, let bytes) = entry else { preconditionFailure("a gap has no lines") }
          return .gap(reason, records: records, bytes: bytes)
        }
      }
      return try slices.flatMap { slice in
        let lines = try slice.lines().withUnsafeBytes { bytes in
          bytes.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        }
        return lines.enumerated().map { index, text -> QueueModel.Item in
          let source = Int(text.dropFirst("source".count).prefix { $0.isNumber }) ?? -1
          return .record(
            source: source,
            QueueModel.Line(
              text: text, isUnended: slice.lastIsUnended && index == lines.count - 1, continues: slice.firstContinues && index == 0))
        }
      }
    }
  }
}
