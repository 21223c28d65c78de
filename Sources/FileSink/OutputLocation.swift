internal import DurableFiles
internal import SystemPackage

/// Where an output file is: a fixed directory, reached as the operator wrote it, and a path below it that follows no link.
struct OutputLocation: Hashable {
  /// ``PathTemplate/fixedDirectory`` as it was when the file was begun.
  var base: String
  /// Directories and name below `base`.
  var relative: String

  /// The whole path, for messages.
  var path: FilePath { FilePath(base).appending(relative) }
  /// The directories below `base`.
  var directories: [String] { relative.split(separator: "/").dropLast().map(String.init) }
  /// The file's name.
  var name: String { String(relative.split(separator: "/").last!) }

  /// The directory that holds the file, or nil when there is none.
  func openDirectory(_ fileSystem: any FileSystem) throws(FileError) -> (any Directory)? {
    do throws(FileError) {
      var directory = try fileSystem.directory(FilePath(base), create: false)
      for name in directories { directory = try directory.subdirectory(name, create: false) }
      return directory
    } catch {
      // A link or a file in a directory's place is as good as no directory: what we wrote isn't there.
      switch error.code {
      case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels: return nil
      default: throw error
      }
    }
  }

  /// The directory that holds the file, made with those above it when missing: on the disk on return.
  func makeDirectory(_ fileSystem: any FileSystem) throws(FileError) -> any Directory {
    var directory = try fileSystem.directory(FilePath(base), create: true)
    for name in directories {
      let child = try directory.subdirectory(name, create: true)
      // Also when it was there: whoever made it may have died before this sync.
      try directory.sync()
      directory = child
    }
    return directory
  }
}
