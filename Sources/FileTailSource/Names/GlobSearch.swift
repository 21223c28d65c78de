internal import SystemPackage

/// Finds the files that patterns name, by walking the directories they go through.
struct GlobSearch {
  /// What a search brought to light.
  struct Result {
    /// Regular files, each once (by device and inode), sorted by path.
    var files: [FoundFile] = []
    /// Every directory that was listed or that holds a literally named file: where changes are to be watched.
    var directories: Set<FilePath> = []
    /// Where links lead: the real path of a file → the path that it was found at.
    var links: [FilePath: FilePath] = [:]
    /// Paths that matched but can't be read as files, and why.
    var unsuitable: [FilePath: String] = [:]
    /// Paths and directories that the system refused to show.
    var failures: [FilePath: Errno] = [:]
    /// More files matched than ``GlobSearch/mostFiles``.
    var isIncomplete = false
  }

  /// The most files of one source.
  static let mostFiles = 100_000
  private static let deepest = 64

  private let patterns: [GlobPattern]
  private let exclusions: [GlobPattern]
  let root: FilePath

  /// - Parameter workingDirectory: where relative patterns begin; absolute.
  init(patterns: [GlobPattern], exclusions: [GlobPattern], workingDirectory: FilePath) {
    self.patterns = patterns
    self.exclusions = exclusions
    root = workingDirectory
  }

  /// Walks the file system once.
  func run() -> Result {
    var result = Result()
    var paths: Set<FilePath> = []
    for pattern in patterns {
      let start = pattern.isAbsolute ? FilePath("/") : root
      walk(start, pattern.components[...], depth: 0, belowAnyDirectories: false, &result, &paths)
    }
    result.files.sort { $0.path.string < $1.path.string }
    var seen: Set<FileKey> = []
    result.files.removeAll { !seen.insert($0.key).inserted }
    return result
  }

  /// Whether an exclusion names the path.
  func isExcluded(_ path: FilePath) -> Bool {
    let bytes = path.nameBytes
    return exclusions.contains { $0.isNameOnly ? $0.matches(name: path.lastNameBytes) : matches($0, bytes) }
  }

  /// Whether a pattern names the path and no exclusion does.
  func names(_ path: FilePath) -> Bool {
    let bytes = path.nameBytes
    return patterns.contains { matches($0, bytes) } && !isExcluded(path)
  }

  private func matches(_ pattern: GlobPattern, _ path: [UInt8]) -> Bool {
    if pattern.isAbsolute { return pattern.matches(path: path) }
    let prefix = root.nameBytes + [UInt8(ascii: "/")]
    return path.starts(with: prefix) && pattern.matches(path: Array(path.dropFirst(prefix.count)))
  }

  private func walk(
    _ directory: FilePath, _ components: ArraySlice<GlobPattern.Component>, depth: Int, belowAnyDirectories: Bool, _ result: inout Result,
    _ paths: inout Set<FilePath>
  ) {
    guard let component = components.first, depth <= Self.deepest else { return }
    let rest = components.dropFirst()
    switch component {
    case .literal(let name):
      let path = directory.appending(nameBytes: name)
      if rest.isEmpty {
        result.directories.insert(directory)
        take(path, isNamed: true, isLink: nil, &result, &paths)
      } else {
        walk(path, rest, depth: depth + 1, belowAnyDirectories: belowAnyDirectories, &result, &paths)
      }
    case .wildcard:
      for entry in list(directory, &result) where GlobPattern.matches(component, entry.name) {
        let path = directory.appending(nameBytes: entry.name)
        if rest.isEmpty {
          // Below `**` a directory matches by nature and needs no warning.
          if entry.kind == .directory && belowAnyDirectories { continue }
          take(path, isNamed: !belowAnyDirectories, isLink: entry.kind == .link, &result, &paths)
        } else if entry.kind == .directory || entry.kind == .link {
          walk(path, rest, depth: depth + 1, belowAnyDirectories: belowAnyDirectories, &result, &paths)
        }
      }
    case .anyDirectories:
      walk(directory, rest, depth: depth, belowAnyDirectories: true, &result, &paths)
      // Links to directories are not followed here, or a loop of links would be walked for ever; hidden directories are left alone as
      // hidden files are.
      for entry in list(directory, &result) where entry.kind == .directory && entry.name.first != UInt8(ascii: ".") {
        walk(directory.appending(nameBytes: entry.name), components, depth: depth + 1, belowAnyDirectories: true, &result, &paths)
      }
    }
  }

  private func list(_ directory: FilePath, _ result: inout Result) -> [DirectoryListing.Entry] {
    do throws(Errno) {
      let entries = try DirectoryListing.entries(of: directory)
      result.directories.insert(directory)
      return entries
    } catch {
      if error != .noSuchFileOrDirectory && error != .notDirectory { result.failures[directory] = error }
      return []
    }
  }

  private func take(_ path: FilePath, isNamed: Bool, isLink: Bool?, _ result: inout Result, _ paths: inout Set<FilePath>) {
    guard !isExcluded(path), paths.insert(path).inserted else { return }
    guard result.files.count < Self.mostFiles else {
      result.isIncomplete = true
      return
    }
    switch FoundFile.look(at: path) {
    case .regular(let file):
      result.files.append(file)
      if isLink ?? FoundFile.isLink(path), let target = FoundFile.target(of: path) {
        result.links[target] = path
        result.directories.insert(target.parentDirectory)
      }
    case .unsuitable(let what): result.unsuitable[path] = what
    case .directory: if isNamed { result.unsuitable[path] = "a directory" }
    case .missing: break
    case .failed(let code): result.failures[path] = code
    }
  }
}
