internal import Glibc
public import Logging

extension SyslogSource {
  /// What a record is.
  public enum Format: String, Sendable, Hashable, CaseIterable {
    /// One JSON object with RFC 5424's names.
    case json
    /// The datagram, one trailing line feed removed, other line feeds as `#012`; nothing else is changed.
    case raw
  }

  /// What a syslog source needs to know.
  public struct Configuration: Sendable {
    /// The largest payload that UDP has (and more than IPv4 lets through): nothing is cut at this limit.
    public static let largestDatagramBytes = 65_535

    /// The source's name, for logs.
    public var name: String
    /// Where datagrams are received.
    public var listen: Address
    /// What a record is.
    public var format: Format
    /// The socket's receive buffer that is asked of the kernel. It holds what arrives while the source naps or waits for the queue; the
    /// kernel takes
    /// memory for it only as it fills, several hundred bytes more than its length for each datagram. The kernel's most is 1 GiB.
    public var receiveBufferBytes: Int
    /// A longer datagram is cut and counted.
    public var maxDatagramBytes: Int
    /// The offset from UTC, east positive, of timestamps that name none (RFC 3164's never do). One offset for all senders and the whole
    /// year: senders should use UTC or RFC 5424.
    public var utcOffsetMinutes: Int
    /// Wall time in nanoseconds since 1970: `received_at`, and the year of timestamps that have none.
    public var wallClock: @Sendable () -> Int64
    /// Where the source reports.
    public var logger: Logger

    /// A source of datagrams to `listen`.
    public init(
      name: String, listen: Address, format: Format = .json, receiveBufferBytes: Int = 64 << 20,
      maxDatagramBytes: Int = largestDatagramBytes,
      utcOffsetMinutes: Int = 0, wallClock: @escaping @Sendable () -> Int64 = Self.systemWallClock, logger: Logger
    ) {
      self.name = name
      self.listen = listen
      self.format = format
      self.receiveBufferBytes = receiveBufferBytes
      self.maxDatagramBytes = maxDatagramBytes
      self.utcOffsetMinutes = utcOffsetMinutes
      self.wallClock = wallClock
      self.logger = logger
    }

    /// The machine's clock.
    public static let systemWallClock: @Sendable () -> Int64 = {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
  }
}
