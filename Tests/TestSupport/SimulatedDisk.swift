internal import DurableFiles
internal import SystemPackage

/// The state of a simulated file system: nodes by a key of their own, never used twice. A value, so that a crash is tried on a copy.
struct SimulatedDisk: Sendable {
  static let root = 0

  private struct Node: Sendable {
    var inode: UInt64
    /// Only directories and files that have lost their name have none.
    var parent: Int
    var isLinked = true
    var openFiles = 0
    var lockedBy: Int?
  }

  private var nodes: [Int: Node] = [root: Node(inode: 2, parent: root)]
  private var directories: [Int: SimulatedDirectoryContent] = [root: SimulatedDirectoryContent()]
  private var files: [Int: SimulatedFileContent] = [:]
  private var links: [Int: String] = [:]
  private var nextNode = 1
  private var nextInode: UInt64 = 3
  private var freeInodes: [UInt64] = []

  var device: UInt64 = 0x0801
  var reusesInodeNumbers = false
  var capacityBytes: UInt64?
  var availableBytesOverride: UInt64?
  var isOnNetwork = false
  /// Files that were synced again after a sync of theirs had failed.
  var retriedSyncs: [String] = []
  /// Bytes of all files that have a name or are open.
  private(set) var usedBytes: UInt64 = 0

  var availableBytes: UInt64 {
    availableBytesOverride ?? capacityBytes.map { $0 > usedBytes ? $0 - usedBytes : 0 } ?? 1 << 40
  }

  // MARK: Names

  func child(_ name: String, of directory: Int) throws(Errno) -> Int? {
    guard name.utf8.count <= 255 else { throw .fileNameTooLong }
    return directories[directory]!.entries[name]
  }

  func names(in directory: Int) -> [String] { directories[directory]!.entries.keys.sorted() }

  func isDirectory(_ node: Int) -> Bool { directories[node] != nil }
  func link(_ node: Int) -> String? { links[node] }

  func status(_ node: Int) -> FileStatus {
    let kind: FileStatus.Kind = directories[node] != nil ? .directory : links[node] != nil ? .symbolicLink : .regular
    let size = directories[node] != nil ? 4096 : links[node]?.utf8.count ?? files[node]!.cached.count
    return FileStatus(kind: kind, size: Int64(size), device: device, inode: nodes[node]!.inode)
  }

  mutating func makeDirectory(_ name: String, in parent: Int) throws(Errno) -> Int {
    if try child(name, of: parent) != nil { throw .fileExists }
    let node = makeNode(in: parent)
    directories[node] = SimulatedDirectoryContent()
    directories[parent]!.make(.link(name: name, node: node))
    return node
  }

  mutating func openFile(_ name: String, in parent: Int, _ mode: OpenMode) throws(Errno) -> Int {
    if let node = try child(name, of: parent) {
      if mode == .createNew { throw .fileExists }
      if links[node] != nil { throw .tooManySymbolicLinkLevels }
      if directories[node] != nil { throw .isDirectory }
      nodes[node]!.openFiles += 1
      return node
    }
    guard mode == .create || mode == .createNew else { throw .noSuchFileOrDirectory }
    let node = makeNode(in: parent)
    files[node] = SimulatedFileContent()
    nodes[node]!.openFiles = 1
    directories[parent]!.make(.link(name: name, node: node))
    return node
  }

  mutating func rename(_ name: String, to newName: String, in parent: Int) throws(Errno) {
    guard let node = try child(name, of: parent) else { throw .noSuchFileOrDirectory }
    let replaced = try child(newName, of: parent)
    if node == replaced { return }
    if let replaced {
      if let content = directories[replaced] {
        guard directories[node] != nil else { throw .isDirectory }
        guard content.entries.isEmpty else { throw .directoryNotEmpty }
      } else if directories[node] != nil {
        throw .notDirectory
      }
    }
    directories[parent]!.make(.rename(from: name, to: newName, node: node, replaced: replaced))
    if let replaced { loseName(replaced) }
  }

  mutating func unlink(_ name: String, in parent: Int) throws(Errno) {
    guard let node = try child(name, of: parent) else { throw .noSuchFileOrDirectory }
    guard directories[node] == nil else { throw .isDirectory }
    directories[parent]!.make(.unlink(name: name, node: node))
    loseName(node)
  }

  mutating func syncDirectory(_ directory: Int) {
    let touched = Set(directories[directory]!.pending.flatMap(\.nodes))
    directories[directory]!.sync()
    for node in touched.sorted() { forgetIfGone(node) }
  }

  // MARK: Open files

  func read(_ node: Int, into buffer: UnsafeMutableRawBufferPointer, at position: Int64) throws(Errno) -> Int {
    guard position >= 0 else { throw .invalidArgument }
    return files[node]!.cached.withUnsafeBytes { bytes in
      guard position < bytes.count else { return 0 }
      let part = UnsafeRawBufferPointer(rebasing: bytes[Int(position)...].prefix(buffer.count))
      buffer.copyMemory(from: part)
      return part.count
    }
  }

  mutating func write(_ node: Int, _ bytes: UnsafeRawBufferPointer, at position: Int64) throws(Errno) {
    if bytes.isEmpty { return }
    guard position >= 0 else { throw .invalidArgument }
    guard position <= SimulatedFileContent.maximumByteCount - bytes.count else { throw .fileTooLarge }
    let before = files[node]!.cached.count
    let growth = max(0, Int(position) + bytes.count - before)
    guard UInt64(growth) <= availableBytes else {
      // The kernel writes what there is room for.
      let fitting = bytes.count - (growth - Int(availableBytes))
      if fitting > 0 { try write(node, UnsafeRawBufferPointer(rebasing: bytes.prefix(fitting)), at: position) }
      throw .noSpace
    }
    files[node]!.write(bytes, at: Int(position))
    usedBytes += UInt64(growth)
  }

  mutating func truncate(_ node: Int, to size: Int64) throws(Errno) {
    guard size >= 0 else { throw .invalidArgument }
    guard size <= SimulatedFileContent.maximumByteCount else { throw .fileTooLarge }
    let before = files[node]!.cached.count
    files[node]!.truncate(to: Int(size))
    usedBytes = usedBytes + UInt64(size) - UInt64(before)
  }

  mutating func sync(_ node: Int) { files[node]!.sync() }
  mutating func failSync(_ node: Int) { files[node]!.failSync() }
  mutating func forgetFailedSyncs() { for node in files.keys { files[node]!.forgetFailedSync() } }
  func syncHasFailed(_ node: Int) -> Bool { files[node]!.syncHasFailed }

  mutating func lock(_ node: Int, by handle: Int) -> Bool {
    if let holder = nodes[node]!.lockedBy, holder != handle { return false }
    nodes[node]!.lockedBy = handle
    return true
  }

  mutating func close(_ node: Int, by handle: Int) {
    if nodes[node]!.lockedBy == handle { nodes[node]!.lockedBy = nil }
    nodes[node]!.openFiles -= 1
    if !nodes[node]!.isLinked, nodes[node]!.openFiles == 0 {
      usedBytes -= UInt64(files[node]!.cached.count)
      forgetIfGone(node)
    }
  }

  mutating func evictCleanPages() {
    for node in files.keys {
      let before = files[node]!.cached.count
      files[node]!.evictCleanPages()
      if nodes[node]!.isLinked || nodes[node]!.openFiles > 0 { usedBytes = usedBytes + UInt64(files[node]!.cached.count) - UInt64(before) }
    }
  }

  // MARK: From outside

  /// Gives a name to a link, or to a file of these bytes; on the disk at once.
  mutating func plant(_ name: String, in parent: Int, bytes: [UInt8]?, link: String?) {
    if let old = directories[parent]!.entries[name] {
      precondition(directories[old] == nil, "a directory stands there")
      loseName(old)
    }
    let node = makeNode(in: parent)
    if let link {
      links[node] = link
    } else {
      files[node] = SimulatedFileContent(durable: bytes ?? [])
      usedBytes += UInt64(bytes?.count ?? 0)
    }
    directories[parent]!.plant(name, node)
  }

  func contents(_ node: Int) -> [UInt8]? { files[node]?.cached }
  func durableContents(_ node: Int) -> [UInt8]? { files[node]?.durable }

  mutating func overwrite(_ node: Int, _ bytes: [UInt8], at position: Int) {
    let before = files[node]!.cached.count
    files[node]!.overwrite(bytes, at: position)
    usedBytes += UInt64(files[node]!.cached.count - before)
  }

  // MARK: Crash

  /// The file system as the next process finds it.
  func afterCrash(_ kind: CrashKind, _ random: inout SplitMix64) -> SimulatedDisk {
    var next = self
    next.retriedSyncs = []
    if kind == .everythingKept {
      for node in nodes.keys.sorted() {
        next.nodes[node]!.lockedBy = nil
        next.files[node]?.forgetFailedSync()
        guard nodes[node]!.openFiles > 0 else { continue }
        next.nodes[node]!.openFiles = 0
        if !nodes[node]!.isLinked {
          next.usedBytes -= UInt64(files[node]!.cached.count)
          next.forgetIfGone(node)
        }
      }
      return next
    }
    next.nodes = [:]
    next.directories = [:]
    next.files = [:]
    next.links = [:]
    next.usedBytes = 0
    keep(Self.root, parent: Self.root, in: &next, kind, &random)
    let kept = Set(next.nodes.keys)
    if reusesInodeNumbers { next.freeInodes += nodes.filter { !kept.contains($0.key) }.map(\.value.inode).sorted() }
    return next
  }

  private func keep(_ node: Int, parent: Int, in next: inout SimulatedDisk, _ kind: CrashKind, _ random: inout SplitMix64) {
    next.nodes[node] = Node(inode: nodes[node]!.inode, parent: parent)
    if let link = links[node] {
      next.links[node] = link
    } else if let file = files[node] {
      let bytes = file.survivor(kind, &random)
      next.files[node] = SimulatedFileContent(durable: bytes)
      next.usedBytes += UInt64(bytes.count)
    } else {
      let entries = directories[node]!.survivor(kind, &random)
      next.directories[node] = SimulatedDirectoryContent(durable: entries)
      for name in entries.keys.sorted() { keep(entries[name]!, parent: node, in: &next, kind, &random) }
    }
  }

  // MARK: Nodes

  private mutating func makeNode(in parent: Int) -> Int {
    let inode: UInt64
    if reusesInodeNumbers, let free = freeInodes.popLast() {
      inode = free
    } else {
      inode = nextInode
      nextInode += 1
    }
    defer { nextNode += 1 }
    nodes[nextNode] = Node(inode: inode, parent: parent)
    return nextNode
  }

  private mutating func loseName(_ node: Int) {
    nodes[node]!.isLinked = false
    if nodes[node]!.openFiles == 0, let file = files[node] { usedBytes -= UInt64(file.cached.count) }
    forgetIfGone(node)
  }

  /// Frees a node that nobody has open and no crash can bring back.
  private mutating func forgetIfGone(_ node: Int) {
    guard let facts = nodes[node], !facts.isLinked, facts.openFiles == 0, !directories[facts.parent]!.mentions(node) else { return }
    nodes[node] = nil
    files[node] = nil
    links[node] = nil
    directories[node] = nil
    if reusesInodeNumbers { freeInodes.append(facts.inode) }
  }
}
