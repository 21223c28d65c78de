public import RecordBlocks

/// What the headers of a message say of the records in it: enough to know, from a subject's last message alone, where its sink goes on.
///
/// | header | holds |
/// |---|---|
/// | `Sluice-Queue` | the queue's identity, 32 hexadecimal digits |
/// | `Sluice-First-Offset`, `Sluice-Next-Offset` | the range of that queue's offsets that the message covers |
/// | `Sluice-Start-Offset` | the offset of the first record ever published on the subject |
/// | `Sluice-Writer` | 16 hexadecimal digits that the publishing process has drawn |
/// | `Sluice-Gap` | the range was lost: `reason;records;bytes;first time;last time` (nanoseconds since 1970); no payload |
/// | `Sluice-Piece` | `2/5`: the second of five messages whose payloads together are the block of this range |
public struct RangeHeader: Sendable, Hashable {
  /// A part of a block that one message can't hold.
  public struct Piece: Sendable, Hashable {
    /// From 1 on.
    public var number: Int
    /// How many there are, at least 2.
    public var count: Int

    /// A part.
    public init(number: Int, count: Int) {
      self.number = number
      self.count = count
    }
  }

  /// More pieces than the largest block has at the smallest payload worth using (4 KiB).
  static let mostPieces = 20_000
  /// Room that the headers of a message take at most, NATS's own among them.
  static let mostBytes = 1024

  /// The queue that the records come from.
  public var queue: QueueID
  /// The first offset.
  public var first: Offset
  /// The offset after the range.
  public var next: Offset
  /// Where the subject's records began.
  public var start: Offset
  /// Who published it.
  public var writer: UInt64
  /// The loss that the range stands for, if it does.
  public var gap: Gap?
  /// Which part of the range's block it has, if it has a part.
  public var piece: Piece?

  /// A range of records.
  public init(queue: QueueID, first: Offset, next: Offset, start: Offset, writer: UInt64, gap: Gap? = nil, piece: Piece? = nil) {
    self.queue = queue
    self.first = first
    self.next = next
    self.start = start
    self.writer = writer
    self.gap = gap
    self.piece = piece
  }

  /// The headers of a message, as names and values.
  var fields: [(name: String, value: String)] {
    var fields = [
      ("Sluice-Queue", queue.description), ("Sluice-First-Offset", first.description), ("Sluice-Next-Offset", next.description),
      ("Sluice-Start-Offset", start.description), ("Sluice-Writer", String(writer, radix: 16)),
    ]
    if let gap { fields.append(("Sluice-Gap", "\(gap.reason.name);\(gap.records);\(gap.bytes);\(gap.firstTime);\(gap.lastTime)")) }
    if let piece { fields.append(("Sluice-Piece", "\(piece.number)/\(piece.count)")) }
    return fields.map { (name: $0.0, value: $0.1) }
  }

  /// What headers say; nil unless all of it makes sense: anybody may have published the message.
  init?(_ value: (String) -> String?) {
    guard let queue = value("Sluice-Queue").flatMap({ QueueID($0) }), let first = Self.offset(value("Sluice-First-Offset")),
      let next = Self.offset(value("Sluice-Next-Offset")), let start = Self.offset(value("Sluice-Start-Offset")),
      let writer = value("Sluice-Writer").flatMap({ UInt64($0, radix: 16) }), start <= first, first < next
    else { return nil }
    self.init(queue: queue, first: first, next: next, start: start, writer: writer)
    if let text = value("Sluice-Gap") {
      guard let gap = Self.gap(text) else { return nil }
      self.gap = gap
    }
    if let text = value("Sluice-Piece") {
      let numbers = text.split(separator: "/").map { Int($0) ?? 0 }
      guard gap == nil, numbers.count == 2, (2...Self.mostPieces).contains(numbers[1]), (1...numbers[1]).contains(numbers[0]) else {
        return nil
      }
      piece = Piece(number: numbers[0], count: numbers[1])
    }
  }

  private static func offset(_ text: String?) -> Offset? {
    guard let text, let number = UInt64(text), number < 1 << 62 else { return nil }
    return Offset(number)
  }

  private static func gap(_ text: String) -> Gap? {
    let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 5, let records = UInt64(parts[1]), records < 1 << 62, let bytes = UInt64(parts[2]), bytes < 1 << 62,
      let first = Int64(parts[3]), let last = Int64(parts[4])
    else { return nil }
    let reason = Gap.Reason.allCases.first { $0.name == parts[0] } ?? .dropped
    return Gap(reason: reason, records: records, bytes: bytes, firstTime: first, lastTime: last)
  }
}

extension Gap {
  /// What is left of the loss when the first `count` of its offsets were told already: a range that grew since.
  func withoutFirst(_ count: Int) -> Gap {
    if count == 0 { return self }
    var rest = self
    rest.records -= min(records, UInt64(count))
    rest.bytes = 0
    return rest
  }
}
