import PipelineCore
import RecordBlocks
import Synchronization

/// Keeps what a source writes, and lets a test wait for it.
final class RecordingOutput: RecordOutput {
  /// What a write does.
  enum Behaviour: Sendable {
    /// Takes the batch.
    case take
    /// Waits until the task is cancelled, then refuses, as a full queue does.
    case block
    /// Fails.
    case fail
  }

  struct Failure: Error {}

  private struct State {
    var bytes: [UInt8] = []
    var records: [[UInt8]] = []
    var batches = 0
    var largestBatch = 0
    var owesLineFeed = false
    var gaps: [Gap] = []
    var behaviour = Behaviour.take
    var attempts = 0
  }

  private let state = Mutex(State())

  /// What a file sink would have written: the lines, without the line feeds that were not in the input.
  var bytes: [UInt8] { state.withLock { $0.bytes } }
  var records: [[UInt8]] { state.withLock { $0.records } }
  var gaps: [Gap] { state.withLock { $0.gaps } }
  /// How many writes were begun.
  var attempts: Int { state.withLock { $0.attempts } }
  var largestBatch: Int { state.withLock { $0.largestBatch } }

  func behave(_ behaviour: Behaviour) { state.withLock { $0.behaviour = behaviour } }

  func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
    try Task.checkCancellation()
    let behaviour = state.withLock { state in
      state.attempts += 1
      return state.behaviour
    }
    if behaviour == .fail { throw Failure() }
    while state.withLock({ $0.behaviour == .block }) { try await Task.sleep(for: .milliseconds(1)) }
    let (continues, unended, count) = (batch.firstContinues, batch.lastIsUnended, batch.recordCount)
    let lines = batch.withLines { Array($0) }
    let records = lines.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().map { Array($0) }
    precondition(records.count == count && count > 0, "a batch's count differs from its lines")
    state.withLock { state in
      if state.owesLineFeed && !continues { state.bytes.append(0x0A) }
      state.bytes += unended ? lines.dropLast() : lines[...]
      state.owesLineFeed = unended
      state.records += records
      state.largestBatch = max(state.largestBatch, lines.count)
    }
    return Acknowledgement {}
  }

  func recordGap(_ gap: Gap) { state.withLock { $0.gaps.append(gap) } }

  func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]] { [] }

  /// Returns once `condition` holds; false after ten seconds without.
  func wait(until condition: (RecordingOutput) -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while !condition(self) {
      if ContinuousClock.now > deadline { return false }
      try await Task.sleep(for: .milliseconds(1))
    }
    return true
  }
}
