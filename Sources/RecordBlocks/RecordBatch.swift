internal import Glibc

/// Records moved together in memory: one flat buffer of lines, each ended by a line feed.
///
/// A record is bytes without a line feed; nothing else about it is looked at. When the last record had no line feed in its input (the end
/// of a
/// finished file, or a piece of a line over the limit), ``lastIsUnended`` says so: the buffer has the line feed all the same.
public struct RecordBatch: ~Copyable, Sendable {
  private var storage: SharedBytes.Storage
  /// Bytes of lines, line feeds included.
  public private(set) var byteCount = 0
  /// How many records.
  public private(set) var recordCount = 0
  /// The last record had no line feed in its input; nothing can be appended after it.
  public private(set) var lastIsUnended = false
  /// The first record goes on where the same source's last unended record stopped: a sink that reproduces its input puts no line feed
  /// between them.
  public var firstContinues = false

  /// An empty batch with room for `minimumCapacity` bytes.
  public init(minimumCapacity: Int = 0) { storage = SharedBytes.Storage(capacity: minimumCapacity) }

  /// No records.
  public var isEmpty: Bool { recordCount == 0 }

  /// Appends one record and its line feed. `record` holds no line feed.
  public mutating func append(_ record: UnsafeRawBufferPointer, unended: Bool = false) {
    precondition(!lastIsUnended, "nothing follows an unended record in its batch")
    reserve(record.count + 1)
    if let source = record.baseAddress { (storage.base + byteCount).copyMemory(from: source, byteCount: record.count) }
    storage.base.storeBytes(of: 0x0A, toByteOffset: byteCount + record.count, as: UInt8.self)
    byteCount += record.count + 1
    recordCount += 1
    lastIsUnended = unended
  }

  /// Appends `count` whole lines as they are; `lines` ends with a line feed and holds exactly `count` of them.
  public mutating func appendLines(_ lines: UnsafeRawBufferPointer, count: Int) {
    precondition(!lastIsUnended, "nothing follows an unended record in its batch")
    guard let source = lines.baseAddress, lines.count > 0 else { return }
    reserve(lines.count)
    (storage.base + byteCount).copyMemory(from: source, byteCount: lines.count)
    byteCount += lines.count
    recordCount += count
  }

  /// Appends all records of another batch. The other's first record must not be a continuation unless this batch is empty.
  public mutating func append(contentsOf other: borrowing RecordBatch) {
    if other.isEmpty { return }
    if isEmpty { firstContinues = other.firstContinues } else { precondition(!other.firstContinues, "a continuation begins its batch") }
    appendLines(UnsafeRawBufferPointer(start: other.storage.base, count: other.byteCount), count: other.recordCount)
    lastIsUnended = other.lastIsUnended
  }

  /// Lets `body` write lines (or one JSON object a record) straight into at least `capacity` free bytes; it returns how many bytes it
  /// wrote and how many records they are.
  /// What it wrote ends with a line feed.
  public mutating func appendInPlace(capacity: Int, _ body: (UnsafeMutableRawBufferPointer) -> (bytes: Int, records: Int)) {
    precondition(!lastIsUnended, "nothing follows an unended record in its batch")
    reserve(capacity)
    let (bytes, records) = body(UnsafeMutableRawBufferPointer(start: storage.base + byteCount, count: storage.capacity - byteCount))
    precondition(bytes <= storage.capacity - byteCount, "wrote past the batch's room")
    byteCount += bytes
    recordCount += records
  }

  /// The lines, each with its line feed; valid only inside `body`.
  public func withLines<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try body(UnsafeRawBufferPointer(start: storage.base, count: byteCount))
  }

  /// Gives the lines up for sharing; the batch is used up.
  public consuming func intoSharedBytes() -> SharedBytes { SharedBytes(storage, count: byteCount) }

  private mutating func reserve(_ additional: Int) {
    let needed = byteCount + additional
    guard needed > storage.capacity else { return }
    let larger = SharedBytes.Storage(capacity: max(needed, storage.capacity * 2, 4096))
    larger.base.copyMemory(from: storage.base, byteCount: byteCount)
    storage = larger
  }
}
