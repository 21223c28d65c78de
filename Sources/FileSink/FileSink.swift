public import DurableFiles
public import Logging
public import PipelineCore
public import RecordBlocks
internal import Synchronization
public import SystemPackage

/// Writes records to files, exactly once across crashes: the files hold what was delivered, byte for byte.
///
/// **Files.** Names come from a ``PathTemplate``, evaluated from the time at which a block was appended to the queue. Nothing is ever
/// renamed: when a file
/// would outgrow ``Configuration/rotateBytes``, or the template gives another name, the next file is begun. Names never go back in time,
/// and a name that is
/// taken is left alone: the next free number is used. A line that continues stays in its file.
///
/// **Changing files.** Sync the old one; enter the new name in the manifest and sync that; make the file and sync its directory; let the
/// runtime commit the
/// state that names it; only then write. So a committed state always names a file that exists. In terms of ``Sink``: `deliver` returns
/// short,
/// `sync` makes the file and returns the state, and what is delivered after the commit goes into it: always at least one slice, whatever
/// its size.
///
/// **Starting.** A file is cut back to its committed length when it is the one that the state means: the same name and inode number, at
/// least as long, and what is
/// cut can be delivered again. (Its device may have another number after a boot, so that isn't compared; a file that was replaced has
/// another inode.) Otherwise
/// it is left as it is, a new file is begun, and a warning says why.
///
/// **Errors.** After any error but a rejection the sink is closed, and wants ``open(_:)`` with the last committed state and cursor before
/// anything else: that
/// cuts off what was half written. A file whose sync failed isn't synced again; it is cut to what was committed, and the next file takes
/// the rest.
///
/// **Bytes.** A record that had no line feed in its input gets none, unless another record comes after it in the same file. In `.gz`
/// files each block's compressed
/// data stands as it was stored, in a gzip member with a plain header; neighbouring small blocks share a member. Only blocks that are
/// cut, or that end
/// without a line feed, are compressed again.
public final class FileSink: Sink {
  /// What a file sink needs to know.
  public struct Configuration: Sendable {
    /// The consumer's name, for messages and for the manifest `<name>.files`.
    public var name: String
    /// Where the files go; its suffix decides whether they are compressed.
    public var path: PathTemplate
    /// The bytes on disk that a file doesn't exceed, unless one block alone does; nil: no limit.
    public var rotateBytes: UInt64?
    /// How many files are kept, the current one among them, oldest deleted first; nil: all. Only files in the manifest count and are
    /// deleted, and
    /// of those only the ones below the template's present fixed directory.
    public var maxFiles: Int?
    /// Whether a gap is written too, as one line of JSON. Otherwise the output just goes on after it.
    public var writeGaps: Bool
    /// The queue's directory of consumers, where the manifest lives.
    public var stateDirectory: any Directory
    /// Where the output files live.
    public var fileSystem: any FileSystem
    /// Hears what an operator should know.
    public var logger: Logger

    /// A file sink's settings. `rotateBytes` and `maxFiles` are at least 1.
    public init(
      name: String, path: PathTemplate, rotateBytes: UInt64? = nil, maxFiles: Int? = nil, writeGaps: Bool = false,
      stateDirectory: any Directory,
      fileSystem: any FileSystem = LocalFileSystem(), logger: Logger
    ) {
      precondition(rotateBytes != 0 && maxFiles ?? 1 > 0, "a file sink's limits are at least 1")
      self.name = name
      self.path = path
      self.rotateBytes = rotateBytes
      self.maxFiles = maxFiles
      self.writeGaps = writeGaps
      self.stateDirectory = stateDirectory
      self.fileSystem = fileSystem
      self.logger = logger
    }
  }

  // The runtime calls one method at a time, so nobody ever waits for this lock; it makes the class safe to pass around.
  private let engine: Mutex<FileSinkEngine>

  /// A sink that is not open yet; touches no file.
  public init(_ configuration: Configuration) { engine = Mutex(FileSinkEngine(configuration)) }

  /// Output is cut back to the last committed state.
  public var recovery: SinkRecovery { .cutsBack }

  /// The file that is being written, if one is; for display.
  public var currentPath: FilePath? { engine.withLock { $0.currentPath } }

  /// Cuts the output back to `start`, or prepares a new file when that can't be done. Blocks in file operations; makes the fixed
  /// directory when it is missing.
  public func open(_ start: SinkStart) async throws(DeliveryError) {
    try engine.withLock { engine throws(DeliveryError) in try engine.open(start) }
  }

  /// Writes a delivery; in the file on return. Blocks in file operations. Returns short when a change of file is due, or before a block
  /// that can't be read.
  public func deliver(_ delivery: Delivery) async throws(DeliveryError) -> Offset {
    try engine.withLock { engine throws(DeliveryError) in try engine.deliver(delivery) }
  }

  /// Puts everything delivered on the disk, and changes files when that is due. Free when nothing was delivered.
  public func sync() async throws(DeliveryError) -> SinkState {
    try engine.withLock { engine throws(DeliveryError) in try engine.sync() }
  }

  /// Closes the files.
  public func close() async { engine.withLock { $0.close() } }
}
