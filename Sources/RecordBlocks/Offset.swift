/// A record's number in its queue: 0 for the first, never used twice.
public struct Offset: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number itself.
  public var rawValue: UInt64

  /// The record numbered `rawValue`.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// The first offset of every queue.
  public static let zero = Offset(0)

  /// The decimal number.
  public var description: String { String(rawValue) }

  /// The order of records in the queue.
  public static func < (a: Offset, b: Offset) -> Bool { a.rawValue < b.rawValue }
  /// The offset `count` further on.
  public static func + (offset: Offset, count: Int) -> Offset { Offset(offset.rawValue + UInt64(count)) }
  /// How many offsets lie from `b` to `a`; `a` is not before `b`.
  public static func - (a: Offset, b: Offset) -> Int { Int(a.rawValue - b.rawValue) }
}
