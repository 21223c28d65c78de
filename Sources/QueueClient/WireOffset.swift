/// A record's number as it travels: with the epoch in which the queue told it, since an earlier life of the queue may have told of records
/// that a power cut took back.
public struct WireOffset: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The opening of the queue in which the number was told.
  public var epoch: UInt32
  /// The number itself.
  public var offset: UInt64

  /// The record `offset`, as told in `epoch`.
  public init(epoch: UInt32, offset: UInt64) {
    self.epoch = epoch
    self.offset = offset
  }

  /// Reads `E-N`, both decimal; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } }),
      let epoch = UInt32(parts[0]), let offset = UInt64(parts[1])
    else { return nil }
    self.init(epoch: epoch, offset: offset)
  }

  /// `E-N`.
  public var description: String { "\(epoch)-\(offset)" }

  /// Reads the string `E-N`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let value = WireOffset(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no offset of the form EPOCH-NUMBER")
    }
    self = value
  }

  /// Writes the string `E-N`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// A place in a queue, as a reader names it.
public enum QueuePlace: Hashable, Sendable, CustomStringConvertible {
  /// The first record that is kept.
  case oldest
  /// Behind the last durable record.
  case newest
  /// An offset that the server told.
  case at(WireOffset)
  /// The first record that was appended at or after a time, given as RFC 3339 has it.
  case time(String)

  /// As it stands in a request.
  public var description: String {
    switch self {
    case .oldest: "oldest"
    case .newest: "newest"
    case .at(let offset): offset.description
    case .time(let text): text
    }
  }
}
