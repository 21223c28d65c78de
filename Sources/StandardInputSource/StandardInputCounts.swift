/// What a standard input source has done since it was made. Each number only grows.
public struct StandardInputCounts: Sendable, Hashable {
  /// Records handed over.
  public var records: UInt64 = 0
  /// Bytes handed over, as they were read.
  public var bytes: UInt64 = 0
  /// Lines over the limit, which were split.
  public var splitLines: UInt64 = 0
  /// Records with replaced bytes (format `json`).
  public var notUTF8: UInt64 = 0
  /// Records that were read but could not be handed over before the end, in a recorded gap.
  public var unwritten: UInt64 = 0

  /// Nothing yet.
  public init() {}
}
