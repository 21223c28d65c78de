internal import QueueClient
internal import Synchronization

/// A consumer that pulls over HTTP, commits with the next pull, and looks at each record: whether it is the one that is due.
final class DemoConsumer: Sendable {
  /// What one request brought.
  enum Pulled: Sendable, Equatable {
    /// Nothing: an empty answer.
    case nothing
    /// So many records; behind them so many were there already.
    case records(Int, lag: UInt64)
    /// That so many records are gone.
    case loss(UInt64)
  }

  /// What has become of it so far.
  struct Facts: Sendable {
    /// Requests that it made, and answers without anything.
    var requests = 0
    var emptyAnswers = 0
    /// The record that is due.
    var next: UInt64 = 0
    /// Records that it got, and their bytes of lines.
    var received: UInt64 = 0
    var receivedBytes: UInt64 = 0
    /// Records that it was told are gone, and how often it was told so.
    var lost: UInt64 = 0
    var losses = 0
    /// The most that it had in its hands at once.
    var largestBatchBytes = 0
    /// How long its records took.
    var latencies = Latencies()
  }

  private struct State {
    var facts = Facts()
    var commit: WireOffset?
    var place = Handovers.Place()
  }

  let name: String
  private let queue: String
  private let client: QueueClient
  private let lines: DemoLines
  private let handovers: Handovers?
  private let state = Mutex(State())

  /// Makes the consumer at the server.
  /// - Parameter hold: what its unread records pin, as in a pipeline file.
  init(_ name: String, _ stage: DemoStage, _ lines: DemoLines, hold: String? = nil, handovers: Handovers? = nil) async throws {
    self.name = name
    queue = stage.name
    client = stage.client
    self.lines = lines
    self.handovers = handovers
    _ = try await client.createConsumer(name, of: queue, hold: hold)
  }

  /// A client of the server at an address, for the consumers of one stage.
  static func client(_ address: String) throws -> QueueClient {
    var configuration = QueueClient.Configuration(address: try ServerAddress(address))
    // Each request is counted: none is sent again unseen.
    configuration.retry = RetryPolicy(patience: .zero)
    return try QueueClient(configuration)
  }

  var facts: Facts { state.withLock { $0.facts } }

  /// Makes one request.
  /// - Throws: ``CommandFailure`` when a record came that wasn't due, or a loss was told wrongly.
  func pull(wait: Duration = .zero, maxBytes: Int = 1 << 20) async throws -> Pulled {
    let commit = state.withLock { state in
      state.facts.requests += 1
      return state.commit
    }
    var request = PullRequest(queue: queue, reader: .consumer(name, commit: commit))
    request.wait = wait
    request.maxBytes = maxBytes
    let batch: PulledBatch
    do { batch = try await client.pull(request) } catch { return try loss(error) }
    return try take(batch, at: .now)
  }

  /// Takes what the server pushes until the task is cancelled. Heartbeats count as empty answers.
  func follow(commitEvery interval: Duration, heartbeat: Duration) async throws {
    var request = StreamRequest(queue: queue, reader: .consumer(name))
    request.heartbeat = heartbeat
    state.withLock { $0.facts.requests += 1 }
    var due = ContinuousClock.now + interval
    var events = client.stream(request).makeAsyncIterator()
    while let event = try await events.next() {
      try take(event, at: .now)
      guard case .records = event, ContinuousClock.now >= due else { continue }
      try await commit()
      due = .now + interval
    }
  }

  private func take(_ event: StreamEvent, at moment: ContinuousClock.Instant) throws {
    switch event {
    case .records(let records):
      var body: [UInt8] = []
      for line in records.lines {
        body += line.utf8
        body.append(0x0A)
      }
      _ = try take(
        PulledBatch(first: records.first, next: records.next, records: records.lines.count, byteCount: body.count, body: body), at: moment)
    case .gap(let gap, let next):
      _ = try take(
        PulledBatch(first: WireOffset(epoch: next.epoch, offset: gap.first), next: next, records: 0, byteCount: 0, gap: gap, body: []),
        at: moment)
    case .heartbeat: state.withLock { $0.facts.emptyAnswers += 1 }
    }
  }

  /// Commits what it has, by a request of its own.
  func commit() async throws {
    let commit = state.withLock { state in
      if state.commit != nil { state.facts.requests += 1 }
      return state.commit
    }
    guard let commit else { return }
    _ = try await client.commit(commit, consumer: name, of: queue)
  }

  private func take(_ batch: PulledBatch, at moment: ContinuousClock.Instant) throws -> Pulled {
    if batch.isEmpty {
      state.withLock { $0.facts.emptyAnswers += 1 }
      return .nothing
    }
    let due = facts.next
    guard batch.first.offset == due, batch.gap == nil else {
      throw CommandFailure(
        .failure, "consumer '\(name)' was given records from \(batch.first) on where \(due) was due: this is a bug of Sluice")
    }
    if let wrong = lines.firstWrong(in: batch.body, from: due, count: batch.records) {
      throw CommandFailure(.failure, "consumer '\(name)' got another record than it should at offset \(wrong): this is a bug of Sluice")
    }
    state.withLock { state in
      handovers?.add(due..<due + UInt64(batch.records), receivedAt: moment, from: &state.place, to: &state.facts.latencies)
      state.commit = batch.next
      state.facts.next = batch.next.offset
      state.facts.received += UInt64(batch.records)
      state.facts.receivedBytes += UInt64(batch.byteCount)
      state.facts.largestBatchBytes = max(state.facts.largestBatchBytes, batch.byteCount)
    }
    return .records(batch.records, lag: batch.lagRecords)
  }

  /// What a consumer is told whose records are gone; any other error is thrown.
  private func loss(_ error: QueueClientError) throws -> Pulled {
    if error.code == .cancelled { throw CancellationError() }
    guard let problem = error.problem, problem.code == "data_lost", let oldest = problem.oldest, let records = problem.lostRecords else {
      throw error
    }
    let due = facts.next
    guard oldest.offset > due, oldest.offset - due == records else {
      throw CommandFailure(
        .failure, "consumer '\(name)' was told of \(records) lost records between \(due) and \(oldest): this is a bug of Sluice")
    }
    state.withLock { state in
      state.commit = oldest
      state.facts.next = oldest.offset
      state.facts.lost += records
      state.facts.losses += 1
    }
    return .loss(records)
  }
}
