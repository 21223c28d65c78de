internal import RecordBlocks
internal import Synchronization

@testable internal import QueueClient
@testable internal import sluice

/// A server's queue with one consumer, in memory: what a pull needs of it, by the rules of the HTTP API.
final class SimulatedQueueServer: PullServer {
  /// What it is at a moment. It outlives the client's crashes.
  struct State: Equatable {
    var records: [String]
    var cursor: UInt64 = 0
    var deliveredEnd: UInt64 = 0
    /// The oldest record that is kept; what came before it and wasn't read is lost.
    var oldest: UInt64 = 0
    var hasConsumer = true
    var epoch: UInt32 = 3
  }

  private struct Inner {
    var state: State
    var history: [(time: Int, state: State)] = []
    var pulls: [PullRequest] = []
    var failures: [QueueClientError] = []
    var gaps: [UInt64: PulledGap] = [:]
  }

  private let inner: Mutex<Inner>
  /// Counts something of the client's, so that it is known when a state was reached.
  private let now: @Sendable () -> Int

  init(_ state: State, now: @escaping @Sendable () -> Int = { 0 }) {
    inner = Mutex(Inner(state: state, history: [(time: 0, state: state)]))
    self.now = now
  }

  var state: State { inner.withLock { $0.state } }
  /// The states it has been in, each with the count at which it was reached.
  var history: [(time: Int, state: State)] { inner.withLock { $0.history } }
  /// The pulls that came.
  var pulls: [PullRequest] { inner.withLock { $0.pulls } }

  func change(_ body: (inout State) -> Void) {
    let time = now()
    inner.withLock { inner in
      body(&inner.state)
      inner.history.append((time: time, state: inner.state))
    }
  }

  /// The next pulls fail so, one after the other.
  func fail(_ errors: QueueClientError...) { inner.withLock { $0.failures += errors } }
  /// The batch that begins at a record begins with a gap.
  func putGap(_ gap: PulledGap) { inner.withLock { $0.gaps[gap.next] = gap } }

  func queue(_ name: String) async throws(QueueClientError) -> RemoteQueue {
    let state = state
    return RemoteQueue(
      name: name, id: "00ff", epoch: state.epoch, startOffset: .init(epoch: state.epoch, offset: state.oldest),
      durableEnd: .init(epoch: state.epoch, offset: UInt64(state.records.count)), records: UInt64(state.records.count), bytes: 0,
      lostRecords: 0, storedBytes: 0, segments: 1, isFull: false, consumers: [])
  }

  func consumer(_ name: String, of queue: String) async throws(QueueClientError) -> RemoteConsumer {
    guard state.hasConsumer else { throw Self.problem(404, "unknown_consumer") }
    return shown(name)
  }

  func createConsumer(_ name: String, of queue: String, startAt start: QueuePlace, hold: String?) async throws(QueueClientError)
    -> (consumer: RemoteConsumer, isNew: Bool)
  {
    change { $0.hasConsumer = true }
    return (consumer: shown(name), isNew: true)
  }

  func commit(_ offset: WireOffset, consumer: String, of queue: String) async throws(QueueClientError) -> RemoteConsumer {
    try move(to: offset.offset)
    return shown(consumer)
  }

  func pull(_ request: PullRequest) async throws(QueueClientError) -> PulledBatch {
    let failure = inner.withLock { inner in
      inner.pulls.append(request)
      return inner.failures.isEmpty ? nil : inner.failures.removeFirst()
    }
    if let failure { throw failure }
    var place: UInt64
    switch request.reader {
    case .consumer(_, let commit):
      if let commit { try move(to: commit.offset) }
      place = state.cursor
    case .place(let asked):
      switch asked {
      case .oldest: place = state.oldest
      case .newest: place = UInt64(state.records.count)
      case .at(let offset): place = offset.offset
      case .time: place = 0
      }
    }
    let state = state
    guard place >= state.oldest else {
      var problem = Problem(status: 410)
      problem.code = "data_lost"
      problem.oldest = .init(epoch: state.epoch, offset: state.oldest)
      problem.lostRecords = state.oldest - place
      problem.lostBytes = 10 * (state.oldest - place)
      problem.reason = "retention"
      throw QueueClientError(.refused, "records are gone", "", problem: problem)
    }
    let gap = inner.withLock { $0.gaps[place] }
    var next = place
    var body: [UInt8] = []
    while next < state.records.count, Int(next - place) < request.maxRecords ?? .max {
      if next > place, inner.withLock({ $0.gaps[next] }) != nil { break }
      let line = Array((state.records[Int(next)] + "\n").utf8)
      if next > place, body.count + line.count > request.maxBytes { break }
      body += line
      next += 1
    }
    if case .consumer = request.reader { change { $0.deliveredEnd = max($0.deliveredEnd, next) } }
    return PulledBatch(
      first: .init(epoch: state.epoch, offset: place), next: .init(epoch: state.epoch, offset: next), records: Int(next - place),
      byteCount: body.count, lagRecords: UInt64(state.records.count) - next, gap: gap, body: body)
  }

  static func problem(_ status: Int, _ code: String) -> QueueClientError {
    var problem = Problem(status: status)
    problem.code = code
    return QueueClientError(.refused, code, "do something", problem: problem)
  }

  private func move(to offset: UInt64) throws(QueueClientError) {
    let state = state
    guard offset >= state.cursor, offset <= max(state.deliveredEnd, state.oldest) else { throw Self.problem(409, "commit_out_of_range") }
    change { $0.cursor = offset }
  }

  private func shown(_ name: String) -> RemoteConsumer {
    let state = state
    return RemoteConsumer(
      name: name, kind: "pull", cursor: .init(epoch: state.epoch, offset: state.cursor), hold: "all",
      lagRecords: UInt64(state.records.count) - state.cursor, lagBytes: 0, lostRecords: 0, lostBytes: 0)
  }
}

/// A destination that keeps what it was given, and can fail.
final class KeptBatches: BatchDestination {
  let form = PullRequest.Form.lines
  private(set) var batches: [PulledBatch] = []
  private(set) var isFinished = false
  var failsAt = Int.max
  var onTake: (() -> Void)?

  var text: String { batches.map { String(decoding: $0.body, as: UTF8.self) }.joined() }

  func take(_ batch: PulledBatch) throws {
    guard batches.count < failsAt else { throw CommandFailure(.failure, "the destination failed") }
    batches.append(batch)
    onTake?()
  }

  func finish() throws { isFinished = true }
}
