public import PipelineCore
public import RecordBlocks
internal import SystemPackage

/// Follows log files: through rotation of every kind, truncation, deletion and restarts, each byte of each file exactly once.
///
/// A file is known by its content (a hash of its head, and of the bytes before the place where reading stopped), not by its name or inode
/// alone. <doc:Following-files> says what that gives in each case. Reading blocks the thread that ``run(from:into:)`` runs on.
public final class FileTailSource: Source {
  /// What the source was made from.
  public let configuration: Configuration
  private let patterns: [GlobPattern]
  private let exclusions: [GlobPattern]
  private let linePattern: LinePattern?
  private let counters = TailCounters()
  let followed = FollowedFiles()

  /// A source that reads nothing until it is run. Opens no file.
  /// - Throws: one sentence about a pattern or limit that can't be used, with the remedy.
  public init(_ configuration: Configuration) throws(FileTailError) {
    let limits = Configuration.maxLineBytesRange
    guard limits.contains(configuration.maxLineBytes) else {
      throw FileTailError(
        "max_line is \(configuration.maxLineBytes) bytes; choose \(limits.lowerBound) bytes to \(limits.upperBound >> 20) MiB")
    }
    guard configuration.maxOpenFiles > 0 else {
      throw FileTailError("the number of open files is \(configuration.maxOpenFiles); allow at least 1")
    }
    guard !configuration.paths.isEmpty else { throw FileTailError("no paths are given; list at least one, such as /var/log/app/*.log") }
    var patterns: [GlobPattern] = []
    for path in configuration.paths { patterns.append(try GlobPattern(path)) }
    var exclusions: [GlobPattern] = []
    for path in configuration.exclude { exclusions.append(try GlobPattern(path)) }
    if let multiline = configuration.multiline {
      guard configuration.format == .json else {
        throw FileTailError("multiline joins lines into JSON records; add 'format: json'")
      }
      linePattern = try LinePattern(multiline.start)
    } else {
      linePattern = nil
    }
    self.configuration = configuration
    self.patterns = patterns
    self.exclusions = exclusions
  }

  /// What happened since the source was made; cheap, from any thread.
  public var statistics: Statistics { counters.snapshot() }

  /// Follows the files until the task is cancelled; with `once`, returns when everything up to their present end was handed over.
  ///
  /// Blocks its thread in `read` and `poll`; suspends only in `output`. Cancellation ends a wait at once, and a read after one batch.
  public func run(from checkpoints: [StreamCheckpoint], into output: some RecordOutput) async throws {
    let wake = WakeSignal()
    try await withTaskCancellationHandler {
      let engine = makeEngine(from: checkpoints, usesInotify: configuration.usesInotify)
      try await engine.run(into: output, wake: wake)
    } onCancel: {
      wake.signal()
    }
  }

  /// The engine that ``run(from:into:)`` drives; tests drive it step by step.
  func makeEngine(
    from checkpoints: [StreamCheckpoint], usesInotify: Bool, clock: any TailClock = SystemTailClock(), boot: BootID = .current()
  ) -> TailEngine {
    let search = GlobSearch(patterns: patterns, exclusions: exclusions, workingDirectory: configuration.workingDirectory)
    return TailEngine(
      configuration: configuration, checkpoints: checkpoints, search: search, linePattern: linePattern, usesInotify: usesInotify,
      clock: clock,
      boot: boot, counters: counters, followed: followed)
  }
}
