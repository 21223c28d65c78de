/// Where a part of a message stands in its datagram.
struct ByteRange: Sendable, Hashable {
  /// The first byte's index.
  var start: Int
  /// The index after the last byte.
  var end: Int

  /// No such part; differs from a part that is there and empty.
  static let absent = ByteRange(start: -1, end: -1)

  var isPresent: Bool { start >= 0 }
  var count: Int { end - start }
}
