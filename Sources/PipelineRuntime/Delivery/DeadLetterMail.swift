internal import Glibc
internal import RecordBlocks
internal import SegmentQueue

/// A range of rejected records on its way into the dead-letter queue.
///
/// Each write carries the checkpoint {seek count, offset after its last record} of the consumer's stream, in the same block as the
/// records: after a crash
/// what is there already is recognised and not appended again.
struct DeadLetterMail: ~Copyable {
  /// The one stream that a consumer has as a source of dead letters.
  static let stream: UInt32 = 0
  /// Bytes of JSON after which a write is made.
  static let writeBytes = 256 << 10

  private let writer: SourceWriter
  private let record: DeadLetterRecord
  private let identity: [UInt8]
  private let seekCount: UInt64
  private var hasIdentity: Bool
  /// Everything before it was written by an earlier attempt.
  private let writtenUpTo: Offset
  private var batch = RecordBatch()
  private var next: Offset?
  private var count: UInt64 = 0
  private var ticket: AppendTicket?

  init(_ writer: SourceWriter, consumer: String, queue: QueueID, seekCount: UInt64, reason: String, status: String) {
    self.writer = writer
    self.seekCount = seekCount
    record = DeadLetterRecord(consumer: consumer, reason: reason, status: status)
    identity = Self.bytes(of: queue.high) + Self.bytes(of: queue.low)
    let earlier = writer.checkpoints.first { $0.stream == Self.stream }
    hasIdentity = earlier?.identity == identity
    if hasIdentity, let value = earlier?.value, value.count == 16, Self.integer(value[0..<8]) == seekCount {
      writtenUpTo = Offset(Self.integer(value[8..<16]))
    } else {
      writtenUpTo = .zero
    }
  }

  /// Adds the records of the slices that aren't there yet. Suspends while the dead-letter queue is full.
  mutating func append(_ slices: [BlockSlice]) async throws {
    for slice in slices {
      let lines = try slice.lines()
      var offset = slice.range.lowerBound
      var position = 0
      while offset < slice.range.upperBound {
        if offset >= writtenUpTo {
          position = add(lines, from: position, offset: offset)
        } else {
          position = Self.end(of: lines, from: position)
        }
        offset = offset + 1
        if batch.byteCount >= Self.writeBytes { try await write() }
      }
    }
  }

  /// Returns how many records were added, when they are on the disk.
  mutating func finish() async throws -> UInt64 {
    if !batch.isEmpty { try await write() }
    try await ticket?.durableUnlessCancelled()
    return count
  }

  private mutating func add(_ lines: SharedBytes, from position: Int, offset: Offset) -> Int {
    let end = Self.end(of: lines, from: position)
    record.append(lines.slice(position..<max(position, end - 1)), offset: offset, to: &batch)
    next = offset + 1
    count += 1
    return end
  }

  private mutating func write() async throws {
    guard let next else { return }
    let value = Self.bytes(of: seekCount) + Self.bytes(of: next.rawValue)
    let full = exchange(&batch, with: RecordBatch())
    ticket = try await writer.write(full, checkpoints: [.set(stream: Self.stream, identity: hasIdentity ? nil : identity, value: value)])
    hasIdentity = true
  }

  /// The position after the line feed of the line at `position`.
  private static func end(of lines: SharedBytes, from position: Int) -> Int {
    lines.withUnsafeBytes { bytes in
      guard position < bytes.count, let base = bytes.baseAddress, let found = memchr(base + position, 0x0A, bytes.count - position) else {
        return bytes.count
      }
      return UnsafeRawPointer(found) - base + 1
    }
  }

  private static func bytes(of value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }

  private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
