internal import DurableFiles
internal import Glibc
internal import RecordBlocks
internal import SystemPackage

/// A queue's directory, made or found, locked, recovered. What stands where:
///
///     lock          whoever has its lock has the queue
///     queue.json    format, identity, creation time
///     segments/     the blocks
///     consumers/    a cursor file for each consumer
///     quarantine/   damaged bytes set aside
///
/// Creation in this order: the directory, `lock`, the three folders, `queue.json` (whole or not at all, and with it the directory's names
/// on the disk), the first segment.
/// A crash in between leaves some of these names, which the next opening goes on with.
struct QueueDirectory {
  var root: any Directory
  var consumers: any Directory
  var lock: any File
  var identity: QueueIdentity
  var quarantine: Quarantine
  var cursors: [(String, Result<CursorFile, QueueError>)]
  var recovered: Recovery.Result

  /// A restart that takes less isn't worth a sync for each consumer. Nanoseconds.
  private static let leastAbsence: UInt64 = 1_000_000_000

  private static let ownNames: Set<String> = [
    LockFile.name, QueueIdentity.name, QueueIdentity.name + ".tmp", "segments", "consumers", "quarantine",
  ]

  static func open(
    _ path: FilePath, options: QueueOptions, create: Bool, fileSystem: any FileSystem, clock: any QueueClock,
    notify: @escaping @Sendable (QueueNotice) -> Void
  ) throws(QueueError) -> QueueDirectory {
    let root: any Directory
    do throws(FileError) { root = try fileSystem.directory(path, create: create) } catch {
      if error.code == .noSuchFileOrDirectory {
        throw QueueError(noQueueAt: path)
      }
      throw QueueError(error)
    }
    try unifyingErrors {
      let names = try root.names()
      let strangers = names.filter { !ownNames.contains($0) }
      let isOurs = names.contains(QueueIdentity.name) || names.contains("segments") || names.contains(LockFile.name)
      guard isOurs || strangers.isEmpty else {
        throw QueueError(
          .notAQueue,
          "\(path) is no queue and can't become one: it holds other files, such as '\(strangers.first ?? names[0])'; give the queue a directory of its own"
        )
      }
      guard !names.isEmpty || create else { throw QueueError(noQueueAt: path) }
      if !options.allowsNetworkFileSystem, try root.isOnNetwork() {
        throw QueueError(
          .networkFileSystem,
          "\(path) lies on a network file system, where locks and syncs promise less; give the queue a directory on a local disk")
      }
    }
    return try open(root, clock: clock, notify: notify)
  }

  private static func open(_ root: any Directory, clock: any QueueClock, notify: @escaping @Sendable (QueueNotice) -> Void)
    throws(QueueError) -> QueueDirectory
  {
    let lock = try asQueueError { () throws(FileError) in try root.openUnshared(LockFile.name, .create) }
    let told = try asQueueError { () throws(FileError) in LockFile.decode(try lock.read(LockFile.byteCount, at: 0)) }
    guard try asQueueError({ () throws(FileError) in try take(lock) }) else {
      throw QueueError(
        .held,
        "the queue \(root.path) is held by another process\(told.map { " (pid \($0.processID))" } ?? ""); stop it first, or give this one another directory"
      )
    }
    let known = try readIdentity(root)
    let folders = try asQueueError { () throws(FileError) in
      (
        try root.subdirectory("segments", create: true), try root.subdirectory("consumers", create: true),
        try? root.subdirectory("quarantine", create: true)
      )
    }
    let toldBySegments = try identity(toldBy: folders.0, folders.1, known: known?.id)
    let identity = try asQueueError { () throws(FileError) -> QueueIdentity in
      if let known, toldBySegments == nil || toldBySegments == known.id { return known }
      let identity = QueueIdentity(id: toldBySegments ?? .random(), created: clock.wall() / 1_000_000_000)
      try root.replace(QueueIdentity.name, with: Array(identity.text.utf8))
      if toldBySegments != nil {
        notify(
          QueueNotice(
            .warning, "queue.json was missing or garbled and was rebuilt from the segments", ("queue.directory", root.path.string)))
      }
      return identity
    }
    try asQueueError { () throws(FileError) in try root.sync() }
    var cursors = try readCursors(folders.1, identity.id)
    var toldEnds: [Offset] = []
    for case (_, .success(let file)) in cursors {
      toldEnds.append(file.current.cursor)
      if let end = file.current.inFlightEnd { toldEnds.append(end) }
    }
    if let told, told.queueIDHigh == identity.id.high { toldEnds.append(told.durableEnd) }
    let quarantine = Quarantine(directory: folders.2)
    let recovery = Recovery(
      directory: folders.0, quarantine: quarantine, clock: clock, notify: notify, toldEnds: toldEnds, queueID: identity.id,
      agedWhileClosed: { time in
        // A crash before the first block of this age leaves them ahead of it: that only holds more.
        guard time >= leastAbsence else { return }
        for index in cursors.indices {
          guard case .success(var file) = cursors[index].1 else { continue }
          try? file.commit { $0.lastCallAge += time }
          // Also after an error: the file knows that it is spoilt.
          cursors[index].1 = .success(file)
        }
      })
    let recovered = try recovery.run()
    return QueueDirectory(
      root: root, consumers: folders.1, lock: lock, identity: identity, quarantine: quarantine, cursors: cursors,
      recovered: recovered)
  }

  /// Who only looks at a queue's files takes the lock for a moment, to see whether it is held: one that opens the queue waits that out.
  private static func take(_ lock: any File) throws(FileError) -> Bool {
    for attempt in 0..<6 {
      if attempt > 0 { usleep(20_000) }
      if try lock.lock() { return true }
    }
    return false
  }

  /// What `queue.json` says; nil when it is to be made (again).
  static func readIdentity(_ root: any Directory) throws(QueueError) -> QueueIdentity? {
    guard let bytes = try asQueueError({ () throws(FileError) in try root.contents(QueueIdentity.name, limit: 64 << 10) }) else {
      return nil
    }
    do throws(QueueIdentity.Failure) { return try QueueIdentity.parse(bytes) } catch {
      switch error {
      case .unreadable: return nil
      case .newer(let format):
        throw QueueError(
          .newerFormat,
          "the queue \(root.path) has format \(format), and this version of Sluice reads up to \(QueueIdentity.formatVersion); use the newer version. Nothing was changed"
        )
      }
    }
  }

  /// The identity that checksums vouch for: `queue.json` has none, and a garbled digit in it would make every block a stranger's. It is
  /// believed when a segment or a consumer bears it out; nil when nothing tells any.
  static func identity(toldBy segments: any Directory, _ consumers: (any Directory)?, known: QueueID?) throws(QueueError) -> QueueID? {
    let told = try asQueueError { () throws(FileError) in try Recovery.identity(toldBy: segments, expecting: known) }
    guard let known, told != known, let consumers else { return told }
    for case (_, .success) in try readCursors(consumers, known) { return known }
    return told
  }

  /// The consumers' files. One that can't be read stops nobody but its consumer.
  static func readCursors(_ directory: any Directory, _ id: QueueID) throws(QueueError) -> [(String, Result<CursorFile, QueueError>)] {
    var cursors: [(String, Result<CursorFile, QueueError>)] = []
    for name in try asQueueError({ () throws(FileError) in try directory.names() }) where QueueConsumer.isValid(name: name) {
      do throws(CursorFile.Failure) {
        if let file = try CursorFile(opening: name, in: directory, queueID: id) { cursors.append((name, .success(file))) }
      } catch {
        let path = directory.path.appending(name)
        switch error {
        case .file(let error): cursors.append((name, .failure(QueueError(error))))
        case .unreadable:
          cursors.append(
            (
              name,
              .failure(
                QueueError(
                  .cursorUnreadable,
                  "both slots of \(path) are unreadable; the consumer holds everything until it is decided: move the file away, and it begins anew where you say"
                ))
            ))
        case .foreign:
          cursors.append((name, .failure(QueueError(.cursorUnreadable, "\(path) belongs to another queue; move it back, or away"))))
        }
      }
    }
    return cursors
  }
}
