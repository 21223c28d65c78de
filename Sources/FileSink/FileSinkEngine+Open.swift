internal import DurableFiles
internal import Logging
internal import PipelineCore
internal import SystemPackage

extension FileSinkEngine {
  /// Brings the output to where `start` says, or notes that a new file is to be begun.
  func prepare(_ start: SinkStart) throws(DeliveryError) {
    // Also a test of rights before the first record comes.
    try closingOnError { () throws(FileError) in _ = try configuration.fileSystem.directory(configuration.path.fixedDirectory, create: true)
    }
    try loadManifest()
    let state = try decode(start.state)
    lastName = state?.name
    abandoned = state?.abandoned ?? []
    try closingOnError { () throws(FileError) in try checkAbandoned() }
    if let file = state?.file, let name = state?.name { try resume(file, named: name, queueHoldsCursor: start.queueHoldsCursor) }
  }

  private func loadManifest() throws(DeliveryError) {
    do throws(OutputManifest.Refusal) {
      let manifest = try OutputManifest(of: configuration.name, in: configuration.stateDirectory)
      if manifest.unreadableLines > 0 {
        logger.warning(
          "lines of the list of output files are unreadable; the files they named are never deleted by max_files",
          metadata: ["file.path": "\(configuration.stateDirectory.path)", "lines": "\(manifest.unreadableLines)"])
      }
      self.manifest = manifest
    } catch {
      switch error {
      case .file(let error): throw DeliveryError(error)
      case .foreign(let path):
        throw DeliveryError(
          .waitForOperator,
          "\(path) is not a list of output files that this version knows; move it away, and a new one is begun (max_files then spares older files)"
        )
      }
    }
  }

  private func decode(_ state: SinkState?) throws(DeliveryError) -> FileSinkState? {
    guard let state, !state.bytes.isEmpty else { return nil }
    do throws(FileSinkState.DecodingError) { return try FileSinkState(decoding: state.bytes) } catch {
      let what =
        error == .newerVersion ? "was written by a newer version; run that one" : "is malformed; seek the consumer to begin new files"
      throw DeliveryError(.waitForOperator, "the committed state of the file sink '\(configuration.name)' \(what)")
    }
  }

  /// Continues the committed file, or says why that can't be.
  private func resume(_ file: FileSinkState.CommittedFile, named name: FileSinkState.Name, queueHoldsCursor: Bool) throws(DeliveryError) {
    let path = name.location.path
    switch try closingOnError({ () throws(FileError) in try cutBack(file, named: name, queueHoldsCursor: queueHoldsCursor) }) {
    case .continued(let output):
      output.isFinished = location(time: name.time, number: name.number) != name.location
      if output.isFinished {
        logger.info("the path template has changed; the next record begins a new file", metadata: ["file.path": "\(path)"])
      }
      self.output = output
    case .impossible(let reason):
      logger.warning("the output file can't be continued; a new one is begun", metadata: ["file.path": "\(path)", "reason": "\(reason)"])
    case .locked: throw locked(path)
    }
  }

  private enum Resumption {
    case continued(OutputFile)
    case impossible(String)
    case locked
  }

  /// Opens the committed file and cuts it to its committed length.
  private func cutBack(
    _ file: FileSinkState.CommittedFile, named name: FileSinkState.Name, queueHoldsCursor: Bool
  ) throws(FileError) -> Resumption {
    guard let directory = try name.location.openDirectory(configuration.fileSystem), let found = try directory.status(name.location.name)
    else {
      return .impossible("it is gone")
    }
    guard found.kind == .regular else { return .impossible("its name belongs to something else than a file") }
    guard found.inode == file.inode else { return .impossible("another file has its name") }
    guard found.size >= file.length else {
      return .impossible("it is shorter (\(found.size) bytes) than what was committed (\(file.length) bytes)")
    }
    let surplus = found.size - file.length
    guard surplus == 0 || queueHoldsCursor else { return .impossible("what would be cut off (\(surplus) bytes) is no longer in the queue") }
    let opened = try directory.open(name.location.name, .update)
    guard try opened.lock() else { return .locked }
    if surplus > 0 {
      try opened.truncate(to: file.length)
      // After an error of this process it is part of each new try.
      logger.log(
        level: hasOpened ? .debug : .info, "cut the output back to what was committed",
        metadata: ["file.path": "\(name.location.path)", "length": "\(file.length)", "cut": "\(surplus)"])
    }
    if spoiled.contains(name.location) {
      try directory.sync()
      abandoned.append(FileSinkState.AbandonedFile(location: name.location, inode: file.inode, length: file.length))
      return .impossible("its last sync failed")
    }
    return .continued(
      OutputFile(
        opened, in: directory, name: name, status: found, length: file.length, withheld: file.withheld,
        isDirty: surplus > 0,
        buffer: buffer))
  }

  /// Files that were cut after a failed sync are as short as they should be: that cut may have been lost with the power.
  private func checkAbandoned() throws(FileError) {
    var remaining: [FileSinkState.AbandonedFile] = []
    for file in abandoned {
      if spoiled.contains(file.location) {
        remaining.append(file)
        continue
      }
      guard let directory = try file.location.openDirectory(configuration.fileSystem),
        let status = try directory.status(file.location.name),
        status.kind == .regular, status.inode == file.inode, status.size > file.length
      else { continue }
      let opened = try directory.open(file.location.name, .update)
      try opened.truncate(to: file.length)
      try opened.sync()
      logger.notice(
        "cut an earlier output file again to what was committed",
        metadata: ["file.path": "\(file.location.path)", "length": "\(file.length)"])
    }
    abandoned = remaining
  }

  /// Someone else writes to a file of ours.
  func locked(_ path: FilePath) -> DeliveryError {
    close()
    return DeliveryError(
      .waitForOperator,
      "another process, or another sink of this one, is writing \(path); end it, or give this sink '\(configuration.name)' a path of its own"
    )
  }
}
