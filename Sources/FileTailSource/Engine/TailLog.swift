internal import Logging
internal import SystemPackage

/// What a file tail says: each text constant, its facts as metadata, and none of them over and over.
final class TailLog {
  private let logger: Logger
  private var troubled: [FilePath: String] = [:]
  private var overflows = 0
  private var saidNoWatch = false
  private var saidIncomplete = false
  private var saidTooManyMissing = false

  init(_ logger: Logger, source: String) {
    var logger = logger
    logger[metadataKey: "source.name"] = "\(source)"
    self.logger = logger
  }

  /// A path that can't be read; told once until it is well again.
  func trouble(_ path: FilePath, _ reason: String, _ remedy: String) {
    guard troubled[path] != reason, troubled.count < 10_000 else { return }
    troubled[path] = reason
    logger.warning(
      "a path can't be read and is skipped; it is looked at again with every rescan",
      metadata: metadata(path, ["reason": "\(reason)", "remedy": "\(remedy)"]))
  }

  /// The system refused a path.
  func failure(_ path: FilePath, _ code: Errno) {
    let remedy: String
    switch code {
    case .permissionDenied, .notPermitted: remedy = "give the user that runs Sluice read access to the file and to each directory above it"
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem: remedy = "raise the limit of open files (ulimit -n)"
    default: remedy = "see what the system says of it with 'ls -l'"
    }
    trouble(path, code.description, remedy)
  }

  /// Paths that are well again may be told of anew.
  func settle(_ wellPaths: (FilePath) -> Bool) { troubled = troubled.filter { !wellPaths($0.key) } }

  func noInotify(_ code: Errno) {
    logger.warning(
      "inotify is not available, so changes are found by the rescan alone; raise fs.inotify.max_user_instances",
      metadata: ["reason": "\(code)"])
  }

  func noWatch(_ directory: FilePath, _ code: Errno) {
    guard !saidNoWatch else { return }
    saidNoWatch = true
    logger.warning(
      "a directory can't be watched, so changes in it are found by the rescan alone; raise fs.inotify.max_user_watches",
      metadata: metadata(directory, ["reason": "\(code)"]))
  }

  /// The kernel's queue of changes ran over; each tenfold count is told.
  func overflow() {
    overflows += 1
    var tens = 1
    while tens < overflows { tens *= 10 }
    if tens == overflows {
      logger.warning(
        "inotify's queue ran over; all files are looked at anew; raise fs.inotify.max_queued_events",
        metadata: ["overflows": "\(overflows)"])
    }
  }

  func incomplete() {
    guard !saidIncomplete else { return }
    saidIncomplete = true
    logger.warning(
      "more files match than are followed; give narrower paths, or several sources", metadata: ["limit": "\(GlobSearch.mostFiles)"])
  }

  func unreadableCheckpoint(_ stream: UInt32) {
    logger.error(
      "a stream's checkpoint is of a form that this version doesn't know; its file is read from the beginning",
      metadata: ["stream": "\(stream)"])
  }

  func found(_ path: FilePath, _ stream: UInt32) {
    logger.info("following a file", metadata: metadata(path, ["stream": "\(stream)"]))
  }

  func moved(_ from: FilePath, _ to: FilePath) {
    logger.info("a file was rotated and is read on under its new name", metadata: metadata(to, ["file.former_path": "\(from.printable)"]))
  }

  func truncated(_ path: FilePath) {
    logger.notice("a file was truncated or overwritten; it is read from its beginning", metadata: metadata(path))
  }

  func missing(_ path: FilePath, isRead: Bool, forgetAfter: Duration) {
    guard !isRead else {
      return logger.info(
        "a file that was read to its end is gone; its place is remembered, for it may come back",
        metadata: metadata(path, ["forgotten.after": "\(forgetAfter)"]))
    }
    logger.warning(
      "a file that was being read can't be found, by name, inode or content; what was not read of it is lost unless it comes back",
      metadata: metadata(path, ["forgotten.after": "\(forgetAfter)"]))
  }

  func tooManyMissing(_ limit: Int) {
    guard !saidTooManyMissing else { return }
    saidTooManyMissing = true
    logger.warning(
      "more files are missing than are remembered; those missing longest are forgotten, and read from their beginning if they come back; allow more open files, so that deletions are known",
      metadata: ["limit": "\(limit)"])
  }

  func lost(_ path: FilePath, _ bytes: UInt64) {
    logger.warning(
      "bytes of a file were truncated or deleted before they were read; keep rotated files longer, or rotate by renaming",
      metadata: metadata(path, ["bytes": "\(bytes)"]))
  }

  func deletedUnseen(_ path: FilePath) {
    logger.warning(
      "a file was written and deleted before it was looked at, so nothing of it was read; keep rotated files for some seconds",
      metadata: metadata(path))
  }

  func deletedClosed(_ path: FilePath, at position: UInt64) {
    logger.warning(
      "a file was deleted while it was closed and may have been written to just before; what came behind this position, if anything, is lost; keep rotated files longer, or allow more open files",
      metadata: metadata(path, ["position": "\(position)"]))
  }

  func cutByPowerLoss(_ path: FilePath, from old: UInt64, to new: UInt64, repeatedLines: Int) {
    logger.notice(
      "a power loss took back the end of a file; reading goes on at the newest matching checkpoint, and some lines may be repeated",
      metadata: metadata(path, ["position.before": "\(old)", "position": "\(new)", "lines.repeated_at_most": "\(repeatedLines)"]))
  }

  func damagedGzip(_ path: FilePath, _ position: UInt64) {
    logger.warning(
      "a compressed file is damaged; what stands before the damage was read, the rest can't be; check it with 'gzip -t'",
      metadata: metadata(path, ["position": "\(position)"]))
  }

  private func metadata(_ path: FilePath, _ more: Logger.Metadata = [:]) -> Logger.Metadata {
    var metadata = more
    metadata["file.path"] = "\(path.printable)"
    return metadata
  }
}
