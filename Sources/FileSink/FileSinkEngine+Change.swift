internal import DurableFiles
internal import Glibc
internal import Logging
internal import PipelineCore
internal import SystemPackage

extension FileSinkEngine {
  /// How many taken names are tried before giving up.
  private static let maximumTries = 1_000_000

  /// Begins the next file, for a record of `time`. On return it exists on the disk, empty and locked; the one before it was synced earlier.
  func changeFile(for time: Int64) throws(DeliveryError) {
    output = nil
    // A gap block may not know when it happened.
    let time = max(lastName?.time ?? .min, time > 0 ? time : Self.now)
    var number = firstNumber(for: time)
    var taken: FilePath?
    let directory = try closingOnError { () throws(FileError) in
      try location(time: time, number: number).makeDirectory(configuration.fileSystem)
    }
    for _ in 0..<Self.maximumTries {
      let location = location(time: time, number: number)
      if try begin(OutputManifest.Entry(location: location, number: number), in: directory, time: time) {
        if let taken {
          logger.notice(
            "a file is already there; the output goes to the next free number",
            metadata: ["file.path": "\(taken)", "output.path": "\(location.path)"])
        }
        logger.info("began an output file", metadata: ["file.path": "\(location.path)"])
        return
      }
      taken = taken ?? location.path
      number += 1
    }
    close()
    throw DeliveryError(.waitForOperator, "\(Self.maximumTries) names beside \(taken!) are taken; move the files away or change the path")
  }

  /// Makes the file of `entry`, or takes it over when it is ours and empty. False when its name is taken.
  private func begin(_ entry: OutputManifest.Entry, in directory: any Directory, time: Int64) throws(DeliveryError) -> Bool {
    let name = entry.location.name
    let found = try closingOnError { () throws(FileError) in try directory.status(name) }
    if let found {
      guard found.kind == .regular, found.size == 0, manifest!.contains(entry.location), !spoiled.contains(entry.location) else {
        return false
      }
    }
    let file: (any File)? = try closingOnError { () throws(FileError) in
      try manifest!.enter(entry)
      do throws(FileError) { return try directory.open(name, found == nil ? .createNew : .update) } catch {
        guard found == nil, error.code == .fileExists else { throw error }
        // Someone was quicker. It is their file: it must not stand in our manifest.
        try manifest!.takeBack(entry.location)
        return nil
      }
    }
    guard let file else { return false }
    guard try closingOnError({ () throws(FileError) in try file.lock() }) else { throw locked(entry.location.path) }
    let status = try closingOnError { () throws(FileError) in
      do throws(FileError) { try directory.sync() } catch {
        // Like a failed sync of a file: what it covered may be gone for good. Another name has to be synced next time.
        spoil(entry.location)
        throw error
      }
      return try file.status()
    }
    guard status.size == 0 else { throw locked(entry.location.path) }
    let outputName = FileSinkState.Name(location: entry.location, time: time, number: entry.number)
    lastName = outputName
    output = OutputFile(file, in: directory, name: outputName, status: status, buffer: buffer)
    return true
  }

  /// The number to try first: after the last file's, if that had the same name otherwise, and after that of every file in the manifest.
  private func firstNumber(for time: Int64) -> Int {
    var number = 0
    let unnumbered = location(time: time, number: 0)
    if let lastName, lastName.location == location(time: lastName.time, number: lastName.number),
      unnumbered == location(time: lastName.time, number: 0)
    {
      // An empty file that a crash left behind has this number: it is taken over.
      number = lastName.number + 1
    }
    let directories = unnumbered.directories.joined(separator: "/")
    for entry in manifest!.entries where entry.number >= number && entry.location.relative.hasPrefix(directories) {
      if entry.location == location(time: time, number: entry.number) { number = entry.number }
    }
    return number
  }

  /// Deletes the oldest files beyond `maxFiles`. Failing at it is no reason to stop delivering.
  func removeSurplus() {
    surplusIsDue = false
    guard let limit = configuration.maxFiles else { return }
    let base = configuration.path.fixedDirectory.string
    do throws(FileError) {
      var gone = Set<OutputLocation>()
      var files: [(location: OutputLocation, directory: any Directory)] = []
      for entry in manifest!.entries where entry.location.base == base {
        guard let directory = try entry.location.openDirectory(configuration.fileSystem),
          let status = try directory.status(entry.location.name), status.kind == .regular
        else {
          gone.insert(entry.location)
          continue
        }
        if entry.location != output?.location { files.append((entry.location, directory)) }
      }
      let surplus = files.prefix(max(0, files.count - (limit - (output == nil ? 0 : 1))))
      for (location, directory) in surplus {
        try directory.unlink(location.name)
        gone.insert(location)
        logger.info("deleted an output file beyond max_files", metadata: ["file.path": "\(location.path)"])
      }
      var synced = Set<[String]>()
      for (location, directory) in surplus where synced.insert(location.directories).inserted { try directory.sync() }
      manifest!.forget(gone)
    } catch {
      logger.warning("cannot delete output files beyond max_files", metadata: ["error": "\(error)"])
    }
  }

  /// The file of a time and a number.
  func location(time: Int64, number: Int) -> OutputLocation {
    OutputLocation(
      base: configuration.path.fixedDirectory.string, relative: configuration.path.place(time: time, number: number).relativePath)
  }

  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
