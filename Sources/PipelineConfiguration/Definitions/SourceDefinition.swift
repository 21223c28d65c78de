/// One entry of the section `sources`.
public struct SourceDefinition: Sendable, Equatable {
  /// What a source does while the queue is full.
  public enum WhenFull: String, Sendable, CaseIterable {
    /// It waits.
    case wait
    /// It drops what arrives and records a gap.
    case dropNewest = "drop_newest"
  }

  /// What kind of source it is, with the keys of that kind.
  public enum Kind: Sendable, Equatable {
    /// `type: file`
    case file(FileSourceDefinition)
    /// `type: syslog`
    case syslog(SyslogSourceDefinition)
    /// `type: stdin`
    case standardInput(StandardInputDefinition)
    /// `type: jetstream`
    case jetStream(JetStreamSourceDefinition)
  }

  /// Unique within the file.
  public var name: String
  /// What kind of source it is.
  public var kind: Kind
  /// What it does while the queue is full.
  public var whenFull: WhenFull

  /// A source; without `whenFull`, what its kind does by default.
  public init(name: String, kind: Kind, whenFull: WhenFull? = nil) {
    self.name = name
    self.kind = kind
    if case .syslog = kind { self.whenFull = whenFull ?? .dropNewest } else { self.whenFull = whenFull ?? .wait }
  }
}

/// The keys of `type: file`.
public struct FileSourceDefinition: Sendable, Equatable {
  /// Where reading of a file begins that is there at the very first start.
  public enum StartAt: String, Sendable, CaseIterable {
    /// At its first byte.
    case beginning
    /// At its end then; files that appear later are read from their beginning.
    case end
  }

  /// What a record is.
  public enum Format: String, Sendable, CaseIterable {
    /// The line.
    case raw
    /// One JSON object: `timestamp`, `host`, `path`, `message`.
    case json
  }

  /// How lines are joined into one record.
  public struct Multiline: Sendable, Equatable {
    /// A PCRE2 pattern that the first line of each record matches; checked.
    public var start: String
    /// A record is complete when its file was quiet for this long.
    public var timeout: Duration

    /// Joining at lines that match `start`.
    public init(start: String, timeout: Duration = .seconds(1)) {
      self.start = start
      self.timeout = timeout
    }
  }

  /// Globs with `*`, `?`, `[…]` and `**`, as written.
  public var paths: [String]
  /// Globs of files that are left out.
  public var exclude: [String]
  /// Where reading begins.
  public var startAt: StartAt
  /// What a record is.
  public var format: Format
  /// A longer line is split into records of this many bytes.
  public var maxLineBytes: Int
  /// An unended last line is delivered when the file was quiet for this long; nil for never.
  public var idleFlush: Duration?
  /// How lines are joined; nil for not at all. Only with ``Format/json``.
  public var multiline: Multiline?
  /// The most files that are open at the same time.
  public var maxOpenFiles: Int
  /// The time between two looks at all files and directories, besides what the kernel tells at once.
  public var rescan: Duration

  /// Tailed files; the defaults are the pipeline file's.
  public init(
    paths: [String], exclude: [String] = [], startAt: StartAt = .beginning, format: Format = .raw, maxLineBytes: Int = 16 << 20,
    idleFlush: Duration? = nil, multiline: Multiline? = nil, maxOpenFiles: Int = 256, rescan: Duration = .seconds(2)
  ) {
    self.paths = paths
    self.exclude = exclude
    self.startAt = startAt
    self.format = format
    self.maxLineBytes = maxLineBytes
    self.idleFlush = idleFlush
    self.multiline = multiline
    self.maxOpenFiles = maxOpenFiles
    self.rescan = rescan
  }
}

/// The keys of `type: syslog`.
public struct SyslogSourceDefinition: Sendable, Equatable {
  /// What a record is.
  public enum Format: String, Sendable, CaseIterable {
    /// One JSON object with RFC 5424's names.
    case json
    /// The datagram.
    case raw
  }

  /// Where datagrams are received.
  public var listen: ListenAddress
  /// What a record is.
  public var format: Format
  /// The socket's receive buffer that is asked of the kernel, in bytes.
  public var receiveBufferBytes: Int
  /// Minutes that the clocks of senders which name no zone are ahead of UTC.
  public var utcOffsetMinutes: Int

  /// Datagrams to `listen`; the defaults are the pipeline file's.
  public init(listen: ListenAddress, format: Format = .json, receiveBufferBytes: Int = 64 << 20, utcOffsetMinutes: Int = 0) {
    self.listen = listen
    self.format = format
    self.receiveBufferBytes = receiveBufferBytes
    self.utcOffsetMinutes = utcOffsetMinutes
  }
}

/// The keys of `type: stdin`.
public struct StandardInputDefinition: Sendable, Equatable {
  /// A longer line is split into records of this many bytes.
  public var maxLineBytes: Int

  /// The process's standard input; the default is the pipeline file's.
  public init(maxLineBytes: Int = 16 << 20) { self.maxLineBytes = maxLineBytes }
}

/// A UDP address such as `udp://127.0.0.1:5514`.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// An IPv4 or IPv6 address in its usual text form, without brackets; never a name.
  public var host: String
  /// 1 to 65535.
  public var port: UInt16

  /// An address; `host` must be an IP address.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Whether it is an IPv6 address.
  public var isIPv6: Bool { host.contains(":") }
  /// As in a pipeline file.
  public var description: String { isIPv6 ? "udp://[\(host)]:\(port)" : "udp://\(host):\(port)" }
}
