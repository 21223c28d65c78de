internal import Glibc
public import Logging

extension StandardInputSource {
  /// What a record is.
  public enum Format: String, Sendable, Hashable, CaseIterable {
    /// The line, byte for byte.
    case raw
    /// `{"timestamp","host","message"}`: when the line was read, and the line as JSON text.
    case json
  }

  /// How standard input is read.
  public struct Configuration: Sendable {
    /// The source's name, for messages.
    public var name: String
    /// The descriptor that is read; not closed.
    public var fileDescriptor: Int32
    /// Longer lines are split into records and counted; a sink that reproduces its input puts the pieces together again. In the format
    /// `json` 8 MiB at most.
    public var maxLineBytes: Int
    /// What a record is.
    public var format: Format
    /// This machine's name, for the format `json`.
    public var hostName: String
    /// Wall time in nanoseconds since 1970, for the format `json`.
    public var wallClock: @Sendable () -> Int64
    /// Where to say what an operator should hear of.
    public var logger: Logger

    /// The descriptor 0, lines up to 16 MiB.
    public init(
      name: String, fileDescriptor: Int32 = 0, maxLineBytes: Int = 16 << 20, format: Format = .raw,
      hostName: String = Self.systemHostName(),
      wallClock: @escaping @Sendable () -> Int64 = Self.systemWallClock, logger: Logger
    ) {
      self.name = name
      self.fileDescriptor = fileDescriptor
      self.maxLineBytes = maxLineBytes
      self.format = format
      self.hostName = hostName
      self.wallClock = wallClock
      self.logger = logger
    }

    /// What `gethostname` says.
    public static func systemHostName() -> String {
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
        buffer.initialize(repeating: 0)
        guard let base = buffer.baseAddress, gethostname(base, buffer.count - 1) == 0 else { return "localhost" }
        return String(cString: base)
      }
    }

    /// The machine's clock.
    public static let systemWallClock: @Sendable () -> Int64 = {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
  }
}
