internal import RecordBlocks

/// How far a stream was delivered: the value of its checkpoint.
struct StreamPlace: Hashable, Sendable {
  /// The most bytes before the position that the marker covers.
  static let maximumMarkerLength = 1024
  private static let version: UInt8 = 1

  private struct Flags {
    static let unended: UInt8 = 1
    static let replaced: UInt8 = 2
  }

  /// Everything before this (decompressed) position was delivered.
  var position: UInt64 = 0
  /// The hash of the `markerLength` bytes before the position: whether they still stand there.
  var markerHash = ContentHash([])
  /// `min(position, 1024)`; 0 with a position when nobody has looked (`start_at: end`).
  var markerLength = 0
  /// The last delivered record had no line feed: what follows goes on with it.
  var isUnended = false
  /// Another file took this one's path, so its unended last line is not waited for long.
  var isReplaced = false
  /// The boot that the position was true in: a power cut may have taken the file's end back since.
  var boot = BootID.unknown
  /// Counts the source's batches: after a restart it tells which stream wrote last.
  var sequence: UInt64 = 0
  /// Seconds since 1970 at which the file was first missed; 0 while it is there.
  var missingSince: Int64 = 0

  /// The stream that had this one's path before and is read to its end first; 0 for none.
  var predecessor: UInt32 = 0

  /// A file's beginning.
  init() {}

  /// The checkpoint's value bytes: version, flags, position (8), marker hash (8), marker length (2), boot id (16), sequence (8),
  /// missing since (8), predecessor (4).
  var encoded: [UInt8] {
    var bytes: [UInt8] = [Self.version, (isUnended ? Flags.unended : 0) | (isReplaced ? Flags.replaced : 0)]
    bytes.reserveCapacity(56)
    bytes.appendInteger(position)
    bytes.appendInteger(markerHash.value)
    bytes.appendInteger(UInt16(markerLength))
    bytes.appendInteger(boot.high)
    bytes.appendInteger(boot.low)
    bytes.appendInteger(sequence)
    bytes.appendInteger(missingSince)
    bytes.appendInteger(predecessor)
    return bytes
  }

  /// Reads value bytes; nil when they aren't of this version.
  init?(decoding bytes: [UInt8]) {
    let place: StreamPlace? = bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer)
      var place = StreamPlace()
      guard reader.integer(UInt8.self) == Self.version, let flags = reader.integer(UInt8.self), let position = reader.integer(UInt64.self),
        let hash = reader.integer(UInt64.self), let length = reader.integer(UInt16.self), length <= Self.maximumMarkerLength,
        length <= position,
        let high = reader.integer(UInt64.self), let low = reader.integer(UInt64.self), let sequence = reader.integer(UInt64.self),
        let missing = reader.integer(Int64.self), let predecessor = reader.integer(UInt32.self), reader.isAtEnd
      else { return nil }
      place.position = position
      place.markerHash = ContentHash(value: hash)
      place.markerLength = Int(length)
      place.isUnended = flags & Flags.unended != 0
      place.isReplaced = flags & Flags.replaced != 0
      place.boot = BootID(high: high, low: low)
      place.sequence = sequence
      place.missingSince = missing
      place.predecessor = predecessor
      return place
    }
    guard let place else { return nil }
    self = place
  }
}

extension StreamPlace {
  /// The position of a compressed file that `start_at: end` passes over: its length isn't known without inflating all of it.
  static let endOfCompressed = UInt64(Int64.max) - 4096
}
