internal import PipelineRuntime
internal import QueueClient
internal import Synchronization

/// `sluice pull --lease`: workers that borrow records from one consumer, each giving them to a command, and acknowledge what it has taken.
struct LeasedPull: Sendable {
  /// What is asked for.
  struct Plan: Sendable {
    var queue: String
    var consumer: String
    var create = false
    var from: OffsetArgument?
    /// Records that were lent so often become dead letters; nil leaves it.
    var maxDeliveries: Int?
    /// For how long records are borrowed; extended while a command runs.
    var duration: Duration
    var workers: Int
    var command: String
    var batchRecords: Int?
    var batchBytes: Int
    /// How long to wait for records.
    var wait = Duration.zero
    /// Go on with what comes later, and after a command that failed.
    var follow = false
  }

  /// After a command that failed its worker waits so long.
  private static let pause = Duration.seconds(1)

  let server: QueueClient
  let plan: Plan
  let stop: PullStop
  /// Says something on standard error.
  let tell: @Sendable (String) -> Void
  private let failure = FirstFailure()

  init(server: QueueClient, plan: Plan, stop: PullStop, tell: @escaping @Sendable (String) -> Void) {
    (self.server, self.plan, self.stop, self.tell) = (server, plan, stop, tell)
  }

  /// Makes the consumer where that is wanted, then lets the workers work until there is nothing to borrow, one fails, or a stop.
  func run() async throws {
    let epoch = try await server.queue(plan.queue).epoch
    if plan.create {
      _ = try await server.createLeaseConsumer(
        plan.consumer, of: plan.queue, startAt: (plan.from ?? .oldest).place(epoch: epoch), maxDeliveries: plan.maxDeliveries)
    } else {
      do throws(QueueClientError) { _ = try await server.consumer(plan.consumer, of: plan.queue) } catch {
        guard error.problem?.code == "unknown_consumer" else { throw error }
        throw CommandFailure(
          .usage,
          "\(plan.queue) has no consumer '\(plan.consumer)'; --create makes it ('sluice queue consumers' lists those it has)")
      }
    }
    await withTaskGroup(of: Void.self) { group in
      for number in 1...plan.workers {
        group.addTask {
          do { try await work(number) } catch {
            failure.note(error)
            stop.stop()
          }
        }
      }
    }
    if let error = failure.first { throw error }
    if !plan.follow, let leases = try await server.consumer(plan.consumer, of: plan.queue).leases, leases.onLoan + leases.waiting > 0 {
      tell(
        "nothing more to borrow; \(HumanText.count(leases.onLoan, "range")) on loan to others and \(leases.waiting) that came back are not dealt with yet"
      )
    }
  }

  private func work(_ number: Int) async throws {
    var request = LeaseRequest(queue: plan.queue, consumer: plan.consumer, duration: plan.duration)
    request.maxBytes = plan.batchBytes
    request.maxRecords = plan.batchRecords
    request.wait = plan.follow ? .seconds(20) : plan.wait
    while !stop.isStopping {
      let found: LeasedRecords?
      do {
        found = try await stop.stoppable { [server, request] in try await server.lease(request) }
      } catch let error as QueueClientError {
        if error.code == .cancelled, stop.isStopping { return }
        throw error
      }
      guard let leased = found else {
        if plan.follow { continue }
        return
      }
      if let gap = leased.batch.gap { tell(gap.sentence) }
      do {
        if leased.batch.records > 0 { try await give(leased, worker: number) }
      } catch let error as CommandFailure {
        try await unlessLost(leased) { () async throws(QueueClientError) in
          try await server.release(leased.lease, consumer: plan.consumer, of: plan.queue)
        }
        guard plan.follow else { throw error }
        tell(error.message)
        try await Task.sleep(for: Self.pause)
        continue
      }
      try await unlessLost(leased) { () async throws(QueueClientError) in
        try await server.acknowledge(leased.lease, consumer: plan.consumer, of: plan.queue)
      }
    }
  }

  /// Runs the command, and extends the lease for as long as it takes.
  private func give(_ leased: LeasedRecords, worker: Int) async throws {
    try await withThrowingTaskGroup(of: Bool.self) { group in
      defer { group.cancelAll() }
      group.addTask {
        try await ThreadExecutor.run(named: "command") { () async throws(any Error) in try run(leased, worker: worker) }
        return true
      }
      group.addTask {
        while true {
          try await Task.sleep(for: plan.duration / 3)
          do throws(QueueClientError) {
            try await server.extend(leased.lease, consumer: plan.consumer, of: plan.queue, for: plan.duration)
          } catch {
            // Whether it still has them is told when they are acknowledged.
            if error.code != .cancelled { return false }
          }
        }
      }
      while let isDone = try await group.next() { if isDone { return } }
    }
  }

  private func run(_ leased: LeasedRecords, worker: Int) throws {
    let batch = leased.batch
    let process = try ShellCommand(
      plan.command,
      environment: [
        (name: "SLUICE_FIRST_OFFSET", value: batch.first.description), (name: "SLUICE_NEXT_OFFSET", value: batch.next.description),
        (name: "SLUICE_RECORDS", value: String(batch.records)), (name: "SLUICE_QUEUE", value: leased.deadLetterQueue ?? plan.queue),
        (name: "SLUICE_CONSUMER", value: plan.consumer), (name: "SLUICE_LEASE", value: leased.lease),
        (name: "SLUICE_DELIVERIES", value: String(leased.deliveries)), (name: "SLUICE_WORKER", value: String(worker)),
      ])
    try batch.body.withUnsafeBytes { try process.write($0) }
    try process.finish(otherwise: "records \(batch.first) to \(batch.next) were given back, delivery \(leased.deliveries)")
  }

  private func unlessLost(_ leased: LeasedRecords, _ body: () async throws(QueueClientError) -> Void) async throws {
    do throws(QueueClientError) { try await body() } catch {
      guard error.problem?.code == "lease_lost" else { throw error }
      tell(
        "the lease of records \(leased.batch.first) to \(leased.batch.next) ended too early, and they are given again: a longer --lease helps"
      )
    }
  }
}

/// The first error of several workers.
private final class FirstFailure: Sendable {
  private let error = Mutex<(any Error)?>(nil)
  var first: (any Error)? { error.withLock { $0 } }
  func note(_ new: any Error) { error.withLock { $0 = $0 ?? new } }
}
