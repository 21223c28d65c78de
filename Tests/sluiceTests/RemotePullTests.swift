internal import QueueClient
internal import Testing

@testable internal import sluice

@Suite struct `A pull from a server` {
  private static let records = (0..<20).map { "record \($0)" }

  private func server(_ change: (inout SimulatedQueueServer.State) -> Void = { _ in }) -> SimulatedQueueServer {
    var state = SimulatedQueueServer.State(records: Self.records)
    change(&state)
    return SimulatedQueueServer(state)
  }

  private func plan(_ change: (inout RemotePull<SimulatedQueueServer>.Plan) -> Void = { _ in }) -> RemotePull<SimulatedQueueServer>.Plan {
    var plan = RemotePull<SimulatedQueueServer>.Plan(queue: "app", consumer: "nightly", commits: true)
    plan.batchRecords = 6
    change(&plan)
    return plan
  }

  /// Draws, and returns what was told.
  @discardableResult
  private func draw(
    _ plan: RemotePull<SimulatedQueueServer>.Plan, from server: SimulatedQueueServer, into destination: KeptBatches,
    stop: PullStop = PullStop()
  ) async throws -> [String] {
    var told: [String] = []
    let pull = RemotePull(server: server, plan: plan, stop: stop) { told.append($0) }
    try await pull.draw(from: try await pull.begin(), into: destination)
    return told
  }

  @Test func `each batch is committed by the pull after it, and the last by itself`() async throws {
    let server = server()
    let kept = KeptBatches()
    var cursors: [UInt64] = []
    kept.onTake = { cursors.append(server.state.cursor) }
    try await draw(plan(), from: server, into: kept)
    #expect(kept.text == Self.records.map { $0 + "\n" }.joined())
    #expect(kept.isFinished)
    #expect(cursors == [0, 6, 12, 18])
    #expect(server.state.cursor == 20)
    #expect(server.pulls.count == 4, "the end was known: nothing was asked for behind it")
  }

  @Test func `a batch that the destination doesn't take is not committed`() async throws {
    let server = server()
    let kept = KeptBatches()
    kept.failsAt = 2
    await #expect(throws: CommandFailure.self) { try await draw(plan(), from: server, into: kept) }
    #expect(server.state.cursor == 12)
    #expect(!kept.isFinished)
  }

  @Test func `records that come while it draws are left to the next pull`() async throws {
    let server = server()
    let kept = KeptBatches()
    kept.onTake = { server.change { $0.records.append("later") } }
    try await draw(plan { $0.batchRecords = 5 }, from: server, into: kept)
    #expect(kept.batches.count == 4)
    #expect(server.state.cursor == 20)
  }

  @Test func `limits hold over all batches`() async throws {
    let server = server()
    let kept = KeptBatches()
    try await draw(plan { $0.maxRecords = 8 }, from: server, into: kept)
    #expect(kept.batches.map(\.records) == [6, 2])
    #expect(server.state.cursor == 8)
    try await draw(plan { $0.maxBytes = 25 }, from: server, into: kept)
    #expect(server.state.cursor == 10)
  }

  @Test func `without a commit the consumer stays where it is, and its records are still all drawn`() async throws {
    let server = server { $0.cursor = 7 }
    let kept = KeptBatches()
    try await draw(plan { $0.commits = false }, from: server, into: kept)
    #expect(kept.batches.map(\.records) == [6, 6, 1])
    #expect(server.state.cursor == 7)
    #expect(server.pulls.allSatisfy { if case .place = $0.reader { true } else { false } })
  }

  @Test func `without a consumer it reads from where it is told`() async throws {
    let kept = KeptBatches()
    try await draw(
      plan { ($0.consumer, $0.commits, $0.from) = (nil, false, .told(WireOffset(epoch: 3, offset: 15))) }, from: server(), into: kept)
    #expect(kept.batches.map(\.records) == [5])
    let none = KeptBatches()
    try await draw(plan { ($0.consumer, $0.commits, $0.from) = (nil, false, .newest) }, from: server(), into: none)
    #expect(none.batches.isEmpty && none.isFinished)
  }

  @Test func `a consumer is made only where that is asked for`() async throws {
    let server = server { $0.hasConsumer = false }
    let error = await #expect(throws: CommandFailure.self) { try await draw(plan(), from: server, into: KeptBatches()) }
    #expect(error?.code == .usage)
    #expect(error?.message.contains("--create") == true)
    try await draw(plan { $0.create = true }, from: server, into: KeptBatches())
    #expect(server.state.cursor == 20)
  }

  @Test func `lost records end it with what was lost and what to do`() async throws {
    let server = server { $0.oldest = 9 }
    let error = await #expect(throws: CommandFailure.self) { try await draw(plan(), from: server, into: KeptBatches()) }
    #expect(error?.message.contains("9 records") == true && error?.message.contains("--skip-lost") == true, "\(error?.message ?? "")")
    #expect(server.state.cursor == 0)
  }

  @Test func `with --skip-lost it goes on at the oldest record, and says so`() async throws {
    let server = server { $0.oldest = 9 }
    let kept = KeptBatches()
    let told = try await draw(plan { $0.skipLost = true }, from: server, into: kept)
    #expect(kept.text == Self.records[9...].map { $0 + "\n" }.joined())
    #expect(told.count == 1 && told[0].contains("9 records") && told[0].contains("3-9"), "\(told)")
    #expect(server.state.cursor == 20)
  }

  @Test func `a gap is told with its reason and counts`() async throws {
    let server = server()
    server.putGap(PulledGap(first: 3, next: 8, reason: "drop_newest", records: 5, bytes: 50))
    let told = try await draw(plan(), from: server, into: KeptBatches())
    #expect(told == ["gap at 3..<8: 5 records lost (drop_newest, 50 B)"])
  }

  @Test func `a stop of one that follows commits what was drawn`() async throws {
    let server = server()
    let stop = PullStop()
    let kept = KeptBatches()
    kept.onTake = { if kept.batches.count == 2 { stop.stop() } }
    try await draw(plan { $0.follow = true }, from: server, into: kept, stop: stop)
    #expect(kept.batches.count == 2)
    #expect(kept.isFinished)
    #expect(server.state.cursor == 12)
    #expect(server.pulls.allSatisfy { $0.wait == .seconds(20) })
  }

  @Test func `a request that is given up by a stop is no error`() async throws {
    let stop = PullStop()
    let result: Result<Void, any Error> = await withTaskGroup(of: Result<Void, any Error>.self) { group in
      group.addTask {
        do { return .success(try await stop.stoppable { try await Task.sleep(for: .seconds(3600)) }) } catch { return .failure(error) }
      }
      stop.stop()
      return await group.next()!
    }
    #expect(throws: CancellationError.self) { try result.get() }
  }

  @Test func `an error of the server ends it`() async throws {
    let server = server()
    server.fail(SimulatedQueueServer.problem(409, "commit_out_of_range"))
    await #expect(throws: QueueClientError.self) { try await draw(plan(), from: server, into: KeptBatches()) }
  }

  @Test func `a sink's cursor is not for pulls`() async throws {
    #expect(ExitCode(SimulatedQueueServer.problem(409, "wrong_mode")) == .usage)
    #expect(ExitCode(SimulatedQueueServer.problem(404, "unknown_queue")) == .usage)
    #expect(ExitCode(SimulatedQueueServer.problem(410, "data_lost")) == .failure)
  }

  @Test func `progress is told in one line`() {
    #expect(
      PullProgress.text("pulling app", records: 1500, bytes: 3 << 20, elapsed: 2, lagRecords: 10, lagBytes: 2048)
        == "pulling app  1,500 records, 3.0 MiB, 1.6 MB/s; 10 records left (2.0 KiB)")
    #expect(
      PullProgress.text("pulling app", records: 1, bytes: 5, elapsed: 0, lagRecords: 0, lagBytes: 0)
        == "pulling app  1 record, 5 B; nothing left")
  }
}
