public import RecordBlocks

/// An offset as clients outside the process keep it, with the opening of the queue in which it was told.
///
/// An offset that was told is durable, so no later opening gives it to another record. The epoch is the second lock on that door: where a
/// queue was put back from a copy, or lost its end with everything that told of it, an offset told before may have been given again since.
public struct EpochOffset: Hashable, Sendable, CustomStringConvertible {
  /// The opening of the queue in which the offset was told.
  public var epoch: UInt32
  /// The offset.
  public var offset: Offset

  /// The offset as it was told in `epoch`.
  public init(epoch: UInt32, offset: Offset) {
    self.epoch = epoch
    self.offset = offset
  }

  /// What ``description`` gives: `E-N`, two decimal numbers without signs or leading zeros; nil for anything else. `N` is below 2^63.
  public init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.count == 2, let epoch = Self.decimal(parts[0]).flatMap(UInt32.init(exactly:)), let offset = Self.decimal(parts[1]) else {
      return nil
    }
    self.init(epoch: epoch, offset: Offset(offset))
  }

  /// `E-N`: the epoch and the offset.
  public var description: String { "\(epoch)-\(offset)" }

  private static func decimal(_ digits: Substring.UTF8View) -> UInt64? {
    guard let first = digits.first, digits.count == 1 || first != UInt8(ascii: "0"), digits.count <= 19,
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    // Nineteen digits are less than 2^64.
    let value = digits.reduce(UInt64(0)) { $0 * 10 + UInt64($1 - UInt8(ascii: "0")) }
    return value < 1 << 63 ? value : nil
  }
}
