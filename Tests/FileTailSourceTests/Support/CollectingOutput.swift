import PipelineCore
import RecordBlocks
import Synchronization

/// What a queue would have after each write, in memory: records, checkpoints and gaps. It can be made to die at any write.
final class CollectingOutput: RecordOutput {
  /// The process is gone: this write and all later ones never happened.
  struct Killed: Error {}

  /// One admitted write.
  struct Write {
    var lines: [UInt8]
    var recordCount: Int
    var lastIsUnended: Bool
    var firstContinues: Bool
    var changes: [CheckpointChange]
  }

  private struct State {
    var writes: [Write] = []
    var gaps: [Gap] = []
    var checkpoints: [UInt32: StreamCheckpoint] = [:]
    var history: [UInt32: [[UInt8]]] = [:]
    var killsAt: Int?
  }

  private let state = Mutex(State())

  /// Admits this many writes more in all, then fails.
  func kill(atWrite number: Int?) { state.withLock { $0.killsAt = number } }

  @discardableResult
  func write(_ batch: consuming RecordBatch, checkpoints changes: [CheckpointChange]) async throws -> Acknowledgement {
    let write = Write(
      lines: batch.withLines { Array($0) }, recordCount: batch.recordCount, lastIsUnended: batch.lastIsUnended,
      firstContinues: batch.firstContinues, changes: changes)
    try state.withLock { state in
      if let killsAt = state.killsAt, state.writes.count >= killsAt { throw Killed() }
      state.writes.append(write)
      for change in changes {
        switch change {
        case .set(let stream, let identity, let value):
          guard let known = identity ?? state.checkpoints[stream]?.identity else {
            preconditionFailure("a new stream came without its identity")
          }
          state.checkpoints[stream] = StreamCheckpoint(stream: stream, identity: known, value: value)
          state.history[stream, default: []].append(value)
        case .forget(let stream):
          state.checkpoints[stream] = nil
          state.history[stream] = nil
        }
      }
    }
    return Acknowledgement {}
  }

  func recordGap(_ gap: Gap) { state.withLock { $0.gaps.append(gap) } }

  func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]] {
    state.withLock { ($0.history[stream] ?? []).dropLast().reversed() }
  }

  /// What a restarted process finds.
  var checkpoints: [StreamCheckpoint] { state.withLock { $0.checkpoints.values.sorted { $0.stream < $1.stream } } }
  var writes: [Write] { state.withLock { $0.writes } }
  var gaps: [Gap] { state.withLock { $0.gaps } }

  /// The bytes as a sink with one input reproduces them.
  var reproduced: [UInt8] {
    var bytes: [UInt8] = []
    var owesFeed = false
    for write in writes where write.recordCount > 0 {
      if owesFeed, !write.firstContinues { bytes.append(0x0A) }
      bytes += write.lines
      owesFeed = write.lastIsUnended
      if owesFeed { bytes.removeLast() }
    }
    return bytes
  }

  /// The records, line feeds taken off.
  var records: [String] {
    writes.flatMap { write in
      precondition(write.lines.count { $0 == 0x0A } == write.recordCount, "a batch miscounts its records")
      return write.lines.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().map { String(decoding: $0, as: UTF8.self) }
    }
  }
}
