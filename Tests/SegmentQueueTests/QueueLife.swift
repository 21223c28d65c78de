import DurableFiles
import RecordBlocks
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// A scripted life of a queue: it does what a scenario says, and remembers what the outside world was told, and at which operation of
/// the disk. What was told before an operation must hold after a crash right before that operation.
final class QueueLife: Sendable {
  /// One thing that the outside world was told.
  private enum Fact: Sendable {
    /// So many lines of a source are durable.
    case acknowledged(source: String, count: Int)
    /// A consumer stands at least here; nil when it may be gone.
    case cursor(consumer: String, UInt64?)
    /// A consumer saw this line there.
    case seen(offset: UInt64, line: String)
    /// A client has begun to send this body under its key.
    case sent(body: Int)
    /// A body is durable, and begins there.
    case pushed(body: Int, first: UInt64)
  }

  private struct State: Sendable {
    var facts: [(operation: Int, fact: Fact)] = []
    var random: SplitMix64
    var errors: [String] = []
    var queue: SegmentQueue?
  }

  /// How often a step that fails is tried again; a step of a life without injected errors has no reason to fail.
  private static let tries = 300

  let fixture: QueueFixture
  let seed: UInt64
  private let survivesErrors: Bool
  private let state: Mutex<State>

  init(_ fixture: QueueFixture, seed: UInt64, survivesErrors: Bool = false) {
    self.fixture = fixture
    self.seed = seed
    self.survivesErrors = survivesErrors
    state = Mutex(State(random: SplitMix64(seed: seed)))
  }

  /// What failed steps said.
  var errors: [String] { state.withLock { $0.errors } }

  /// A number that the seed chooses.
  func number(_ range: ClosedRange<Int>) -> Int { state.withLock { $0.random.int(range) } }

  /// The queue that was opened last.
  var queue: SegmentQueue? { state.withLock { $0.queue } }

  private func told(_ fact: Fact) {
    let operation = fixture.disk.operationCount
    state.withLock { $0.facts.append((operation, fact)) }
  }

  /// Does a step; where errors are injected, until it succeeds.
  func attempt<R>(_ step: () async throws -> R) async throws -> R {
    for _ in 0..<(survivesErrors ? Self.tries : 0) {
      do { return try await step() } catch { state.withLock { $0.errors.append("\(error)") } }
      try await Task.sleep(for: .milliseconds(1))
    }
    return try await step()
  }

  func open() async throws -> SegmentQueue {
    let queue = try await attempt {
      do { return try fixture.open() } catch {
        // Whoever can't open a queue ends; the next try is another process's.
        fixture.disk.changeProcess()
        throw error
      }
    }
    state.withLock { $0.queue = queue }
    return queue
  }

  /// Half a second passes for the queue; who waits for it looks again.
  func tick() {
    fixture.clock.advance(by: .milliseconds(500))
    queue?.clockChanged()
  }

  // MARK: Sources

  /// A source that numbers its lines and goes on where its checkpoint says.
  final class Source: Sendable {
    let name: String
    let writer: SourceWriter
    private let next: Mutex<Int>

    init(_ name: String, _ writer: SourceWriter) {
      self.name = name
      self.writer = writer
      next = Mutex(writer.count)
    }

    /// A batch of lines and the number of the one after them. Each tenth batch has an identity, too.
    func take(_ count: Int) -> (lines: [String], upTo: Int) {
      next.withLock { next in
        defer { next += count }
        return ((next..<next + count).map { QueueLife.line(name, $0) }, next + count)
      }
    }
  }

  func source(_ name: String, of queue: SegmentQueue, whenFull: WhenFull = .wait) async throws -> Source {
    Source(name, try await attempt { try queue.writer(source: name, whenFull: whenFull) })
  }

  /// Writes `count` lines and waits for the disk.
  func write(_ count: Int, from source: Source) async throws {
    let (lines, upTo) = source.take(count)
    try await source.writer.writeDurably(lines, upTo: upTo)
    told(.acknowledged(source: source.name, count: upTo))
  }

  /// Writes batches of these sizes one after the other before it waits for the disk.
  func writeAhead(_ counts: [Int], from source: Source) async throws {
    var tickets: [(AppendTicket, Int)] = []
    for count in counts {
      let (lines, upTo) = source.take(count)
      let changes = [CheckpointChange.set(stream: 1, identity: [7], value: Array("\(upTo)".utf8))]
      tickets.append((try await source.writer.write(batch(lines), checkpoints: changes), upTo))
    }
    for (ticket, upTo) in tickets {
      try await ticket.durable()
      told(.acknowledged(source: source.name, count: upTo))
    }
  }

  /// Line `number` of a source: a few dozen bytes that hardly compress, so that blocks have several sectors.
  static func line(_ source: String, _ number: Int) -> String { "\(source) \(number) \(noise[number])" }

  private static let noise: [String] = (0..<4000).map { number in
    var random = SplitMix64(seed: UInt64(number))
    return (0..<random.int(1...4)).map { _ in String(random.next(), radix: 36) }.joined(separator: " ")
  }

  /// The source whose records come under keys and have no checkpoint.
  static let pushing = "push"

  /// The records of a body, always the same.
  static func body(_ number: Int) -> [String] { (0..<1 + number * 7 % 12).map { line(pushing, number * 20 + $0) } }

  /// Sends a body under its key, again until it gets an answer.
  func push(_ number: Int, from source: Source) async throws {
    told(.sent(body: number))
    let result = try await attempt { try await source.writer.write(batch(Self.body(number)), key: Self.key(number)) }
    told(.pushed(body: number, first: result.range.lowerBound.rawValue))
  }

  private static func key(_ number: Int) -> IdempotencyKey { IdempotencyKey("body-\(number)", bodyHash: [7])! }

  // MARK: Consumers

  func consumer(_ name: String, of queue: SegmentQueue, hold: Hold = .all) async throws -> QueueConsumer {
    let consumer = try await attempt { try queue.consumer(name, kind: .pull, hold: hold) }
    told(.cursor(consumer: name, consumer.cursor.rawValue))
    return consumer
  }

  /// Reads a batch, and commits it when told to. Returns where it ends.
  @discardableResult
  func read(_ consumer: QueueConsumer, maxRecords: Int = 30, committing: Bool = true) async throws -> RecordBlocks.Offset {
    let limits = BatchLimits(maxRecords: maxRecords, maxBytes: 1 << 20)
    let start = consumer.cursor
    guard let batch = try await attempt({ try consumer.read(from: start, limits: limits) }) else { return start }
    for (index, entry) in try batch.entries.enumerated() {
      if case .line(let line) = entry { told(.seen(offset: batch.first.rawValue + UInt64(index), line: line)) }
    }
    if committing { try await commit(consumer, batch.next) }
    return batch.next
  }

  func commit(_ consumer: QueueConsumer, _ cursor: RecordBlocks.Offset, inFlightEnd: RecordBlocks.Offset? = nil) async throws {
    try await attempt { try consumer.commit(cursor, inFlightEnd: inFlightEnd, sinkState: Array("at \(cursor)".utf8)) }
    told(.cursor(consumer: consumer.name, cursor.rawValue))
  }

  func seek(_ consumer: QueueConsumer, to place: UInt64) async throws {
    told(.cursor(consumer: consumer.name, min(place, consumer.cursor.rawValue)))
    try await attempt { try consumer.seek(to: .at(place)) }
    told(.cursor(consumer: consumer.name, place))
  }

  func delete(_ consumer: String, of queue: SegmentQueue) async throws {
    told(.cursor(consumer: consumer, nil))
    try await attempt { try queue.deleteConsumer(consumer) }
  }

  // MARK: Checking

  /// What must hold before an operation.
  struct Promise {
    var acknowledged: [String: Int] = [:]
    var cursors: [String: UInt64] = [:]
    var seen: [UInt64: String] = [:]
    var sent: Set<Int> = []
    var pushed: [Int: UInt64] = [:]
  }

  func promise(before operation: Int) -> Promise {
    var promise = Promise()
    for (time, fact) in state.withLock({ $0.facts }) where time < operation {
      switch fact {
      case .acknowledged(let source, let count): promise.acknowledged[source] = max(promise.acknowledged[source] ?? 0, count)
      case .cursor(let consumer, let cursor): promise.cursors[consumer] = cursor
      case .seen(let offset, let line): promise.seen[offset] = line
      case .sent(let body): promise.sent.insert(body)
      case .pushed(let body, let first): promise.pushed[body] = first
      }
    }
    return promise
  }

  /// Opens the queue on `disk` and holds it against a promise. Returns what the log is, as text.
  ///
  /// - Parameters:
  ///   - mayLose: retention was at work: consumers may have a gap before what is left, and a source's first lines may be gone.
  ///   - isDamaged: durable bytes were damaged too. Then less is asked: no wrong line, none twice without a gap before it, and every loss
  ///     is a gap or is sent again by its source.
  func check(_ disk: SimulatedFileSystem, _ promise: Promise, mayLose: Bool, isDamaged: Bool, _ place: String) async -> String {
    let found = (disk.names("data/queue/segments") ?? []).map {
      "\($0) \(disk.contents(FilePath("data/queue/segments/\($0)"))?.count ?? 0)"
    }
    var reopened = QueueFixture(disk)
    reopened.options = fixture.options
    // The checker looks at what is there, and must not see it age.
    (reopened.options.maxAge, reopened.options.keep) = (nil, .seconds(1_000_000_000))
    var result = ["\(found)"]
    if Exploration.isReplay { print("\(place): \(found)") }
    do {
      let queue = try reopened.open()
      do { result += try await check(queue, promise, mayLose: mayLose, isDamaged: isDamaged, place) } catch {
        Issue.record("\(place): \(error)")
      }
      await queue.close()
      #expect(disk.retriedSyncs.isEmpty, "\(place): a failed sync was tried again on the same file")
    } catch {
      Issue.record("\(place): the queue can't be opened: \(error)")
    }
    return result.joined(separator: "\n")
  }

  private func check(_ queue: SegmentQueue, _ promise: Promise, mayLose: Bool, isDamaged: Bool, _ place: String) async throws -> [String] {
    let (start, end) = (queue.startOffset, queue.durableEnd)
    let walk = try Walk(queue.consumer("checker", kind: .pull), from: start)
    #expect(walk.next == end, "\(place): reading ends at \(walk.next), the log at \(end)")
    var result = ["\(start)..<\(end) \(walk.gaps)"]
    if !isDamaged {
      #expect(walk.gaps.isEmpty, "\(place): gaps where nothing was lost")
      let gone = promise.seen.filter { $0.key >= start.rawValue && walk.lines[$0.key] != $0.value }
      #expect(gone.isEmpty, "\(place): what a consumer saw is gone, or another line: \(gone.keys.sorted())")
    }
    // Each source's lines, in order, once, up to its checkpoint.
    var numbers: [String: [Int]] = [:]
    for (_, line) in walk.lines.sorted(by: { $0.key < $1.key }) {
      let parts = line.split(separator: " ", maxSplits: 2)
      guard parts.count == 3, let number = Int(parts[1]), Self.noise.indices.contains(number), parts[2] == Self.noise[number] else {
        Issue.record("\(place): a line that nobody wrote: \(line)")
        continue
      }
      numbers[String(parts[0]), default: []].append(number)
    }
    let pushedLines = numbers.removeValue(forKey: Self.pushing) ?? []
    result.append("\(Self.pushing) \(pushedLines)")
    if !isDamaged { try await checkPushed(queue, promise, from: start, place) }
    for source in Set(numbers.keys).union(promise.acknowledged.keys).sorted() {
      let writer = try queue.writer(source: source)
      let (count, lines) = (writer.count, numbers[source] ?? [])
      result.append("\(source) \(count) \(lines.first ?? 0)")
      let first = min(mayLose ? lines.first ?? count : 0, count)
      let isWhole = lines.elementsEqual(first..<count)
      if !isDamaged || walk.gaps.isEmpty {
        #expect(isWhole, "\(place): \(source)'s lines are not there in order, once, up to its checkpoint \(count): \(lines)")
      }
      if !isDamaged {
        let acknowledged = promise.acknowledged[source] ?? 0
        #expect(count >= acknowledged, "\(place): \(source) was told that \(acknowledged) lines are durable, and has \(count)")
      }
      // The log goes on.
      try await writer.writeDurably([Self.line(source, count)], upTo: count + 1)
      #expect(writer.count == count + 1)
    }
    for (name, cursor) in promise.cursors.sorted(by: { $0.key < $1.key }) {
      guard queue.consumerNames.contains(name) else {
        Issue.record("\(place): the consumer \(name) is gone")
        continue
      }
      let consumer = try queue.consumer(name, kind: .pull)
      result.append("\(name) \(consumer.cursor) \(consumer.inFlightEnd ?? .zero) \(consumer.dataWasLost)")
      #expect(consumer.cursor.rawValue >= cursor, "\(place): a commit of \(name) was lost")
      #expect(consumer.cursor <= end, "\(place): the cursor of \(name) is ahead of the log")
      let own = try Walk(consumer, from: consumer.cursor)
      if !isDamaged {
        let areLosses = own.gaps.allSatisfy { mayLose && $0.first == consumer.cursor }
        #expect(areLosses, "\(place): gaps for \(name) where nothing was lost: \(own.gaps)")
      }
      let isSame = own.lines.allSatisfy { $0.key >= end.rawValue || walk.lines[$0.key] == $0.value }
      #expect(isSame, "\(place): \(name) reads another log")
      let lost = own.gaps.reduce(0) { $0 + ($1.next - $1.first) }
      #expect(own.lines.count + lost == queue.durableEnd - consumer.cursor, "\(place): lines and losses of \(name) don't add up")
    }
    return result
  }

  /// Every client whose body was under way sends it again: then each is there once, and where it was told to be.
  /// - Parameter start: what was before it may have been deleted for want of space, and is answered all the same.
  private func checkPushed(_ queue: SegmentQueue, _ promise: Promise, from start: RecordBlocks.Offset, _ place: String) async throws {
    guard !promise.sent.isEmpty else { return }
    let writer = try queue.writer(source: Self.pushing)
    var firsts: [Int: UInt64] = [:]
    for number in promise.sent.sorted() {
      let result = try await writer.write(batch(Self.body(number)), key: Self.key(number))
      firsts[number] = result.range.lowerBound.rawValue
      if let told = promise.pushed[number] {
        #expect(result.wasThere && told == firsts[number], "\(place): body \(number) was told to be at \(told), and is given as \(result)")
      }
    }
    let walk = try Walk(queue.consumer("counter", kind: .pull), from: queue.startOffset)
    let pushed = walk.lines.filter { $0.value.hasPrefix(Self.pushing + " ") }
    let kept = firsts.filter { $0.value >= start.rawValue }
    #expect(pushed.count == kept.keys.reduce(0) { $0 + Self.body($1).count }, "\(place): records of clients are lost or doubled")
    for (number, first) in kept {
      for (index, line) in Self.body(number).enumerated() {
        #expect(pushed[first + UInt64(index)] == line, "\(place): body \(number) is not where it was told to be")
      }
    }
  }

  /// Everything that a consumer reads from an offset on.
  private struct Walk {
    struct Hole: CustomStringConvertible {
      var first: RecordBlocks.Offset
      var next: RecordBlocks.Offset
      var gap: Gap
      var description: String { "\(gap.reason) \(first)..<\(next)" }
    }

    var lines: [UInt64: String] = [:]
    var gaps: [Hole] = []
    var next: RecordBlocks.Offset

    init(_ consumer: QueueConsumer, from start: RecordBlocks.Offset) throws {
      next = start
      while let batch = try consumer.read(from: next, limits: BatchLimits(maxBytes: 1 << 20)) {
        guard batch.first == next, batch.next > next else { throw QueueError(.damaged, "reading doesn't go forward at \(next)") }
        switch batch.content {
        case .gap(let gap): gaps.append(Hole(first: batch.first, next: batch.next, gap: gap))
        case .records:
          for (index, entry) in try batch.entries.enumerated() {
            if case .line(let line) = entry { lines[batch.first.rawValue + UInt64(index)] = line }
          }
        }
        next = batch.next
      }
    }
  }
}
