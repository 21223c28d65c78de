internal import RecordBlocks
internal import SegmentQueue

/// A queue as `GET /v1/status` tells of it: what ``QueueShape`` has, and what goes on around it.
struct QueueStatusShape: Encodable {
  /// Segments that are listed, the newest: a queue may have thousands.
  static let mostSegments = 100

  struct Loss: Encodable {
    var reason: String
    var records: UInt64
    var bytes: UInt64
  }

  struct Segment: Encodable {
    var name: String
    var firstOffset: UInt64
    var nextOffset: UInt64
    var storedBytes: Int64
    var isSealed: Bool
  }

  private enum CodingKeys: CodingKey {
    case deadLettersOf, recordsPerSecond, bytesPerSecond, fillsBecauseOf, inFlightBytes, diskRoom, losses, newestSegments, deadLetters
    case sources, sinks
  }

  private let queue: QueueShape
  private let deadLettersOf: String?
  private let activity: QueueActivity
  private let inFlightBytes: Int
  private let diskRoom: UInt64?
  private let losses: [Loss]
  private let newestSegments: [Segment]
  private let deadLetters: UInt64

  /// Blocking, but for a short time only.
  /// - Parameter deadLetters: records that were set aside and not given again.
  init(_ served: ServedQueue, deadLetters: UInt64) {
    let (status, activity) = (served.queue.status(), served.attachments.activity())
    queue = QueueShape(served, status, activity.forecasts, activity)
    deadLettersOf =
      served.name.hasSuffix(QueueShelf.deadLetterSuffix) ? String(served.name.dropLast(QueueShelf.deadLetterSuffix.count)) : nil
    self.activity = activity
    inFlightBytes = status.inFlightBytes
    diskRoom = status.diskRoom
    losses = status.losses.map { Loss(reason: $0.reason.name, records: $0.records, bytes: $0.bytes) }
    newestSegments = served.queue.newestSegments(Self.mostSegments).map {
      Segment(
        name: $0.name, firstOffset: $0.base.rawValue, nextOffset: $0.end.rawValue, storedBytes: $0.byteCount, isSealed: $0.isSealed)
    }
    self.deadLetters = deadLetters
  }

  func encode(to encoder: any Encoder) throws {
    try queue.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(deadLettersOf, forKey: .deadLettersOf)
    try container.encodeIfPresent(activity.recordsPerSecond, forKey: .recordsPerSecond)
    try container.encodeIfPresent(activity.bytesPerSecond, forKey: .bytesPerSecond)
    try container.encodeIfPresent(activity.fillsBecauseOf, forKey: .fillsBecauseOf)
    try container.encode(inFlightBytes, forKey: .inFlightBytes)
    try container.encodeIfPresent(diskRoom, forKey: .diskRoom)
    try container.encode(losses, forKey: .losses)
    try container.encode(newestSegments, forKey: .newestSegments)
    try container.encode(deadLetters, forKey: .deadLetters)
    try container.encodeIfPresent(activity.sources, forKey: .sources)
    try container.encodeIfPresent(activity.sinks, forKey: .sinks)
  }
}
