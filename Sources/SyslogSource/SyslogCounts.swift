/// What a syslog source has done since it was made. Each number only grows.
public struct SyslogCounts: Sendable, Hashable {
  /// Datagrams received; each became one record.
  public var datagrams: UInt64 = 0
  /// Their bytes.
  public var bytes: UInt64 = 0
  /// Datagrams with a `parse_error`.
  public var unparsed: UInt64 = 0
  /// Datagrams whose message has replaced bytes and a `message_base64`.
  public var notUTF8: UInt64 = 0
  /// Datagrams longer than the limit, which were cut.
  public var cut: UInt64 = 0
  /// Line feeds written as `#012` (raw format).
  public var escapedLineFeeds: UInt64 = 0
  /// Datagrams that the kernel dropped, each in a recorded gap.
  public var kernelDrops: UInt64 = 0
  /// Datagrams that were received but could not be written, each in a recorded gap.
  public var unwritten: UInt64 = 0

  /// Nothing yet.
  public init() {}

  /// Adds what another counter counted.
  mutating func add(_ other: SyslogCounts) {
    datagrams += other.datagrams
    bytes += other.bytes
    unparsed += other.unparsed
    notUTF8 += other.notUTF8
    cut += other.cut
    escapedLineFeeds += other.escapedLineFeeds
    kernelDrops += other.kernelDrops
    unwritten += other.unwritten
  }
}
