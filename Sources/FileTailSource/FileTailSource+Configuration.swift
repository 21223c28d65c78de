internal import Glibc
public import Logging
public import SystemPackage

extension FileTailSource {
  /// Everything that a pipeline file says about a file tail, and what a process adds to it.
  public struct Configuration: Sendable {
    /// Where a file that is there at the very first start is begun. Files that come later are always read from their beginning.
    public enum StartAt: Sendable, Hashable {
      /// With its first line.
      case beginning
      /// With the first line that isn't ended yet.
      case end
    }

    /// What a record is made of.
    public enum Format: Sendable, Hashable {
      /// The line's bytes, untouched.
      case raw
      /// `{"timestamp","host","path","message"}`; invalid UTF-8 becomes U+FFFD and is flagged.
      case json
    }

    /// Joins lines into one record.
    public struct Multiline: Sendable, Hashable {
      /// A PCRE2 pattern for the first line of a record.
      public var start: String
      /// A record is taken as complete when its file didn't grow for this time.
      public var timeout: Duration

      /// Records that begin at lines which match `start`.
      public init(start: String, timeout: Duration = .seconds(1)) {
        self.start = start
        self.timeout = timeout
      }
    }

    /// What ``maxLineBytes`` may be.
    public static let maxLineBytesRange = 64...(64 << 20)

    /// The source's name in the pipeline; goes into log metadata.
    public var name: String
    /// Patterns of paths: `*`, `?`, `[a-z]`, and `**` for any directories; relative ones begin at ``workingDirectory``.
    public var paths: [String]
    /// Patterns of paths that are left out. Without a slash: of names, in any directory.
    public var exclude: [String] = []
    /// See ``StartAt``.
    public var startAt = StartAt.beginning
    /// See ``Format``.
    public var format = Format.raw
    /// The most bytes of a line, or of a joined record; a longer one is split, and counted.
    public var maxLineBytes = 16 << 20
    /// Joins lines; asks for ``Format/json``. Nil: each line is a record.
    public var multiline: Multiline?
    /// Deliver a last line without line feed when its file didn't grow for this time; nil: wait for the line feed.
    public var idleFlush: Duration?
    /// Read up to the present end of each file, its unended last line too, and return.
    public var once = false
    /// The most files open at the same time, besides one while it is looked at.
    public var maxOpenFiles = 256
    /// The time between two looks at all files and directories. inotify tells most changes at once; this finds the rest.
    public var rescanInterval: Duration = .seconds(2)
    /// Use inotify. Off, changes are found by the rescan alone (network file systems tell nothing of other hosts' writes anyway).
    public var usesInotify = true
    /// A stream whose file can't be found is forgotten after this time.
    public var forgetMissingAfter: Duration = .seconds(7 * 86_400)
    /// The host's name in JSON records.
    public var hostName: String
    /// Where relative patterns begin; absolute.
    public var workingDirectory: FilePath
    /// Where warnings go.
    public var logger: Logger

    /// The defaults of a pipeline file for these paths.
    public init(name: String, paths: [String], logger: Logger) {
      self.name = name
      self.paths = paths
      self.logger = logger
      var buffer = [CChar](repeating: 0, count: 256)
      hostName =
        gethostname(&buffer, buffer.count - 1) == 0
        ? String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "localhost"
      if let current = getcwd(nil, 0) {
        workingDirectory = FilePath(platformString: current)
        free(current)
      } else {
        workingDirectory = FilePath("/")
      }
    }
  }
}
