internal import HTTPTypes
internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// A queue and what the server remembers of its clients.
final class ServedQueue: Sendable {
  let queue: SegmentQueue
  let attachments: Attachments
  let progress = QueueProgress()
  var name: String { queue.name }

  /// What was durable when the server got the queue: clients of an earlier process may have been given all of it.
  private let givenBefore: RecordBlocks.Offset
  /// Up to where each consumer was given records by this process.
  private let givenEnds = Mutex<[String: RecordBlocks.Offset]>([:])
  /// Behind which loss each consumer was last told to go on.
  private let toldEnds = Mutex<[String: RecordBlocks.Offset]>([:])
  private let pushing = Mutex<SourceWriter?>(nil)
  /// Stateless readers, each where its last answer ended.
  private let readers = Mutex<[(place: RecordBlocks.Offset, reader: QueueReader)]>([])
  /// Each may hold a segment's descriptor.
  private static let readersKept = 8

  /// The source under which pushed records stand. No pipeline file can name one so.
  private static let pushSource = "http:push"

  init(_ queue: SegmentQueue, _ attachments: Attachments) {
    self.queue = queue
    self.attachments = attachments
    givenBefore = queue.durableEnd
  }

  // MARK: Consumers

  /// A consumer with a cursor that batch jobs read as; blocking.
  /// - Throws: ``Problem``: `unknown_consumer`, `wrong_mode`.
  func pullConsumer(_ name: String) throws -> QueueConsumer {
    let consumer = try clientsConsumer(name)
    guard consumer.kind == .pull else {
      throw Problem(
        .conflict, "wrong_mode",
        "'\(name)' is a consumer of leases: POST /v1/queues/\(self.name)/consumers/\(name)/leases gives its records; choose another name to pull by a cursor"
      )
    }
    return consumer
  }

  /// A consumer whose workers have leases; blocking.
  /// - Throws: ``Problem``: `unknown_consumer`, `wrong_mode`.
  func leaseConsumer(_ name: String) throws -> QueueConsumer {
    let consumer = try clientsConsumer(name)
    guard consumer.kind == .lease else {
      throw Problem(
        .conflict, "wrong_mode",
        "'\(name)' is a consumer with a cursor: GET /v1/queues/\(self.name)/records?consumer=\(name) gives its records; make another with {\"mode\": \"lease\"} for leases"
      )
    }
    return consumer
  }

  /// A consumer that is no sink's; blocking.
  /// - Throws: ``Problem``: `unknown_consumer`, `wrong_mode`.
  func clientsConsumer(_ name: String) throws -> QueueConsumer {
    let consumer = try consumer(name)
    guard consumer.kind != .sink else {
      throw Problem(
        .conflict, "wrong_mode", "'\(name)' is the consumer of a sink, which moves its cursor itself; choose another name for a batch job")
    }
    return consumer
  }

  /// Any consumer; blocking.
  func consumer(_ name: String) throws -> QueueConsumer {
    do { return try queue.knownConsumer(name) } catch {
      guard error.code == .unknownConsumer else { throw Problem(error, of: self.name) }
      throw Problem(
        .notFound, "unknown_consumer",
        "the queue '\(self.name)' has no consumer '\(name.prefix(64))'; make it with PUT /v1/queues/\(self.name)/consumers/NAME and {\"start_at\": \"oldest\"}"
      )
    }
  }

  /// The consumer was given everything before `end`.
  func gave(_ end: RecordBlocks.Offset, to consumer: String) {
    givenEnds.withLock { $0[consumer] = max($0[consumer] ?? givenBefore, end) }
  }

  /// The loss at a consumer's cursor, if there is one. It is read as a gap, so that a commit behind it passes exactly that, even when more
  /// has gone by then. Blocking.
  func tellLoss(to consumer: QueueConsumer) throws(QueueError) -> (gap: Gap, next: RecordBlocks.Offset)? {
    guard consumer.pendingLoss != nil, let batch = try consumer.read(from: consumer.cursor, limits: BatchLimits(maxBytes: 1)),
      case .gap(let gap) = batch.content
    else { return nil }
    toldEnds.withLock { $0[consumer.name] = batch.next }
    return (gap, batch.next)
  }

  /// The consumer stands elsewhere now, by a seek or because it is new: only from there on it will be given anything.
  func placed(_ consumer: String, at cursor: RecordBlocks.Offset) {
    givenEnds.withLock { $0[consumer] = cursor }
    toldEnds.withLock { $0[consumer] = nil }
  }

  /// Up to where a commit may go.
  func givenEnd(of consumer: QueueConsumer) -> RecordBlocks.Offset {
    max(consumer.cursor, givenEnds.withLock { $0[consumer.name] } ?? givenBefore)
  }

  /// Moves a consumer's cursor to what the client says it has done; durable on return. Blocking.
  func commit(_ consumer: QueueConsumer, at place: EpochOffset) throws {
    try check(place)
    let (cursor, given) = (consumer.cursor, givenEnd(of: consumer))
    if place.offset == cursor { return }
    // Who was told of a loss goes on behind it, wherever the last batch ended, and whatever has gone since.
    let resumesAt = [consumer.pendingLoss?.next, toldEnds.withLock { $0[consumer.name] }]
    guard place.offset > cursor, place.offset <= given || resumesAt.contains(place.offset) else {
      var members = Problem.Members()
      members.cursor = "\(queue.place(cursor))"
      members.deliveredEnd = "\(queue.place(given))"
      throw Problem(
        .conflict, "commit_out_of_range",
        "consumer '\(consumer.name)' can be committed from its cursor, \(queue.place(cursor)), to the end of what it was given, \(queue.place(given)); pull without commit to go on at the cursor (does another job pull as '\(consumer.name)', too?)",
        members: members)
    }
    do throws(QueueError) { try consumer.commit(place.offset) } catch {
      // Another client of the same consumer was faster.
      if error.code == .invalidOffset { return try commit(consumer, at: place) }
      throw Problem(error, of: name)
    }
  }

  /// Refuses an offset that means another record today than when it was given out.
  func check(_ place: EpochOffset) throws {
    guard queue.admits(place) else {
      var members = Problem.Members()
      members.oldest = "\(queue.place(queue.startOffset))"
      throw Problem(
        .gone, "stale_epoch",
        "\(place) is not a place of this queue any more: what was there was never durable, or the queue was made anew; a consumer goes on at its cursor when it pulls without commit, who reads by offset from the oldest",
        members: members)
    }
  }

  /// What is read by offset is gone.
  func goneProblem(_ offset: RecordBlocks.Offset) -> Problem {
    var members = Problem.Members()
    members.oldest = "\(queue.place(queue.startOffset))"
    return Problem(
      .gone, "offset_gone",
      "the records at offset \(offset) are not kept any more; the oldest that is kept is \(queue.place(queue.startOffset))",
      members: members)
  }

  /// What each sink has set aside.
  func deadLetterFacts() async throws -> [Attachments.DeadLetterFacts] {
    do { return try await attachments.deadLetterFacts() } catch let error as QueueError { throw Problem(error, of: name) }
  }

  // MARK: Pushing

  /// The writer of what is pushed in; blocking at first.
  func pushWriter() throws(QueueError) -> SourceWriter {
    try pushing.withLock { writer throws(QueueError) in
      if let writer { return writer }
      let new = try queue.writer(source: Self.pushSource, whenFull: .wait)
      writer = new
      return new
    }
  }
}

extension ServedQueue {
  /// A reader that stands at `offset`, if one was kept there; else a new one, which finds its place first.
  func reader(at offset: RecordBlocks.Offset) -> QueueReader {
    readers.withLock { readers in
      guard let index = readers.firstIndex(where: { $0.place == offset }) else { return nil }
      return readers.remove(at: index).reader
    } ?? queue.reader()
  }

  /// Keeps a reader for whoever asks for `offset` next, mostly the same client.
  func keep(_ reader: QueueReader, at offset: RecordBlocks.Offset) {
    readers.withLock { readers in
      readers.append((offset, reader))
      if readers.count > Self.readersKept { readers.removeFirst() }
    }
  }
}
