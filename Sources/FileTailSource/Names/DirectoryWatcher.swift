internal import CLinux
internal import Glibc
internal import SystemPackage

/// Hears of changes in directories from inotify. A hint only: what it misses, the next rescan finds.
final class DirectoryWatcher {
  /// What happened.
  enum Change: Hashable, Sendable {
    /// Bytes of a file changed.
    case modified(FilePath)
    /// A name came, went, or changed its rights.
    case names
    /// A name was given to a file that had another, both in watched directories. Told besides `names`.
    case renamed(FilePath, to: FilePath)
    /// A name was deleted. Told besides `names`.
    case deleted(FilePath)
    /// The kernel's queue ran over: anything may have happened.
    case overflow
  }

  /// Readable when there are changes.
  let fileDescriptor: Int32
  private var watches: [FilePath: Int32] = [:]
  private var directories: [Int32: [FilePath]] = [:]
  /// Paths that were renamed, by the number that the event with the new name has, too.
  private var renamed: [UInt32: [FilePath]] = [:]
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

  /// Fails when the system's limit of inotify instances is reached.
  init() throws(Errno) {
    fileDescriptor = linux_inotify_open()
    guard fileDescriptor >= 0 else {
      buffer.deallocate()
      throw Errno(rawValue: errno)
    }
  }

  deinit {
    close(fileDescriptor)
    buffer.deallocate()
  }

  /// Watches exactly these directories from now on. Returns why one couldn't be watched, if so; the others are.
  func watch(_ wanted: Set<FilePath>) -> (directory: FilePath, code: Errno)? {
    for (directory, watch) in watches where !wanted.contains(directory) {
      watches[directory] = nil
      directories[watch]?.removeAll { $0 == directory }
      if directories[watch]?.isEmpty == true {
        directories[watch] = nil
        _ = linux_inotify_unwatch(fileDescriptor, watch)
      }
    }
    var failure: (FilePath, Errno)?
    for directory in wanted where watches[directory] == nil {
      let watch = directory.withPlatformString { linux_inotify_watch(fileDescriptor, $0) }
      if watch < 0 {
        let code = Errno(rawValue: errno)
        if code != .noSuchFileOrDirectory && code != .notDirectory { failure = (directory, code) }
        continue
      }
      watches[directory] = watch
      directories[watch, default: []].append(directory)
    }
    return failure
  }

  /// Hands over what has come; never waits. At most a bufferful, so that a storm of changes starves nobody. False when nothing had come.
  func drain(_ body: (Change) -> Void) -> Bool {
    let got = read(fileDescriptor, buffer.baseAddress, buffer.count)
    guard got > 0 else { return false }
    var position = 0
    var change = linux_inotify_change()
    while linux_inotify_next(buffer.baseAddress!, got, &position, &change) == 1 {
      if change.overflowed != 0 { body(.overflow) }
      if change.ended != 0 {
        for directory in directories.removeValue(forKey: change.watch) ?? [] { watches[directory] = nil }
        body(.names)
      }
      if change.names_changed != 0 { body(.names) }
      guard change.name_length > 0 else { continue }
      if change.modified != 0 { for path in paths(change) { body(.modified(path)) } }
      if change.deleted != 0 { for path in paths(change) { body(.deleted(path)) } }
      if change.moved_from != 0 {
        // Names that left the watched directories are never asked for.
        if renamed.count >= 256 { renamed.removeAll() }
        renamed[change.moved_from] = paths(change)
      }
      if change.moved_to != 0 {
        let new = paths(change)
        for old in renamed.removeValue(forKey: change.moved_to) ?? [] { for new in new { body(.renamed(old, to: new)) } }
      }
    }
    return true
  }

  /// The path that changed, under each name that its directory is watched by.
  private func paths(_ change: linux_inotify_change) -> [FilePath] {
    let name = Array(UnsafeRawBufferPointer(start: change.name, count: Int(change.name_length)))
    return (directories[change.watch] ?? []).map { $0.appending(nameBytes: name) }
  }
}
