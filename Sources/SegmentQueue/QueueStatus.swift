public import RecordBlocks
public import SystemPackage

/// A queue's facts at one moment.
public struct QueueStatus: Sendable {
  /// Its name.
  public var name: String
  /// Its directory.
  public var path: FilePath
  /// Its identity.
  public var id: QueueID
  /// How often it has been opened.
  public var epoch: UInt32
  /// The oldest record kept.
  public var startOffset: Offset
  /// The next offset to be given.
  public var endOffset: Offset
  /// Everything before it is on the disk.
  public var durableEnd: Offset
  /// Bytes of its segments on the disk.
  public var storedBytes: UInt64
  /// The bound of the former.
  public var maxSize: UInt64
  /// Bytes that may still be written until the disk has only ``QueueOptions/minFreeDisk`` left; nil when it doesn't tell.
  public var diskRoom: UInt64?
  /// Files of blocks.
  public var segmentCount: Int
  /// Bytes of lines admitted and not yet written.
  public var inFlightBytes: Int
  /// Records since its creation.
  public var totalRecords: UInt64
  /// Bytes of lines since its creation.
  public var totalBytes: UInt64
  /// Records lost in gaps of the log since its creation.
  public var totalLost: UInt64
  /// It has no room: sources wait or drop.
  public var isFull: Bool
  /// The consumer because of which it is full, if it is one.
  public var fullBecauseOf: String?
  /// Losses by reason since it was opened.
  public var losses: [Loss]
  /// Its consumers, opened here or not.
  public var consumers: [ConsumerStatus]

  /// Losses for one reason.
  public struct Loss: Sendable, Hashable {
    /// Why.
    public var reason: Gap.Reason
    /// How many records.
    public var records: UInt64
    /// How many bytes of lines.
    public var bytes: UInt64
  }
}

/// A consumer's facts at one moment.
public struct ConsumerStatus: Sendable, Hashable {
  /// Its name.
  public var name: String
  /// What kind of reader it is.
  public var kind: ConsumerKind
  /// The next record to read.
  public var cursor: Offset
  /// The end of the batch on its way, if one is.
  public var inFlightEnd: Offset?
  /// What it may pin.
  public var hold: Hold
  /// Records that are there for it and not yet committed.
  public var lagRecords: UInt64
  /// The same in bytes of lines.
  public var lagBytes: UInt64
  /// Stored bytes from its place to the end.
  public var pinnedBytes: UInt64
  /// Records that were in the log and that it lost: told to it as gaps, or gone from the queue and told next. What gaps of the log tell is
  /// in ``QueueStatus/totalLost``, for all consumers once.
  public var lostRecords: UInt64
  /// The same in bytes of lines.
  public var lostBytes: UInt64
  /// Since its last call, counted only while the queue is open; zero for a running pipeline's sink.
  public var silence: Duration
  /// Why its file can't be used, if it can't.
  public var failure: String?
  /// The ranges that it has out and has back; nil unless it is one of leases.
  public var leases: LeaseStatus?
}

/// The ranges of a consumer of leases at one moment.
public struct LeaseStatus: Sendable, Hashable {
  /// Ranges on loan.
  public var onLoan: Int
  /// Ranges that came back or whose lease ran out, to be given again.
  public var waiting: Int
  /// Ranges that were acknowledged before what is in front of them.
  public var acknowledgedAhead: Int
  /// Records in these; they don't count as behind.
  public var acknowledgedRecords: UInt64
  /// Bytes of lines in these.
  public var acknowledgedBytes: UInt64
  /// A range that was given so often is set aside; 0 for never.
  public var maxDeliveries: Int
}

extension SegmentQueue {
  /// The queue's facts; cheap enough to ask for twice a second.
  public func status() -> QueueStatus {
    let (end, tally, durable, isFull, because, inFlight, losses) = monitor.withLock { state in
      (
        state.endOffset, state.durableTally, state.durableEnd, state.isFull, state.fullBecauseOf, state.inFlightBytes,
        state.lossesSinceOpening
      )
    }
    return QueueStatus(
      name: name, path: path, id: id, epoch: epoch, startOffset: startOffset, endOffset: end, durableEnd: durable,
      storedBytes: store.storedBytes,
      maxSize: options.maxSize, diskRoom: diskRoom, segmentCount: store.all.count, inFlightBytes: inFlight, totalRecords: tally.records,
      totalBytes: tally.bytes,
      totalLost: tally.lost, isFull: isFull, fullBecauseOf: because,
      losses: losses.map { QueueStatus.Loss(reason: $0.key, records: $0.value.records, bytes: $0.value.bytes) }.sorted {
        $0.reason.rawValue < $1.reason.rawValue
      },
      consumers: consumers.withLock { Array($0.values) }.map { $0.status(of: self, end: tally) }.sorted { $0.name < $1.name })
  }
}
