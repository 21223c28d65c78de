import PipelineCore
import RecordBlocks

@testable import PipelineRuntime

/// A source of given lines that goes on where its checkpoint says: the number of lines written.
final class ScriptedSource: Source {
  private let lines: [String]
  private let batchCount: Int
  private let pace: @Sendable (_ run: Int, _ written: Int) async throws -> Void
  let runs = Watched(0)

  /// - Parameter pace: called before each batch and at the end; may wait or throw.
  init(
    _ lines: [String], batches batchCount: Int = 10,
    pace: @escaping @Sendable (_ run: Int, _ written: Int) async throws -> Void = { _, _ in }
  ) {
    self.lines = lines
    self.batchCount = batchCount
    self.pace = pace
  }

  func run(from checkpoints: [StreamCheckpoint], into output: some RecordOutput) async throws {
    runs.change { $0 += 1 }
    let run = runs.value
    var written = checkpoints.first { $0.stream == 1 }.flatMap { Int(String(decoding: $0.value, as: UTF8.self)) } ?? 0
    while written < lines.count {
      try await pace(run, written)
      try Task.checkCancellation()
      var batch = RecordBatch()
      for line in lines[written..<min(written + batchCount, lines.count)] {
        var line = line
        line.withUTF8 { batch.append(UnsafeRawBufferPointer($0)) }
      }
      written += batch.recordCount
      try await output.write(batch, checkpoints: [.set(stream: 1, identity: [1], value: Array("\(written)".utf8))])
    }
    try await pace(run, written)
  }
}

/// Waits until the task is cancelled.
@Sendable func untilCancelled() async throws {
  try await Task.sleep(for: .seconds(3600))
}
