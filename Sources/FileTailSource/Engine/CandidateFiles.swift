internal import SystemPackage

/// The files among which one scan searches for streams that weren't found: those that the patterns name and no stream has, and all others
/// in the directories where a stream was. Directories are listed, and heads read, once each and only when asked for.
struct CandidateFiles {
  private let unclaimed: [FoundFile]
  private var claimed: Set<FileKey>
  private var unclaimedNames: [FilePath: [FoundFile]] = [:]
  private var unclaimedInodes: [UInt64: [FoundFile]] = [:]
  private var unclaimedHeads: [ContentHash: [FoundFile]]?
  private var listings: [FilePath: Listing] = [:]
  private var heads: [FilePath: [ContentHash: [FoundFile]]] = [:]

  /// Descriptors or memory ran out, so a file that wasn't found may be there all the same.
  private(set) var isShortOfResources = false

  /// The regular files of a directory, to be found by inode and by any name that rotation may have made theirs from.
  private struct Listing {
    var names: [[UInt8]] = []
    var byInode: [UInt64: [[UInt8]]] = [:]
    var byEarlierName: [[UInt8]: [[UInt8]]] = [:]
  }

  init(unclaimed: [FoundFile], claimed: Set<FileKey>) {
    self.unclaimed = unclaimed
    self.claimed = claimed
    for file in unclaimed {
      let directory = file.path.parentDirectory
      unclaimedInodes[file.inode, default: []].append(file)
      for name in Self.keys(of: file.path.lastNameBytes) { unclaimedNames[directory.appending(nameBytes: name), default: []].append(file) }
    }
  }

  /// The file is some stream's.
  func isClaimed(_ file: FoundFile) -> Bool { claimed.contains(file.key) }

  /// Gives the file to a stream.
  mutating func claim(_ file: FoundFile) { claimed.insert(file.key) }

  /// Files with this inode: among those that the patterns name, and in the path's directory.
  mutating func files(withInode inode: UInt64, near path: FilePath) -> [FoundFile] {
    let directory = path.parentDirectory
    let named = listing(directory).byInode[inode] ?? []
    return ((unclaimedInodes[inode] ?? []) + look(at: named, in: directory)).filter { !isClaimed($0) }
  }

  /// The file with the stream's content, as `decide` says; a plain one before a compressed one, the longer before the shorter.
  mutating func bestContinuation(of stream: TailedStream, unclaimedOnly: Bool, decide: (FoundFile) -> ResumeDecision?) -> FoundFile? {
    guard stream.identity.headLength > 0 else { return nil }
    let directory = stream.identity.path.parentDirectory
    var files = rotations(of: stream, unclaimedOnly: unclaimedOnly)
    if stream.identity.hasFullHead {
      if unclaimedHeads == nil { unclaimedHeads = byHead(unclaimed) }
      files += unclaimedHeads?[stream.identity.headHash] ?? []
      if !unclaimedOnly {
        if heads[directory] == nil {
          heads[directory] = byHead(look(at: listing(directory).names, in: directory).filter { !isClaimed($0) })
        }
        files += heads[directory]?[stream.identity.headHash] ?? []
      }
    }
    var best: FoundFile?
    for file in files where !isClaimed(file) && file.key != best?.key && decide(file) == .goOn {
      if let current = best, (Self.isGzip(current) ? 0 : 1, current.size) >= (Self.isGzip(file) ? 0 : 1, file.size) { continue }
      best = file
    }
    return best
  }

  /// Files whose name is the stream's, or its after a rotation.
  mutating func rotations(of stream: TailedStream, unclaimedOnly: Bool) -> [FoundFile] {
    let name = stream.identity.path.lastNameBytes
    let directory = stream.identity.path.parentDirectory
    var files: [FoundFile] = []
    // A compressed file may be some rotations on, so its oldest name is asked for too.
    for key in Set([name, RotationName.earlierNames(of: name).last ?? name]) {
      files += unclaimedNames[directory.appending(nameBytes: key)] ?? []
      if !unclaimedOnly { files += look(at: listing(directory).byEarlierName[key] ?? [], in: directory) }
    }
    return files.filter { file in
      let other = file.path.lastNameBytes
      return !isClaimed(file) && (other == name || RotationName.isRotation(other, of: name))
    }
  }

  private static func isGzip(_ file: FoundFile) -> Bool { RotationName.isGzip(file.path.lastNameBytes) }

  private static func keys(of name: [UInt8]) -> [[UInt8]] { [name] + RotationName.earlierNames(of: name) }

  private mutating func listing(_ directory: FilePath) -> Listing {
    if let known = listings[directory] { return known }
    var listing = Listing()
    for entry in entries(of: directory) where entry.kind == .regular {
      listing.names.append(entry.name)
      listing.byInode[entry.inode, default: []].append(entry.name)
      for key in Self.keys(of: entry.name) { listing.byEarlierName[key, default: []].append(entry.name) }
    }
    listings[directory] = listing
    return listing
  }

  private mutating func entries(of directory: FilePath) -> [DirectoryListing.Entry] {
    do throws(Errno) { return try DirectoryListing.entries(of: directory) } catch {
      if error.isForWantOfResources { isShortOfResources = true }
      return []
    }
  }

  private func look(at names: [[UInt8]], in directory: FilePath) -> [FoundFile] {
    names.compactMap { name in
      guard case .regular(let file) = FoundFile.look(at: directory.appending(nameBytes: name)) else { return nil }
      return file
    }
  }

  private mutating func byHead(_ files: [FoundFile]) -> [ContentHash: [FoundFile]] {
    var result: [ContentHash: [FoundFile]] = [:]
    for file in files {
      do throws(Errno) {
        guard let hash = try InputFile(file.path).headHash(length: StreamIdentity.maximumHeadLength) else { continue }
        result[hash, default: []].append(file)
      } catch {
        if error.isForWantOfResources { isShortOfResources = true }
      }
    }
    return result
  }
}
