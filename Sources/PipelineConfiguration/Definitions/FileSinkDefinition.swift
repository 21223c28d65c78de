/// The keys of a sink of `type: file`.
public struct FileSinkDefinition: Sendable, Equatable {
  /// The output's path with `%Y %m %d %H %M %S` and `%%`, as written; its first component is fixed, none is `..`.
  public var path: String
  /// The time zone of the path's times; it exists.
  public var timezone: String
  /// A file is followed by the next when it has this many bytes on disk; nil for never.
  public var rotateBytes: Int?
  /// The sink keeps this many of its own files; nil for all.
  public var maxFiles: Int?
  /// Losses are written too, as lines of JSON.
  public var writesGaps: Bool

  /// A file sink; the defaults are the pipeline file's.
  public init(path: String, timezone: String = "UTC", rotateBytes: Int? = nil, maxFiles: Int? = nil, writesGaps: Bool = false) {
    self.path = path
    self.timezone = timezone
    self.rotateBytes = rotateBytes
    self.maxFiles = maxFiles
    self.writesGaps = writesGaps
  }
}
