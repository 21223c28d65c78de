internal import SystemPackage

/// The files among which one scan searches for streams that weren't found: those that the patterns name and no stream has, and all others
/// in the
/// directories where a stream was. Directories are listed, and heads read, once each and only when asked for.
struct CandidateFiles {
  private let unclaimed: [FoundFile]
  private var claimed: Set<FileKey>
  private var listings: [FilePath: [DirectoryListing.Entry]] = [:]
  private var headed: [FilePath: [ContentHash: [FoundFile]]] = [:]
  private var unclaimedHeads: [ContentHash: [FoundFile]]?

  init(unclaimed: [FoundFile], claimed: Set<FileKey>) {
    self.unclaimed = unclaimed
    self.claimed = claimed
  }

  /// The file is some stream's.
  func isClaimed(_ file: FoundFile) -> Bool { claimed.contains(file.key) }

  /// Gives the file to a stream.
  mutating func claim(_ file: FoundFile) { claimed.insert(file.key) }

  /// Files that may be the one of `path` by inode or name: in its directory, with this inode.
  mutating func files(withInode inode: UInt64, near path: FilePath) -> [FoundFile] {
    let directory = path.parentDirectory
    var files = unclaimed.filter { $0.inode == inode }
    for entry in listing(directory) where entry.inode == inode && entry.kind == .regular {
      if case .regular(let file) = FoundFile.look(at: directory.appending(nameBytes: entry.name)) { files.append(file) }
    }
    return files.filter { !isClaimed($0) }
  }

  /// Every file of the path's directory that no stream has.
  mutating func files(near path: FilePath) -> [FoundFile] {
    let directory = path.parentDirectory
    var files: [FoundFile] = []
    for entry in listing(directory) where entry.kind == .regular {
      if case .regular(let file) = FoundFile.look(at: directory.appending(nameBytes: entry.name)), !isClaimed(file) { files.append(file) }
    }
    return files
  }

  /// The file with the stream's content, as `decide` says; a plain one before a compressed one, the longer before the shorter.
  mutating func bestContinuation(
    of stream: TailedStream, unclaimedOnly: Bool, decide: (FoundFile) -> ResumeDecision?
  ) -> FoundFile? {
    guard stream.place.position > 0 else { return nil }
    var files: [FoundFile] = []
    let name = stream.identity.path.lastNameBytes
    let directory = stream.identity.path.parentDirectory
    func isRelated(_ other: [UInt8]) -> Bool { other == name || RotationName.isRotation(other, of: name) }
    files += unclaimed.filter { $0.path.parentDirectory == directory && isRelated($0.path.lastNameBytes) }
    if stream.identity.hasFullHead { files += unclaimedFiles(withHead: stream.identity.headHash) }
    if !unclaimedOnly {
      for entry in listing(directory) where entry.kind == .regular && isRelated(entry.name) {
        if case .regular(let file) = FoundFile.look(at: directory.appending(nameBytes: entry.name)) { files.append(file) }
      }
      if stream.identity.hasFullHead { files += self.files(withHead: stream.identity.headHash, in: directory) }
    }
    var best: FoundFile?
    for file in files where !isClaimed(file) && file.key != best?.key && decide(file) == .goOn {
      if let current = best, (Self.isGzip(current) ? 0 : 1, current.size) >= (Self.isGzip(file) ? 0 : 1, file.size) { continue }
      best = file
    }
    return best
  }

  private static func isGzip(_ file: FoundFile) -> Bool { RotationName.isGzip(file.path.lastNameBytes) }

  private mutating func listing(_ directory: FilePath) -> [DirectoryListing.Entry] {
    if let known = listings[directory] { return known }
    let entries = (try? DirectoryListing.entries(of: directory)) ?? []
    listings[directory] = entries
    return entries
  }

  private mutating func unclaimedFiles(withHead hash: ContentHash) -> [FoundFile] {
    if unclaimedHeads == nil { unclaimedHeads = Self.byHead(unclaimed) }
    return unclaimedHeads?[hash] ?? []
  }

  private mutating func files(withHead hash: ContentHash, in directory: FilePath) -> [FoundFile] {
    if headed[directory] == nil { headed[directory] = Self.byHead(files(near: directory.appending("x"))) }
    return headed[directory]?[hash] ?? []
  }

  private static func byHead(_ files: [FoundFile]) -> [ContentHash: [FoundFile]] {
    var result: [ContentHash: [FoundFile]] = [:]
    for file in files {
      guard let input = try? InputFile(file.path), let hash = try? input.headHash(length: StreamIdentity.maximumHeadLength) else {
        continue
      }
      result[hash, default: []].append(file)
    }
    return result
  }
}
