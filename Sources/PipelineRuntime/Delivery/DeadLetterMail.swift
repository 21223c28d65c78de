internal import Glibc
internal import RecordBlocks
internal import SegmentQueue

/// A range of rejected records on its way into the dead-letter queue.
///
/// Each write carries the checkpoint {seek count, offset after its last record} of the consumer's stream, in the same block as the
/// records: after a crash
/// what is there already is recognised and not appended again.
struct DeadLetterMail: ~Copyable {
  /// The stream of what a consumer sets aside of the queue's records.
  static let stream: UInt32 = 0
  /// The stream of what it sets aside of dead letters that were put back.
  static let againStream: UInt32 = 1
  /// The stream of what workers with leases never acknowledge, which is no longer in the order of the queue: its checkpoint tells of the last
  /// range only.
  static let leaseStream: UInt32 = 2
  /// Bytes of JSON after which a write is made.
  static let writeBytes = 256 << 10

  private let box: DeadLetterBox
  private let record: DeadLetterRecord
  private let stream: UInt32
  private let identity: [UInt8]
  private let seekCount: UInt64
  /// Where the range begins that the checkpoint tells of; nil where it tells of everything before its end.
  private let start: Offset?
  /// Everything before it was written by an earlier attempt.
  private let writtenUpTo: Offset
  private var batch = RecordBatch()
  private var next: Offset?
  private var count: UInt64 = 0

  /// Mail about records of `log`, whose consumer was set to another place so many times. What the box has written must be settled.
  init(
    _ box: DeadLetterBox, _ log: QueueID, stream: UInt32, seekCount: UInt64, from start: Offset? = nil, reason: String, status: String
  ) {
    self.box = box
    self.start = start
    self.stream = stream
    self.seekCount = seekCount
    record = DeadLetterRecord(consumer: box.writer.name, reason: reason, status: status)
    identity = LittleEndian.bytes(of: log.high) + LittleEndian.bytes(of: log.low)
    if let settledEnd = box.settledEnd(of: log, stream: stream, seekCount: seekCount, from: start) {
      writtenUpTo = settledEnd
    } else {
      writtenUpTo = .zero
    }
  }

  /// Adds the records of the slices that aren't there yet. Suspends while the dead-letter queue is full.
  mutating func append(_ slices: [BlockSlice]) async throws {
    for slice in slices {
      let lines = try slice.lines()
      var position = 0
      for index in 0..<slice.recordCount {
        let offset = slice.range.lowerBound + index
        let end = Self.end(of: lines, from: position)
        if offset >= writtenUpTo { add(lines.slice(position..<max(position, end - 1)), offset: offset, from: offset) }
        position = end
        if batch.byteCount >= Self.writeBytes { try await write() }
      }
    }
  }

  /// The same for slices of dead letters: their records, under the offsets that these have in their own queue.
  mutating func appendAgain(_ slices: [BlockSlice]) async throws {
    for slice in slices {
      let lines = try slice.lines()
      var position = 0
      for index in 0..<slice.recordCount {
        let offset = slice.range.lowerBound + index
        let end = Self.end(of: lines, from: position)
        if offset >= writtenUpTo {
          var original = RecordBatch()
          let line = lines.slice(position..<max(position, end - 1))
          // What is no dead letter was passed over before, and counted.
          if let number = line.withUnsafeBytes({ DeadLetters.appendRecord(of: $0, to: &original) }) {
            let bytes = original.intoSharedBytes()
            add(bytes.slice(0..<bytes.count - 1), offset: number, from: offset)
          }
        }
        position = end
        if batch.byteCount >= Self.writeBytes { try await write() }
      }
    }
  }

  /// Returns how many records were added, when they are on the disk.
  mutating func finish() async throws -> UInt64 {
    if !batch.isEmpty { try await write() }
    try await box.settled()
    return count
  }

  /// - Parameters:
  ///   - offset: what the dead letter tells.
  ///   - place: where the record stands in the log that it was given from.
  private mutating func add(_ bytes: SharedBytes, offset: Offset, from place: Offset) {
    record.append(bytes, offset: offset, to: &batch)
    next = place + 1
    count += 1
  }

  private mutating func write() async throws {
    guard let next else { return }
    let value =
      LittleEndian.bytes(of: seekCount) + LittleEndian.bytes(of: next.rawValue) + (start.map { LittleEndian.bytes(of: $0.rawValue) } ?? [])
    let full = exchange(&batch, with: RecordBatch())
    box.wrote(try await box.writer.write(full, checkpoints: [.set(stream: stream, identity: identity, value: value)]))
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
}
