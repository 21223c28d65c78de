/// What stands in front of a block's compressed lines, in the `SL` subfield of its gzip header. <doc:BlockFormat> has the byte table.
public struct BlockHeader: Sendable, Hashable {
  /// What a block is for.
  public enum Kind: UInt8, Sendable, Hashable {
    /// Records, and the checkpoints that cover exactly them.
    case lines = 0
    /// No records: checkpoints, names or a new epoch.
    case mark = 1
    /// Records that were lost; spans the offsets they had, or one when they never had any.
    case gap = 2
    /// A part of the snapshot that begins a segment.
    case snapshot = 3
  }

  /// Facts that an older reader may ignore.
  public struct Flags: OptionSet, Sendable, Hashable {
    /// The bits.
    public let rawValue: UInt16
    /// The flags of `rawValue`.
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    /// The last record had no line feed in its input.
    public static let lastIsUnended = Flags(rawValue: 1)
    /// The first record goes on where the source's last unended one stopped.
    public static let firstContinues = Flags(rawValue: 2)
    /// The snapshot ends with this block.
    public static let snapshotComplete = Flags(rawValue: 4)
  }

  /// The format's version that this code writes.
  public static let version: UInt8 = 1
  /// Bytes of a header without entries, gzip's own 16 and the checksum included.
  public static let minimumByteCount = 148
  /// The most bytes of entries that a header holds (a gzip extra field ends at 64 KiB).
  public static let maximumEntryBytes = 65_535 - 4 - 132
  /// The most bytes of lines that a block may claim; anything above is damage.
  public static let maximumLineBytes = 72 << 20

  /// See ``Kind``.
  public var kind: Kind
  /// See ``Flags``.
  public var flags: Flags
  /// The queue that the block belongs to.
  public var queueID: QueueID
  /// The segment's own random number: bytes of an older file that turn up in this one don't have it.
  public var salt: UInt32
  /// Bytes of the whole gzip member.
  public var memberByteCount: Int
  /// The first record's offset.
  public var base: Offset
  /// How many offsets the block takes: its records, or what a gap spans.
  public var offsetCount: UInt64
  /// Bytes of the lines, uncompressed, line feeds included.
  public var lineByteCount: Int
  /// The source of the lines (its name stands in a snapshot); 0 for blocks of the queue's own.
  public var source: UInt32
  /// Wall time at which the first record was appended, nanoseconds since 1970. For display and templates only.
  public var firstTime: Int64
  /// The same of the last record.
  public var lastTime: Int64
  /// How long the queue had been open, all its life, when the block was written; nanoseconds. Age is told by this.
  public var openAge: UInt64
  /// How often the queue had been opened.
  public var epoch: UInt32
  /// Records in the queue before this block since its creation.
  public var cumulativeRecords: UInt64
  /// Bytes of lines before this block since the queue's creation.
  public var cumulativeBytes: UInt64
  /// Records lost in gaps before this block since the queue's creation.
  public var cumulativeLost: UInt64
  /// The durable end that was known when the block was written.
  public var durableEnd: Offset
  /// CRC-32 of everything after the header.
  public var bodyChecksum: UInt32
  /// Checkpoints and such; see ``BlockEntry``.
  public var entries: [BlockEntry]
  /// Bytes of the header itself: where the compressed data begins.
  public internal(set) var byteCount = 0

  /// The first offset after the block.
  public var end: Offset { Offset(base.rawValue + offsetCount) }
  /// How many records it holds; 0 unless it is of lines.
  public var recordCount: Int { kind == .lines ? Int(offsetCount) : 0 }
  /// The gap that it stands for, if it is one.
  public var gap: Gap? {
    for case .gap(let gap) in entries { return gap }
    return nil
  }

  /// The key under which a client sent its lines, if it did.
  public var keyedBody: KeyedBody? {
    guard kind == .lines || kind == .mark else { return nil }
    for case .key(let body) in entries { return body }
    return nil
  }

  /// A header; lengths and checksum are filled in when the member is put together.
  public init(
    kind: Kind, flags: Flags = [], queueID: QueueID, salt: UInt32, base: Offset, offsetCount: UInt64 = 0, lineByteCount: Int = 0,
    source: UInt32 = 0,
    firstTime: Int64, lastTime: Int64, openAge: UInt64, epoch: UInt32, cumulativeRecords: UInt64, cumulativeBytes: UInt64,
    cumulativeLost: UInt64,
    durableEnd: Offset, entries: [BlockEntry] = []
  ) {
    self.kind = kind
    self.flags = flags
    self.queueID = queueID
    self.salt = salt
    self.memberByteCount = 0
    self.base = base
    self.offsetCount = offsetCount
    self.lineByteCount = lineByteCount
    self.source = source
    self.firstTime = firstTime
    self.lastTime = lastTime
    self.openAge = openAge
    self.epoch = epoch
    self.cumulativeRecords = cumulativeRecords
    self.cumulativeBytes = cumulativeBytes
    self.cumulativeLost = cumulativeLost
    self.durableEnd = durableEnd
    self.bodyChecksum = 0
    self.entries = entries
  }
}

/// A queue's identity: 16 random bytes, told at its creation.
public struct QueueID: Sendable, Hashable, CustomStringConvertible {
  /// The first eight bytes.
  public var high: UInt64
  /// The last eight bytes.
  public var low: UInt64

  /// The identity of these 16 bytes.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A new one.
  public static func random() -> QueueID { QueueID(high: .random(in: 1 ... .max), low: .random(in: .min ... .max)) }

  /// 32 hexadecimal digits.
  public var description: String {
    [high, low].map { half in String(repeating: "0", count: half.leadingZeroBitCount / 4 - (half == 0 ? 1 : 0)) + String(half, radix: 16) }
      .joined()
  }

  /// The identity that `description` gave, or nil.
  public init?(_ description: String) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9"), letters = UInt8(ascii: "a")...UInt8(ascii: "f")
    guard description.utf8.count == 32, description.utf8.allSatisfy({ digits.contains($0) || letters.contains($0) }) else { return nil }
    guard let high = UInt64(description.prefix(16), radix: 16), let low = UInt64(description.suffix(16), radix: 16) else { return nil }
    self.init(high: high, low: low)
  }
}
