internal import PipelineCore
internal import RecordBlocks

/// How far a subject has been taken into the queue: the checkpoint of its stream.
struct SubjectPlace: Equatable {
  /// The sequence of the subject's last message that was taken wholly.
  var sequence: UInt64
  /// The queue that its records come from; nil before its first message.
  var queue: QueueID?
  /// The offset of that queue which comes next.
  var next: Offset

  private static let version: UInt8 = 1

  /// A subject that nothing was taken of.
  static let new = SubjectPlace(sequence: 0, queue: nil, next: .zero)

  init(sequence: UInt64, queue: QueueID?, next: Offset) {
    self.sequence = sequence
    self.queue = queue
    self.next = next
  }

  /// What ``value`` gave.
  init?(_ value: [UInt8]) {
    var decoded: SubjectPlace?
    value.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      guard reader.integer(UInt8.self) == Self.version, let sequence = reader.integer(UInt64.self), let high = reader.integer(UInt64.self),
        let low = reader.integer(UInt64.self), let next = reader.integer(UInt64.self)
      else { return }
      decoded = SubjectPlace(sequence: sequence, queue: high == 0 && low == 0 ? nil : QueueID(high: high, low: low), next: Offset(next))
    }
    guard let decoded else { return nil }
    self = decoded
  }

  /// The checkpoint: version (1 byte), sequence, queue (16 bytes), next; little-endian.
  var value: [UInt8] {
    var bytes = [Self.version]
    bytes.appendInteger(sequence)
    bytes.appendInteger(queue?.high ?? 0)
    bytes.appendInteger(queue?.low ?? 0)
    bytes.appendInteger(next.rawValue)
    return bytes
  }

  /// What a message means for the subject.
  enum Meaning: Equatable {
    /// It was taken before, or all of its range was.
    case known
    /// Its records from ``SubjectPlace/next`` on are to be taken; before them, so many offsets are missing.
    case new(missing: Range<Offset>?)
  }

  /// Looks at a message's headers. A message of another queue begins the subject anew: its sink was given to that queue.
  mutating func meaning(of range: RangeHeader) -> Meaning {
    if queue != range.queue {
      queue = range.queue
      next = range.start
    }
    if range.next <= next { return .known }
    return .new(missing: range.first > next ? next..<range.first : nil)
  }
}

/// How far one of a source's subject patterns has been read over all its subjects: a checkpoint, too.
struct PatternPlace: Equatable {
  /// Every message up to this sequence is dealt with.
  var sequence: UInt64
  /// When the stream was made whose sequence that is.
  var created: String

  private static let version: UInt8 = 1

  init(sequence: UInt64, created: String) {
    self.sequence = sequence
    self.created = created
  }

  /// What ``value`` gave.
  init?(_ value: [UInt8]) {
    var decoded: PatternPlace?
    value.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      guard reader.integer(UInt8.self) == Self.version, let sequence = reader.integer(UInt64.self) else { return }
      decoded = PatternPlace(sequence: sequence, created: String(decoding: reader.rest(), as: UTF8.self))
    }
    guard let decoded else { return nil }
    self = decoded
  }

  /// The checkpoint: version (1 byte), sequence (8 bytes, little-endian), the time as text.
  var value: [UInt8] {
    var bytes = [Self.version]
    bytes.appendInteger(sequence)
    bytes.append(contentsOf: created.utf8)
    return bytes
  }
}
