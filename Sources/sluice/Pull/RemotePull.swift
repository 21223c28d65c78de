internal import DurableFiles
internal import QueueClient
internal import SystemPackage

/// `sluice pull` from a server: batch by batch, each made safe before its end is committed, which rides on the next pull.
struct RemotePull<Server: PullServer> {
  /// What is asked for.
  struct Plan: Sendable {
    /// The queue's name at the server.
    var queue: String
    /// The consumer whose cursor says where to begin.
    var consumer: String?
    /// Its cursor is moved.
    var commits = false
    /// It is made when it isn't there.
    var create = false
    /// Where to begin without a consumer, or with one that is made.
    var from: OffsetArgument?
    /// The most records in all.
    var maxRecords: Int?
    /// The most bytes of lines in all; one longer record comes alone.
    var maxBytes: Int?
    /// The most records of a batch.
    var batchRecords: Int?
    /// The most bytes of a batch.
    var batchBytes = 1 << 20
    /// How long to wait for the first record.
    var wait = Duration.zero
    /// Go on with what comes later.
    var follow = false
    /// Go on at the oldest record when what was to come next is gone.
    var skipLost = false
  }

  /// How long a request of a pull that follows waits at the server.
  static var followWait: Duration { .seconds(20) }

  let server: Server
  let plan: Plan
  let stop: PullStop
  /// Says something on standard error.
  let tell: (String) -> Void

  /// Where a pull begins.
  struct Beginning {
    var queue: RemoteQueue
    /// The consumer's cursor; nil without one.
    var cursor: WireOffset?
  }

  /// Asks for the queue, and for the consumer, which is made where that is wanted.
  func begin() async throws -> Beginning {
    let queue = try await stoppable { [server, plan] in try await server.queue(plan.queue) }
    guard let name = plan.consumer else { return Beginning(queue: queue, cursor: nil) }
    let consumer: RemoteConsumer
    do { consumer = try await stoppable { [server, plan] in try await server.consumer(name, of: plan.queue) } } catch {
      guard (error as? QueueClientError)?.problem?.code == "unknown_consumer", plan.commits else { throw error }
      guard plan.create else {
        throw CommandFailure(
          .usage, "\(plan.queue) has no consumer '\(name)'; --create makes it ('sluice queue consumers' lists those it has)")
      }
      consumer = try await server.createConsumer(
        name, of: plan.queue, startAt: (plan.from ?? .oldest).place(epoch: queue.epoch), hold: nil
      ).consumer
    }
    if let failure = consumer.failure { throw CommandFailure(.damaged, failure) }
    if plan.commits, consumer.kind != "pull" {
      throw CommandFailure(.usage, "'\(name)' is a sink of a pipeline: its cursor is its own to move; choose another name")
    }
    return Beginning(queue: queue, cursor: consumer.cursor)
  }

  /// Begins a file, or goes on with one, having ended what earlier runs have left of others.
  /// - Returns: nil when an earlier run had drawn the file whole, and only its last renaming was missing.
  func file(_ name: String, in directory: any Directory, replace: Bool, from beginning: inout Beginning) async throws -> PulledFile? {
    let start = beginning.cursor ?? beginning.queue.startOffset
    var purpose = PulledFile.Purpose(
      queueID: beginning.queue.id, queue: plan.queue, consumer: plan.commits ? plan.consumer : nil, cursor: start, replace: replace)
    if let consumer = purpose.consumer {
      try await PulledFile.endOthers(
        than: name, in: directory, for: &purpose,
        commit: { _ = try await server.commit($0, consumer: consumer, of: plan.queue) }, tell: tell)
      beginning.cursor = purpose.cursor
    }
    if let file = try PulledFile(name, in: directory, for: purpose) { return file }
    tell("\(directory.path.appending(name)) was drawn whole by an earlier pull that was killed before it ended; all of it is committed")
    return nil
  }

  /// Draws until the queue's end as it was at the start, the limits, or a stop.
  func draw(from beginning: Beginning, into destination: any BatchDestination, progress: PullProgress? = nil) async throws {
    var state = State(beginning, plan)
    if let file = destination as? PulledFile { state.goOn(with: file) }
    let deadline = ContinuousClock.now + plan.wait
    while !stop.isStopping, !state.isUsedUp, plan.follow || state.hasMore(deadline) {
      let batch: PulledBatch
      do {
        batch = try await pull(state.request(destination.form, deadline))
      } catch let error as QueueClientError {
        if error.code == .cancelled, stop.isStopping { break }
        guard let lost = try loss(error, at: state.reached) else { throw error }
        try destination.take(lost)
        state.note(lost)
        continue
      }
      state.noteAnswer()
      if batch.isEmpty {
        state.noteNothing(at: batch.next)
        continue
      }
      // A server gives a record that is longer than asked for alone; here it is one only when it is the first.
      guard state.allows(batch) else { break }
      if let gap = batch.gap { tell(gap.sentence) }
      try destination.take(batch)
      state.note(batch)
      progress?.add(batch)
    }
    if let uncommitted = state.uncommitted, let consumer = plan.consumer {
      _ = try await server.commit(uncommitted, consumer: consumer, of: plan.queue)
    }
    try destination.finish()
  }

  private func pull(_ request: PullRequest) async throws -> PulledBatch {
    try await stoppable { [server] in try await server.pull(request) }
  }

  /// A pull that follows waits for its server for ever, but for a stop.
  private func stoppable<Result: Sendable>(_ call: @escaping @Sendable () async throws -> Result) async throws -> Result {
    plan.follow ? try await stop.stoppable(call) : try await call()
  }

  /// A batch without records that leads over what is gone; nil when the error is another one. Without `--skip-lost` the error is told with
  /// its remedy.
  private func loss(_ error: QueueClientError, at reached: WireOffset?) throws(CommandFailure) -> PulledBatch? {
    guard let problem = error.problem, problem.status == 410, let oldest = problem.oldest else { return nil }
    var what = error.sentence
    if let records = problem.lostRecords {
      let why = problem.reason.map { " (\($0))" } ?? ""
      let when = problem.firstTime.flatMap { first in problem.lastTime.map { ", \(first) to \($0)" } } ?? ""
      what =
        "\(HumanText.count(records, "record")) (\(HumanText.bytes(problem.lostBytes ?? 0)) of lines) that were to come next are lost\(why)\(when)"
    }
    guard plan.skipLost, problem.code != "stale_epoch" else {
      let remedy: String
      switch (problem.code, plan.consumer) {
      case ("stale_epoch", let consumer?) where plan.commits:
        remedy = "'sluice queue seek \(plan.queue) \(consumer) \(oldest)' goes on there"
      case ("stale_epoch", _): remedy = "--from \(oldest) begins there"
      default: remedy = "--skip-lost goes on at \(oldest), the oldest record"
      }
      throw CommandFailure(.failure, "\(what); \(remedy)")
    }
    tell("\(what); going on at \(oldest)")
    return PulledBatch(first: reached ?? oldest, next: oldest, records: 0, byteCount: 0, body: [])
  }
}

extension PulledGap {
  var sentence: String {
    "gap at \(first)..<\(next): \(HumanText.count(records, "record")) lost (\(reason), \(HumanText.bytes(bytes)))"
  }
}

extension RemotePull {
  /// How far a pull is.
  private struct State {
    private let plan: Plan
    /// The end at the start: a pull that doesn't follow goes no further.
    private let end: UInt64
    private var allowance: Allowance
    private var place: QueuePlace
    /// The offset behind what was taken, when that is known.
    private(set) var reached: WireOffset?
    /// What was taken and is not committed yet.
    private(set) var uncommitted: WireOffset?
    private var hasDrawn = false
    private var hasAsked = false

    init(_ beginning: Beginning, _ plan: Plan) {
      self.plan = plan
      end = beginning.queue.durableEnd.offset
      allowance = Allowance(records: plan.maxRecords, bytes: plan.maxBytes)
      reached = beginning.cursor
      place = beginning.cursor.map { .at($0) } ?? (plan.from ?? .oldest).place(epoch: beginning.queue.epoch)
    }

    /// What an earlier run has drawn counts as drawn in this one.
    mutating func goOn(with file: PulledFile) {
      allowance.use(records: file.contents.records, bytes: file.contents.bytes)
      guard file.contents.consumer != nil else { return }
      reached = file.contents.next
      uncommitted = file.uncommitted
    }

    var isUsedUp: Bool { allowance.isUsedUp }

    func allows(_ batch: PulledBatch) -> Bool { batch.byteCount <= allowance.bytes || allowance.isUntouched }

    /// Whether a pull that doesn't follow asks once more.
    func hasMore(_ deadline: ContinuousClock.Instant) -> Bool {
      if let reached, reached.offset < end { return true }
      if reached == nil, !hasAsked { return true }
      return !hasDrawn && ContinuousClock.now < deadline
    }

    func request(_ form: PullRequest.Form, _ deadline: ContinuousClock.Instant) -> PullRequest {
      let reader: PullRequest.Reader =
        plan.commits ? .consumer(plan.consumer ?? "", commit: uncommitted) : .place(place)
      var request = PullRequest(queue: plan.queue, reader: reader)
      request.form = form
      request.maxBytes = min(plan.batchBytes, allowance.bytes, QueueClient.maximumBatchBytes)
      let records = min(plan.batchRecords ?? .max, allowance.records)
      if records != .max { request.maxRecords = records }
      if plan.follow {
        request.wait = RemotePull.followWait
      } else if !hasDrawn {
        request.wait = max(.zero, min(deadline - ContinuousClock.now, QueueClient.longestWait))
      }
      return request
    }

    /// A pull was answered, and so is what it carried committed.
    mutating func noteAnswer() {
      uncommitted = nil
      hasAsked = true
    }

    mutating func noteNothing(at next: WireOffset) {
      reached = next
      place = .at(next)
    }

    mutating func note(_ batch: PulledBatch) {
      allowance.use(records: batch.records, bytes: batch.byteCount)
      if batch.records > 0 { hasDrawn = true }
      noteNothing(at: batch.next)
      if plan.commits { uncommitted = batch.next }
    }
  }
}
