/// Something that a stream gives.
public enum StreamEvent: Sendable, Hashable {
  /// Records, in order.
  case records(StreamedRecords)
  /// Records that were lost, in their place.
  case gap(PulledGap, next: WireOffset)
  /// Nothing came for a while; so many records are durable behind `next`.
  case heartbeat(next: WireOffset, lagRecords: UInt64)

  /// Where the stream stands behind it: what is committed when it is safe, and where another stream goes on.
  public var next: WireOffset {
    switch self {
    case .records(let records): records.next
    case .gap(_, let next): next
    case .heartbeat(let next, _): next
    }
  }
}

/// The records of one event.
public struct StreamedRecords: Sendable, Hashable {
  /// The first record's offset.
  public var first: WireOffset
  /// The offset behind the last.
  public var next: WireOffset
  /// The records, without line feeds.
  public var lines: [String]
  /// Records that were durable behind it when it was read.
  public var lagRecords: UInt64
  /// How many of the lines had bytes that are no UTF-8, each such part now U+FFFD. A pull gives every byte.
  public var replacedLines: Int

  /// Records of these facts.
  public init(first: WireOffset, next: WireOffset, lines: [String], lagRecords: UInt64 = 0, replacedLines: Int = 0) {
    self.first = first
    self.next = next
    self.lines = lines
    self.lagRecords = lagRecords
    self.replacedLines = replacedLines
  }
}

/// An event as it comes.
struct WireEvent: Decodable, Sendable {
  var type: String
  var first: WireOffset?
  var next: WireOffset?
  var lag: UInt64?
  var lines: [String]?
  var replaced: Int?
  var reason: String?
  var records: UInt64?
  var bytes: UInt64?
  var status: Int?
  var code: String?
  var detail: String?
}
