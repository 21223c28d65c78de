internal import HTTPTypes
internal import RecordBlocks
internal import SegmentQueue

/// Where a stream's records come from: a consumer, or a place that only the client remembers.
struct StreamSource: Sendable {
  /// What is found at a place.
  enum Look: Sendable {
    case event(StreamEvent)
    /// Nothing up to this durable end; `place` is where the stream stands.
    case nothing(place: RecordBlocks.Offset, end: RecordBlocks.Offset)
  }

  /// The consumer as it was when the stream began.
  struct Consumer: Sendable {
    var consumer: QueueConsumer
    var seekCount: UInt64
  }

  let served: ServedQueue
  let parameters: StreamParameters
  let server: ServerCore
  /// Nil for a stateless stream.
  let consumer: Consumer?
  private var queue: SegmentQueue { served.queue }

  /// Under pressure an event has no more than this.
  private static let leastBytes = 32 << 10

  /// Who reads, when it is a consumer: what changes that one's place ends its waits by this.
  var reader: WaitRoom.Reader? { consumer.map { WaitRoom.Reader(consumer: $0.consumer.name, of: queue) } }

  /// Blocking.
  init(_ served: ServedQueue, _ parameters: StreamParameters, _ server: ServerCore) throws {
    (self.served, self.parameters, self.server) = (served, parameters, server)
    if case .consumer(let name) = parameters.place {
      let known = try served.pullConsumer(name)
      consumer = Consumer(consumer: known, seekCount: known.seekCount)
    } else {
      consumer = nil
    }
  }

  /// Where the stream begins. Blocking.
  func start() throws -> RecordBlocks.Offset {
    let resume = parameters.resume
    if let resume { try served.check(resume) }
    if let known = consumer?.consumer {
      // What the client has it isn't given again; anything else it says of its place, the consumer knows better.
      guard let resume, resume.offset > known.cursor, resume.offset <= served.givenEnd(of: known) else { return known.cursor }
      return resume.offset
    }
    if let resume {
      // Behind the oldest, as it is for a stream that goes on: what has gone meanwhile is told as a gap.
      try refuseBehindEnd(resume, parameter: "Last-Event-ID")
      return resume.offset
    }
    switch parameters.place {
    case .consumer: preconditionFailure("a consumer's stream has its consumer")
    case .oldest: return queue.startOffset
    case .newest: return queue.durableEnd
    case .at(let place):
      try served.check(place)
      guard place.offset >= queue.startOffset else { throw served.goneProblem(place.offset) }
      try refuseBehindEnd(place, parameter: "offset")
      return place.offset
    case .time(let time):
      do throws(QueueError) { return try queue.offset(appendedAt: time) } catch { throw Problem(error, of: served.name) }
    }
  }

  private func refuseBehindEnd(_ place: EpochOffset, parameter: String) throws {
    guard place.offset > queue.durableEnd else { return }
    throw Problem.badParameter("\(parameter): \(place) is behind the queue's end, \(queue.place(queue.durableEnd))")
  }

  /// What is known without reading: an event that another stream has sent, or that nothing is there.
  func glance(at place: RecordBlocks.Offset) -> Look? {
    guard consumer == nil else { return nil }
    if let event = server.events.event(from: place, maxBytes: parameters.maxBytes, of: queue) { return .event(event) }
    let end = queue.durableEnd
    return place == end ? .nothing(place: place, end: end) : nil
  }

  /// What is at `place`. Blocking.
  /// - Throws: ``Problem``: the stream can't go on.
  func look(at place: RecordBlocks.Offset) throws -> Look {
    // Others may have been faster while this waited for its thread.
    if let look = glance(at: place) { return look }
    let share = try server.budget.share(of: parameters.maxBytes, least: Self.leastBytes)
    let limits = BatchLimits(maxBytes: share.byteCount)
    // Before the look: what comes after it ends the wait.
    let end = queue.durableEnd
    do {
      guard let consumer else {
        let reader = served.reader(at: place)
        let batch = try reader.read(from: place, limits: limits)
        served.keep(reader, at: batch?.next ?? place)
        guard let batch else { return .nothing(place: place, end: end) }
        let event = event(of: batch, share)
        if event.recordCount > 0, server.metrics.openStreams(of: served.name) > 1 {
          server.events.keep(event, from: place, maxBytes: parameters.maxBytes, of: queue)
        }
        return .event(event)
      }
      try refuseMoved(consumer)
      // Another job may have committed further.
      let place = max(place, consumer.consumer.cursor)
      guard let batch = try consumer.consumer.read(from: place, limits: limits) else { return .nothing(place: place, end: end) }
      let event = event(of: batch, share)
      try refuseMoved(consumer)
      served.gave(event.next, to: consumer.consumer.name)
      return .event(event)
    } catch let error as QueueError {
      throw Problem(error, of: served.name)
    }
  }

  private func event(of batch: QueueBatch, _ share: ResponseBudget.Share) -> StreamEvent {
    var range = PulledBatch.Range(first: batch.first, next: batch.next, lag: queue.lag(from: batch))
    switch batch.content {
    case .gap(let gap): return .gap(gap, from: batch.first, to: batch.next, of: queue)
    case .records(let slices): (range.slices, range.recordCount, range.byteCount) = (slices, batch.recordCount, batch.byteCount)
    }
    do throws(BlockDamage) { return try StreamEvent(records: range, of: queue, share) } catch { range.endAtDamage() }
    if let gap = range.gap { return .gap(gap, from: range.first, to: range.next, of: queue) }
    do throws(BlockDamage) { return try StreamEvent(records: range, of: queue, share) } catch {
      preconditionFailure("the slices before the damage were read a moment ago")
    }
  }

  /// The consumer is another one now, or was set to another place.
  private func refuseMoved(_ consumer: Consumer) throws {
    let known = try served.pullConsumer(consumer.consumer.name)
    guard known === consumer.consumer, known.seekCount == consumer.seekCount else {
      throw Problem(
        .conflict, "consumer_moved",
        "the consumer '\(known.name)' was set to another place, \(queue.place(known.cursor)); open the stream again to go on there")
    }
  }
}
