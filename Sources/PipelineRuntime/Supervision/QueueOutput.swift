public import PipelineCore
public import RecordBlocks
public import SegmentQueue

/// A source's way into the queue, as the source sees it.
public struct QueueOutput: RecordOutput {
  private let writer: SourceWriter
  private let progress: Watched<SourceStatus>?

  /// What is written goes to `writer`.
  public init(_ writer: SourceWriter) { self.init(writer, progress: nil) }

  init(_ writer: SourceWriter, progress: Watched<SourceStatus>?) {
    self.writer = writer
    self.progress = progress
  }

  /// See ``RecordOutput/write(_:checkpoints:)``.
  @discardableResult
  public func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
    let (records, bytes) = (UInt64(batch.recordCount), UInt64(batch.byteCount))
    let ticket = try await writer.write(batch, checkpoints: checkpoints)
    progress?.change {
      $0.records += records
      $0.bytes += bytes
    }
    return Acknowledgement { try await ticket.durableUnlessCancelled() }
  }

  /// See ``RecordOutput/recordGap(_:)``.
  public func recordGap(_ gap: Gap) {
    writer.recordGap(gap)
    progress?.change { $0.lostRecords += gap.records }
  }

  /// See ``RecordOutput/writeGap(_:checkpoints:)``.
  @discardableResult
  public func writeGap(_ gap: Gap, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
    let ticket = try await writer.writeGap(gap, checkpoints: checkpoints)
    progress?.change { $0.lostRecords += gap.records }
    return Acknowledgement { try await ticket.durableUnlessCancelled() }
  }

  /// See ``RecordOutput/earlierCheckpoints(of:)``. Blocks the source's own thread.
  public func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]] { try writer.earlierCheckpoints(of: stream) }
}
