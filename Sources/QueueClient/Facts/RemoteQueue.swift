/// What a server tells of a queue.
public struct RemoteQueue: Sendable, Hashable, Codable {
  /// Its name at the server.
  public var name: String
  /// Its identity: another queue of the same name has another one.
  public var id: String
  /// The number of its present opening.
  public var epoch: UInt32
  /// The first offset that is kept.
  public var startOffset: WireOffset
  /// The offset behind the last record that is on the disk.
  public var durableEnd: WireOffset
  /// Records since its creation.
  public var records: UInt64
  /// Bytes of lines since its creation.
  public var bytes: UInt64
  /// Records that gaps tell of, since its creation.
  public var lostRecords: UInt64
  /// Bytes on the disk.
  public var storedBytes: UInt64
  /// The bound of ``storedBytes``; nil when the server doesn't tell.
  public var maxSize: UInt64?
  /// How many segments it has.
  public var segments: Int
  /// Whether producers wait for room.
  public var isFull: Bool
  /// Why it is full: a consumer's name, or what else there is to say.
  public var fullBecauseOf: String?
  /// How long until it is full at the present rate.
  public var secondsUntilFull: Double?
  /// Its consumers.
  public var consumers: [RemoteConsumer]

  enum CodingKeys: String, CodingKey {
    case name, id, epoch, records, bytes, segments, consumers
    case startOffset = "start_offset"
    case durableEnd = "durable_end"
    case lostRecords = "lost_records"
    case storedBytes = "stored_bytes"
    case maxSize = "max_size"
    case isFull = "is_full"
    case fullBecauseOf = "full_because_of"
    case secondsUntilFull = "seconds_until_full"
  }
}

/// What a server tells of a consumer.
public struct RemoteConsumer: Sendable, Hashable, Codable {
  /// Its name.
  public var name: String
  /// `pull`, or `sink` for a sink of a pipeline.
  public var kind: String
  /// `cursor`; a word of its own for what this version doesn't know.
  public var mode: String?
  /// The first record that it has not committed.
  public var cursor: WireOffset
  /// What its unread records pin, as in a pipeline file: `all`, a size, a share or a time.
  public var hold: String
  /// Records from its cursor to the durable end.
  public var lagRecords: UInt64
  /// The same in bytes of lines.
  public var lagBytes: UInt64
  /// Bytes on the disk that are kept for it.
  public var pinnedBytes: UInt64?
  /// Records that it was told as lost.
  public var lostRecords: UInt64
  /// The same in bytes of lines.
  public var lostBytes: UInt64
  /// How long it hasn't been heard of.
  public var silentSeconds: Double?
  /// How long until it begins to lose records at the present rate.
  public var secondsUntilLoss: Double?
  /// Why it can't be used.
  public var failure: String?
  /// Its ranges on loan and back; nil where it has a cursor that is committed.
  public var leases: RemoteLeases?
  /// Records a second by which its cursor goes on; only in a status, and nil before that was measured.
  public var recordsPerSecond: Double?
  /// The same in bytes of lines.
  public var bytesPerSecond: Double?
  /// By how many bytes of lines a second its lag grows; negative while it catches up. Only in a status.
  public var lagBytesPerSecond: Double?
  /// The rule by which it will lose records. Only in a status.
  public var lossCause: String?

  enum CodingKeys: String, CodingKey {
    case name, kind, mode, cursor, hold, failure, leases
    case lagRecords = "lag_records"
    case lagBytes = "lag_bytes"
    case pinnedBytes = "pinned_bytes"
    case lostRecords = "lost_records"
    case lostBytes = "lost_bytes"
    case silentSeconds = "silent_seconds"
    case secondsUntilLoss = "seconds_until_loss"
    case recordsPerSecond = "records_per_second"
    case bytesPerSecond = "bytes_per_second"
    case lagBytesPerSecond = "lag_bytes_per_second"
    case lossCause = "loss_cause"
  }
}

/// What a server tells of a consumer's leases.
public struct RemoteLeases: Sendable, Hashable, Codable {
  /// Ranges on loan.
  public var onLoan: Int
  /// Ranges that came back, to be lent again.
  public var waiting: Int
  /// Ranges that were acknowledged before what is in front of them.
  public var acknowledgedAhead: Int
  /// Records that were lent so often become dead letters; 0 for never.
  public var maxDeliveries: Int

  enum CodingKeys: String, CodingKey {
    case waiting
    case onLoan = "on_loan"
    case acknowledgedAhead = "acknowledged_ahead"
    case maxDeliveries = "max_deliveries"
  }
}

/// What a server tells of a sealed segment.
public struct RemoteSegment: Sendable, Hashable, Codable {
  /// Its file's name.
  public var name: String
  /// The first offset in it.
  public var firstOffset: UInt64
  /// The offset behind its last.
  public var nextOffset: UInt64
  /// Bytes on the disk.
  public var storedBytes: UInt64
  /// When it was begun, as RFC 3339 has it.
  public var created: String?
  /// Where it can be had.
  public var url: String?

  enum CodingKeys: String, CodingKey {
    case name, created, url
    case firstOffset = "first_offset"
    case nextOffset = "next_offset"
    case storedBytes = "stored_bytes"
  }
}

/// What a server tells of a queue's dead letters.
public struct RemoteDeadLetters: Sendable, Hashable, Codable {
  /// Of one sink.
  public struct Sink: Sendable, Hashable, Codable {
    /// Its name.
    public var sink: String
    /// Dead letters that were put back and have not been delivered yet.
    public var pending: UInt64
  }

  /// The queue that they stand in, which is listed and read like any other.
  public var queue: String
  /// How many are kept.
  public var records: UInt64
  /// The sinks that have some.
  public var sinks: [Sink]
}

/// What became of a push.
public struct PushReceipt: Sendable, Hashable, Codable {
  /// The first record's offset.
  public var first: WireOffset
  /// The offset behind the last record.
  public var next: WireOffset
  /// How many records the body had.
  public var records: UInt64
  /// Their bytes, line feeds included.
  public var bytes: UInt64
  /// They had been taken before: an earlier answer under this key was lost.
  public var replayed: Bool
}
