public import RecordBlocks

/// How much one read may give.
public struct BatchLimits: Sendable, Hashable {
  /// The most records.
  public var maxRecords: Int
  /// The most bytes of lines, line feeds included; one longer record comes alone.
  public var maxBytes: Int

  /// Limits of a read.
  public init(maxRecords: Int = .max, maxBytes: Int) {
    self.maxRecords = max(1, maxRecords)
    self.maxBytes = max(1, maxBytes)
  }
}

/// What one read gave: records, or one gap.
public struct QueueBatch: Sendable {
  /// Records or a loss.
  public enum Content: Sendable {
    /// The records of these slices, in order.
    case records([BlockSlice])
    /// The range was lost.
    case gap(Gap)
  }
  /// The first offset of the range.
  public let first: Offset
  /// The offset after it.
  public let next: Offset
  /// What is in it.
  public let content: Content
  /// Bytes of lines.
  public let byteCount: Int
  /// How many records.
  public let recordCount: Int
  /// The queue's counters at `next`.
  let tally: Tally
}
