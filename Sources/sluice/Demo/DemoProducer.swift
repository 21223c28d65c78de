internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// Hands a demonstration's records to the queue, as a source does, and notes how it fares.
final class DemoProducer: Sendable {
  /// What has become of it so far.
  struct Facts: Sendable {
    /// Records handed over; also the next one's number.
    var records: UInt64 = 0
    /// Their bytes of lines.
    var bytes: UInt64 = 0
    /// How often it waited for at least ``DemoProducer/noticeableWait``, and how long in all.
    var waits = 0
    var waited = Duration.zero
    /// The longest that the queue took to take a batch.
    var longestWrite = Duration.zero
    /// Since when it has been handing over what it has in hand.
    var isWritingSince: ContinuousClock.Instant?
    /// It has ended, and all of its records are on the disk.
    var hasEnded = false
  }

  /// A write that takes as long has waited for the queue.
  static let noticeableWait = Duration.milliseconds(20)

  private let queue: SegmentQueue
  private let writer: SourceWriter
  private let lines: DemoLines
  private let handovers: Handovers?
  private let state = Mutex(Facts())

  init(_ stage: DemoStage, _ lines: DemoLines, handovers: Handovers? = nil) throws {
    queue = stage.queue
    writer = try stage.queue.writer(source: "demo", whenFull: .wait)
    self.lines = lines
    self.handovers = handovers
  }

  var facts: Facts { state.withLock { $0 } }

  /// How long it has been waiting, if that is noticeable.
  var waitingFor: Duration? {
    guard let since = facts.isWritingSince, case let wait = ContinuousClock.now - since, wait >= Self.noticeableWait else { return nil }
    return wait
  }

  /// Hands over the next `count` records; suspends while the queue can't take them.
  /// - Returns: how long that took.
  @discardableResult
  func write(_ count: Int) async throws -> Duration {
    let began = ContinuousClock.now
    let first = state.withLock { state in
      state.isWritingSince = began
      return state.records
    }
    handovers?.note(end: first + UInt64(count))
    try await writer.write(lines.batch(from: first, count: count), checkpoints: [])
    let took = ContinuousClock.now - began
    let bytes = UInt64(lines.byteCount(from: first, count: count))
    state.withLock { state in
      state.isWritingSince = nil
      state.records += UInt64(count)
      state.bytes += bytes
      state.longestWrite = max(state.longestWrite, took)
      if took >= Self.noticeableWait {
        state.waits += 1
        state.waited += took
      }
    }
    return took
  }

  /// Hands over records at a steady rate until `end`, in batches of every so often.
  /// - Parameter note: called behind each batch with what the queue took to take it.
  func write(bytesPerSecond: Double, every interval: Duration, until end: ContinuousClock.Instant, note: (Duration) -> Void = { _ in })
    async throws
  {
    let count = max(1, Int(bytesPerSecond * interval.seconds / Double(lines.meanLineBytes)))
    var due = ContinuousClock.now
    while due < end {
      note(try await write(count))
      due += interval
      try await Task.sleep(until: due, tolerance: .zero, clock: .continuous)
    }
  }

  /// Ends: what it handed over is on the disk on return.
  func end() async throws {
    try await queue.synchronize()
    state.withLock { $0.hasEnded = true }
  }
}
