internal import HTTPTypes
internal import Hummingbird
internal import RecordBlocks
internal import SegmentQueue

/// `GET …/records`: commits what the client says it has done, then answers with what is there, or waits for it.
struct PullHandler: Sendable {
  private enum Look: Sendable {
    case answer(PulledBatch, ResponseBudget.Share)
    /// Nothing, or too little, up to this durable end; `place` is where the answer would begin.
    case wait(place: RecordBlocks.Offset, end: RecordBlocks.Offset)
  }

  private let call: Call
  private let served: ServedQueue
  private let parameters: PullParameters
  private let server: ServerCore
  private var queue: SegmentQueue { served.queue }

  init(_ call: Call) throws {
    self.call = call
    served = try call.queue()
    parameters = try PullParameters(call.query, call.request.headers)
    server = call.server
  }

  func respond() async throws -> Response {
    let deadline = ContinuousClock.now + parameters.wait
    var isLast = parameters.wait == .zero
    let place = try await start()
    while true {
      let look = try await server.pool.run { [isLast] in
        // Here, where only a few are at work at a time: who waits for a thread needs no memory yet.
        try self.look(from: place, within: try server.budget.share(of: parameters.limits.maxBytes), isLast: isLast)
      }
      switch look {
      case .answer(let batch, let share): return answer(batch, share)
      case .wait(let place, let end):
        if isLast { return nothing(at: place) }
        switch try await server.waits.wait(for: queue, beyond: end, until: deadline, connection: call.context.connection) {
        // Who has only closed the sending half still reads this.
        case .clientGone: return nothing(at: place)
        case .stopping: isLast = true
        case .recordsOrTime: isLast = deadline <= .now
        }
      }
    }
  }

  // MARK: Looking

  /// Where it reads from; for a consumer that is asked anew each time. Commits first.
  private func start() async throws -> RecordBlocks.Offset? {
    try await server.pool.run { [served, parameters, queue] in
      switch parameters.place {
      case .consumer(let name):
        let consumer = try served.pullConsumer(name)
        if let commit = parameters.commit { try served.commit(consumer, at: commit) }
        return nil
      case .oldest: return queue.startOffset
      case .newest: return queue.durableEnd
      case .at(let place):
        try served.check(place)
        guard place.offset >= queue.startOffset else { throw served.goneProblem(place.offset) }
        guard place.offset <= queue.durableEnd else {
          throw Problem.badParameter("offset: \(place) is behind the queue's end, \(queue.place(queue.durableEnd))")
        }
        return place.offset
      case .time(let time):
        do { return try queue.offset(appendedAt: time) } catch let error as QueueError { throw Problem(error, of: served.name) }
      }
    }
  }

  /// Blocking.
  private func look(from place: RecordBlocks.Offset?, within share: ResponseBudget.Share, isLast: Bool) throws -> Look {
    var limits = parameters.limits
    let maxBytes = share.byteCount
    limits.maxBytes = maxBytes
    // Before the look: what comes after it ends the wait.
    let end = queue.durableEnd
    let consumer: QueueConsumer?
    let first: RecordBlocks.Offset
    let range: PulledBatch.Range?
    do {
      if case .consumer(let name) = parameters.place {
        let known = try served.pullConsumer(name)
        if let loss = try served.tellLoss(to: known) { throw lostProblem(loss) }
        consumer = known
        first = known.cursor
        range = try PulledBatch.read(from: first, limits: limits, queue: queue) { (offset, limits) throws(QueueError) in
          try known.read(from: offset, limits: limits)
        }
        // Retention may have come between: then the gap is the consumer's loss, and told as such.
        if range?.gap != nil, let loss = try served.tellLoss(to: known) { throw lostProblem(loss) }
      } else {
        consumer = nil
        first = place!
        if first < queue.startOffset { throw served.goneProblem(first) }
        let reader = served.reader(at: first)
        range = try PulledBatch.read(from: first, limits: limits, queue: queue) { (offset, limits) throws(QueueError) in
          try reader.read(from: offset, limits: limits)
        }
        if let range { served.keep(reader, at: range.next) }
      }
    } catch let error as QueueError {
      throw Problem(error, of: served.name)
    }
    guard var range else { return .wait(place: first, end: end) }
    let isEnough =
      range.gap != nil || range.next < queue.durableEnd || range.byteCount >= min(parameters.minBytes, maxBytes)
      || range.recordCount >= limits.maxRecords
    guard isLast || isEnough else { return .wait(place: first, end: max(end, range.next)) }
    let batch: PulledBatch
    do {
      batch = try PulledBatch(range, format: parameters.format, gzip: parameters.acceptsGzip)
    } catch {
      range.endAtDamage()
      batch = try PulledBatch(range, format: parameters.format, gzip: parameters.acceptsGzip)
    }
    if let consumer { served.gave(range.next, to: consumer.name) }
    share.resize(to: AnswerBody.memoryByteCount(of: batch.pieces))
    return .answer(batch, share)
  }

  private func lostProblem(_ loss: (gap: Gap, next: RecordBlocks.Offset)) -> Problem {
    var members = Problem.Members()
    members.oldest = "\(queue.place(loss.next))"
    members.lostRecords = loss.gap.records
    members.lostBytes = loss.gap.bytes
    members.reason = loss.gap.reason.name
    if loss.gap.firstTime > 0 {
      members.firstTime = WireTime.text(loss.gap.firstTime)
      members.lastTime = WireTime.text(loss.gap.lastTime)
    }
    return Problem(
      .gone, "data_lost",
      "\(loss.gap.records) records at the consumer's cursor are gone; commit \(queue.place(loss.next)) to go on with the oldest that is kept",
      members: members)
  }

  // MARK: Answering

  private func answer(_ batch: PulledBatch, _ share: ResponseBudget.Share) -> Response {
    server.metrics.delivered(records: batch.range.recordCount, bytes: batch.range.byteCount, of: served.name)
    return Response(status: .ok, headers: batch.headers(of: queue), body: AnswerBody.of(batch.pieces, share))
  }

  private func nothing(at place: RecordBlocks.Offset) -> Response {
    Response(status: .noContent, headers: PulledBatch.Range(first: place, next: place, lag: (0, 0)).headers(of: queue))
  }
}
