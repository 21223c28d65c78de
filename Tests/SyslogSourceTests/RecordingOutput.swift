import Foundation
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
    case waitForCancellation
    /// Fails.
    case fail
  }

  struct Failure: Error {}

  /// A record's line, or a gap, in the order of their coming.
  enum Entry: Sendable, Equatable {
    case record([UInt8])
    case gap(Gap)
  }

  private struct State {
    var entries: [Entry] = []
    var records = 0
    var behaviour = Behaviour.take
    var attempts = 0
  }

  private let state = Mutex(State())

  var entries: [Entry] { state.withLock { $0.entries } }
  var recordCount: Int { state.withLock { $0.records } }
  /// How many writes were begun.
  var attempts: Int { state.withLock { $0.attempts } }

  var records: [[UInt8]] { entries.compactMap { if case .record(let line) = $0 { line } else { nil } } }

  func lost(_ reason: Gap.Reason) -> UInt64 {
    entries.reduce(0) { if case .gap(let gap) = $1, gap.reason == reason { $0 + gap.records } else { $0 } }
  }

  func behave(_ behaviour: Behaviour) { state.withLock { $0.behaviour = behaviour } }

  func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
    try Task.checkCancellation()
    let behaviour = state.withLock { state in
      state.attempts += 1
      return state.behaviour
    }
    switch behaviour {
    case .fail: throw Failure()
    case .waitForCancellation:
      // Ends when the test cancels the task, or lets writes pass again.
      while state.withLock({ if case .waitForCancellation = $0.behaviour { true } else { false } }) {
        try await Task.sleep(for: .milliseconds(1))
      }
    case .take: break
    }
    let lines = batch.withLines { lines in
      lines.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().map { [UInt8]($0) }
    }
    precondition(lines.count == batch.recordCount, "a batch's count differs from its lines")
    state.withLock { state in
      state.entries += lines.map { .record($0) }
      state.records += lines.count
    }
    return Acknowledgement {}
  }

  func recordGap(_ gap: Gap) { state.withLock { $0.entries.append(.gap(gap)) } }

  func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]] { [] }

  /// Returns once `condition` holds; false after ten seconds without.
  func wait(until condition: () -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while !condition() {
      if ContinuousClock.now > deadline { return false }
      try await Task.sleep(for: .milliseconds(1))
    }
    return true
  }
}
