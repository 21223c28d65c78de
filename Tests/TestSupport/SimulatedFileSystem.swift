public import DurableFiles
public import SystemPackage

/// A file system in memory that knows what is on the disk and what is only in the page cache, and can lose the difference.
///
/// ## The fault model
///
/// It is written down so that a test's claim can be held against it. Nothing outside it happens; whatever it allows happens under some
/// seed.
///
/// **What is durable.** A file's bytes and length as of its own ``File/sync()`` that succeeded; a name (created, renamed, removed) as of
/// its directory's ``Directory/sync()``. Neither brings the other along: a synced file whose name was never synced is gone, and a durable
/// name may lead to an empty file. A directory made by ``directory(_:create:)`` is durable in its parent, one made by
/// ``Directory/subdirectory(_:create:)`` is not. A node's number (inode) is never given again unless ``reusesInodeNumbers`` is set.
///
/// **What a crash leaves** (``crash(_:seed:)``). The kinds are in ``CrashKind``: one for `kill -9`, five plain power cuts, which are the
/// extremes that a random choice rarely gives, and two random ones, which are the model as a whole:
/// - After a `kill -9` everything is as the process left it, but still not durable: a power cut after it can take it.
/// - A power cut treats each file's unsynced writes and truncations in one of these ways: all kept; a beginning of them kept and the last
///   torn; each with a fate of its own: kept, lost, or kept in part, cut at 512-byte boundaries of the file: a beginning, an end, any
///   sectors, the others missing (the old bytes, or zeros past the old end) or noise. A lost write may leave the length that it gave the
///   file, filled with zeros.
/// - Bytes that were durable stay, also in a sector that an unsynced write shares (power-safe overwrite, as SQLite calls it);
///   ``CrashKind/mixtureDamagingSharedSectors`` takes that promise away: noise then covers the whole sector.
/// - A directory's unsynced changes: a beginning of them is kept (as a journal does), or any of them whose name and file no lost earlier
///   change touched. One rename is never seen half done. Directories know nothing of each other and nothing of the files' data: a rename
///   may be kept whose file's bytes are not.
///
/// **Failures.** ``failOperation(number:with:once:)``, ``failOperations(numbers:with:)`` and ``failOperations(with:once:where:)`` make
/// calls fail with any code: `EIO`, `ENOSPC`, `EMFILE`, `EINTR`, whatever the kernel gives. A failed write has written a seeded beginning of its
/// bytes, which is what a short write followed by an error leaves. A short read or write that the kernel would go on with when asked again
/// is not seen here: ``File`` promises all bytes or an error, and the loop that makes it so is tested by itself (`TransferTests`).
/// After a failed file sync the unsynced bytes are still read but count as clean, as Linux has it: the next sync succeeds and doesn't
/// write them, and ``retriedSyncs`` tells on whoever asks for it; a power cut may have kept them or not; ``evictCleanPages()`` makes them
/// unreadable. A failed directory sync leaves its changes for the next. A write past ``capacityBytes`` writes what fits and fails with
/// `ENOSPC`.
///
/// **Death.** From ``stopAt(operation:)``'s operation on every call fails and nothing changes any more (a write that is stopped has
/// written a seeded beginning): the process died there. ``crash(_:seed:)`` then gives what the next one finds.
/// ``recordCrashPoints(where:)`` does this for many operations in one run.
///
/// Everything follows from the seeds and the order of calls; calls from several threads are as deterministic as the threads are.
public final class SimulatedFileSystem: FileSystem {
  private struct Failure: Sendable {
    let matches: @Sendable (FileOperation) -> Bool
    let code: Errno
    let once: Bool
  }

  private struct State: Sendable {
    var disk: SimulatedDisk
    var operations: [FileOperation] = []
    var operationCount = 0
    var failures: [Failure] = []
    var stop = Int.max
    var nextHandle = 0
    var isCrashPoint: (@Sendable (FileOperation) -> Bool)?
    var crashPoints: [CrashPoint] = []
  }

  /// The state right before an operation; see ``SimulatedFileSystem/recordCrashPoints(where:)``.
  public struct CrashPoint: Sendable {
    /// What would have come next.
    public let operation: FileOperation
    fileprivate let disk: SimulatedDisk

    /// The file system that the next process finds when this one dies right before ``operation``.
    public func crash(_ kind: CrashKind, seed: UInt64 = 1) -> SimulatedFileSystem { SimulatedFileSystem(after: kind, disk, seed: seed) }
  }

  /// Why the effect of an operation was cut short.
  enum Interruption { case failure, death }

  private let seed: UInt64
  private let state: Locked<State>

  /// An empty file system.
  /// - Parameters:
  ///   - seed: decides how much of a failed write is done.
  ///   - capacityBytes: how many bytes all files together may have; nil for no limit.
  public init(seed: UInt64 = 1, capacityBytes: UInt64? = nil) {
    self.seed = seed
    var disk = SimulatedDisk()
    disk.capacityBytes = capacityBytes
    state = Locked(State(disk: disk))
  }

  fileprivate init(after kind: CrashKind, _ disk: SimulatedDisk, seed: UInt64) {
    self.seed = seed
    var random = SplitMix64(seed: seed)
    state = Locked(State(disk: disk.afterCrash(kind, &random)))
  }

  /// See ``FileSystem/directory(_:create:)``. Relative paths begin at the root.
  public func directory(_ path: FilePath, create: Bool) throws(FileError) -> any Directory {
    var node = SimulatedDisk.root
    var walked = FilePath("/")
    var left = path.components.map(\.string).reversed() as [String]
    var followed = 0
    // The parent of the deepest directory that was there: perhaps an earlier process died before it synced it.
    var unsynced: (node: Int, text: String)?
    while let name = left.popLast() {
      precondition(name != "..", "the simulation knows no '..'")
      if name == "." { continue }
      let parent = node
      let parentText = Self.text(walked)
      walked.append(name)
      let text = Self.text(walked)
      var found = try quietly("open the directory", path) { disk throws(Errno) in try disk.child(name, of: parent) }
      if found != nil { unsynced = (parent, parentText) }
      if found == nil, create {
        try syncParent(&unsynced, path)
        found = try perform(.makeDirectory, text, saying: "create the directory", path) { disk, _ throws(Errno) in
          try disk.makeDirectory(name, in: parent)
        }
        try perform(.syncDirectory, parentText, saying: "sync the directory", path) { disk, _ in disk.syncDirectory(parent) }
      }
      guard let found else { throw FileError("open the directory", path, .noSuchFileOrDirectory) }
      let (link, isDirectory) = state.withLock { ($0.disk.link(found), $0.disk.isDirectory(found)) }
      if let link {
        followed += 1
        guard followed <= 40 else { throw FileError("open the directory", path, .tooManySymbolicLinkLevels) }
        let target = FilePath(link)
        left += target.components.map(\.string).reversed()
        if target.isAbsolute { (node, walked) = (SimulatedDisk.root, "/") } else { walked.removeLastComponent() }
        continue
      }
      guard isDirectory else { throw FileError("open the directory", path, .notDirectory) }
      node = found
    }
    if create { try syncParent(&unsynced, path) }
    try perform(.openDirectory, Self.text(walked), saying: "open the directory", path) { _, _ in }
    return SimulatedDirectory(self, node, path: path, text: Self.text(walked))
  }

  private func syncParent(_ parent: inout (node: Int, text: String)?, _ path: FilePath) throws(FileError) {
    guard let (node, text) = parent else { return }
    parent = nil
    try perform(.syncDirectory, text, saying: "sync the directory", path) { disk, _ in disk.syncDirectory(node) }
  }

  // MARK: The log

  /// How many calls there were.
  public var operationCount: Int { state.withLock { $0.operationCount } }
  /// All calls in order.
  public var log: [FileOperation] { state.withLock { $0.operations } }
  /// All calls in order, a line each: `write segments/0.gz.active 1024@4096`.
  public var operations: [String] { log.map(\.description) }

  // MARK: Failures

  /// Makes call number `number` (1 is the first) fail; unless `once`, all later ones too.
  public func failOperation(number: Int, with code: Errno, once: Bool = true) {
    failOperations(with: code, once: once) { once ? $0.number == number : $0.number >= number }
  }

  /// Makes the next call that `matches` fail; unless `once`, all of them. `matches` is called under the file system's lock.
  public func failOperations(with code: Errno, once: Bool = false, where matches: @escaping @Sendable (FileOperation) -> Bool) {
    state.withLock { $0.failures.append(Failure(matches: matches, code: code, once: once)) }
  }

  /// Calls succeed again.
  public func clearFailures() { state.withLock { $0.failures = [] } }

  /// Calls of these numbers fail: trouble that lasts, and is then over.
  public func failOperations(numbers: Range<Int>, with code: Errno) {
    failOperations(with: code) { numbers.contains($0.number) }
  }

  /// Files of which a sync succeeded after an earlier one had failed, in this process. There must be none: the later one says nothing
  /// about what the earlier one dropped.
  public var retriedSyncs: [String] { state.withLock { $0.disk.retriedSyncs } }

  /// Another process has the files now, which knows of no failed sync. What such a sync has dropped stays dropped.
  public func changeProcess() { state.withLock { $0.disk.forgetFailedSyncs() } }

  /// The process dies at call number `operation` (1 is the first): it and all later ones throw `ECANCELED` and change nothing,
  /// but a write that is stopped has written a seeded beginning.
  public func stopAt(operation: Int) { state.withLock { $0.stop = operation } }

  /// The process dies now.
  public func stop() { state.withLock { $0.stop = $0.operationCount + 1 } }

  // MARK: Crashes

  /// The file system that the next process finds; this one stays as it is, so any number of crashes can be tried from one state.
  /// Failures, stops and the log are not taken over; capacity and the like are.
  public func crash(_ kind: CrashKind, seed: UInt64 = 1) -> SimulatedFileSystem {
    SimulatedFileSystem(after: kind, state.withLock { $0.disk }, seed: seed)
  }

  /// Remembers the state right before each call that `isInteresting` (called under the file system's lock), from now on.
  ///
  /// One run then gives every crash: what was acknowledged when ``operationCount`` was n must be there after the crash of any point whose
  /// operation's
  /// number is greater than n. A point costs a copy of those files that change after it.
  public func recordCrashPoints(where isInteresting: @escaping @Sendable (FileOperation) -> Bool = { $0.isChange }) {
    state.withLock { $0.isCrashPoint = isInteresting }
  }

  /// What ``recordCrashPoints(where:)`` remembered.
  public var crashPoints: [CrashPoint] { state.withLock { $0.crashPoints } }

  // MARK: Properties of the file system

  /// How many bytes all files together may have; nil for no limit.
  public var capacityBytes: UInt64? {
    get { state.withLock { $0.disk.capacityBytes } }
    set { state.withLock { $0.disk.capacityBytes = newValue } }
  }
  /// What ``Directory/availableBytes()`` answers, and how far files may still grow; nil (the default) for what is left of the capacity.
  public var availableBytes: UInt64? {
    get { state.withLock { $0.disk.availableBytesOverride } }
    set { state.withLock { $0.disk.availableBytesOverride = newValue } }
  }
  /// Bytes of all files that have a name or are open.
  public var usedBytes: UInt64 { state.withLock { $0.disk.usedBytes } }
  /// Whether a removed file's inode number is given to the next new file.
  public var reusesInodeNumbers: Bool {
    get { state.withLock { $0.disk.reusesInodeNumbers } }
    set { state.withLock { $0.disk.reusesInodeNumbers = newValue } }
  }
  /// What ``Directory/isOnNetwork()`` answers.
  public var isOnNetwork: Bool {
    get { state.withLock { $0.disk.isOnNetwork } }
    set { state.withLock { $0.disk.isOnNetwork = newValue } }
  }
  /// The device number in every ``FileStatus``; it may change over a boot.
  public var device: UInt64 {
    get { state.withLock { $0.disk.device } }
    set { state.withLock { $0.disk.device = newValue } }
  }
  /// Bytes that a failed sync dropped are no longer to be read.
  public func evictCleanPages() { state.withLock { $0.disk.evictCleanPages() } }

  // MARK: A hand from outside: not logged, never failing, on the disk at once

  /// The bytes of the file at `path` as a reader sees them; nil when there is none.
  public func contents(_ path: FilePath) -> [UInt8]? {
    state.withLock { state in Self.node(path, state.disk).flatMap { state.disk.contents($0) } }
  }
  /// The bytes of the file at `path` that a power cut leaves for sure, as far as its name does.
  public func durableContents(_ path: FilePath) -> [UInt8]? {
    state.withLock { state in Self.node(path, state.disk).flatMap { state.disk.durableContents($0) } }
  }
  /// The names in the directory at `path`; nil when there is none.
  public func names(_ path: FilePath) -> [String]? {
    state.withLock { state in Self.node(path, state.disk).flatMap { state.disk.isDirectory($0) ? state.disk.names(in: $0) : nil } }
  }
  /// Puts a new file of `bytes` at `path`, whose directory exists, in place of what bears the name.
  public func plantFile(_ path: FilePath, _ bytes: [UInt8]) { plant(path, bytes: bytes, link: nil) }
  /// Puts a symbolic link at `path`, whose directory exists, in place of what bears the name.
  public func plantSymbolicLink(_ path: FilePath, to target: String) { plant(path, bytes: nil, link: target) }
  /// Changes bytes of the file at `path`.
  public func overwrite(_ path: FilePath, with bytes: [UInt8], at position: Int) {
    state.withLock { state in
      guard let node = Self.node(path, state.disk), state.disk.contents(node) != nil else { preconditionFailure("no file at \(path)") }
      state.disk.overwrite(node, bytes, at: position)
    }
  }

  private func plant(_ path: FilePath, bytes: [UInt8]?, link: String?) {
    state.withLock { state in
      guard let parent = Self.node(path.removingLastComponent(), state.disk), state.disk.isDirectory(parent) else {
        preconditionFailure("no directory above \(path)")
      }
      state.disk.plant(path.lastComponent!.string, in: parent, bytes: bytes, link: link)
    }
  }

  // MARK: For directories and files

  /// One logged call: counts it, lets it fail as asked, and runs it.
  @discardableResult
  func perform<R: Sendable>(
    _ kind: FileOperation.Kind, _ text: String, _ detail: String = "", saying sentence: String,
    _ path: @autoclosure () -> FilePath,
    interrupted: (inout SimulatedDisk, Interruption, inout SplitMix64) -> Void = { _, _, _ in },
    _ body: (inout SimulatedDisk, _ handle: Int) throws(Errno) -> R
  ) throws(FileError) -> R {
    var result: R?
    let failure: Errno? = state.withLock { state in
      state.operationCount += 1
      let operation = FileOperation(number: state.operationCount, kind: kind, path: text, detail: detail)
      var random = SplitMix64(seed: seed &+ UInt64(operation.number))
      if operation.number >= state.stop {
        if operation.number == state.stop { interrupted(&state.disk, .death, &random) }
        return .canceled
      }
      state.operations.append(operation)
      if let isCrashPoint = state.isCrashPoint, isCrashPoint(operation) {
        state.crashPoints.append(CrashPoint(operation: operation, disk: state.disk))
      }
      if let index = state.failures.firstIndex(where: { $0.matches(operation) }) {
        let failure = state.failures[index]
        if failure.once { state.failures.remove(at: index) }
        interrupted(&state.disk, .failure, &random)
        return failure.code
      }
      state.nextHandle += 1
      do throws(Errno) { result = try body(&state.disk, state.nextHandle) } catch { return error }
      return nil
    }
    if let failure { throw FileError(sentence, path(), failure) }
    return result!
  }

  /// Whether a directory has a name, without a call.
  func holds(_ name: String, _ node: Int, _ path: FilePath) throws(FileError) -> Bool {
    try quietly("look at", path.appending(name)) { disk throws(Errno) in try disk.child(name, of: node) != nil }
  }

  /// The lock and room of an open file go when it goes.
  func close(_ node: Int, handle: Int) { state.withLock { $0.disk.close(node, by: handle) } }

  static func text(_ path: FilePath) -> String { path.components.map(\.string).joined(separator: "/") }

  private func quietly<R: Sendable>(_ sentence: String, _ path: FilePath, _ body: (inout SimulatedDisk) throws(Errno) -> R)
    throws(FileError) -> R
  {
    var result: R?
    let failure: Errno? = state.withLock { state in
      do throws(Errno) { result = try body(&state.disk) } catch { return error }
      return nil
    }
    if let failure { throw FileError(sentence, path, failure) }
    return result!
  }

  private static func node(_ path: FilePath, _ disk: SimulatedDisk) -> Int? {
    var node = SimulatedDisk.root
    for component in path.components {
      guard disk.isDirectory(node), let child = try? disk.child(component.string, of: node) else { return nil }
      node = child
    }
    return node
  }
}
