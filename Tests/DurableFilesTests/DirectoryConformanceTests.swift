import DurableFiles
import SystemPackage
import TestSupport
import Testing

/// What an open directory does, on every implementation.
@Suite struct `An open directory` {
  @Test(arguments: FileSystemKind.allCases) func `opens a file in the four modes`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    for mode in [OpenMode.read, .update] { expectFailure(.noSuchFileOrDirectory) { _ = try directory.open("a", mode) } }
    try directory.open("a", .createNew).write([1], at: 0)
    expectFailure(.fileExists) { _ = try directory.open("a", .createNew) }
    #expect(try directory.open("a", .create).read(9, at: 0) == [1])
    try directory.open("a", .update).write([2], at: 1)
    #expect(try directory.open("a", .read).read(9, at: 0) == [1, 2])
    try directory.open("b", .create).write([3], at: 0)
    #expect(try directory.names() == ["a", "b"])
  }

  @Test(arguments: FileSystemKind.allCases) func `follows no symbolic link, dangling or not`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    _ = try directory.open("target", .create)
    fixture.plantSymbolicLink(fixture.path.appending("link"), "target")
    fixture.plantSymbolicLink(fixture.path.appending("dangling"), "nothing")
    for name in ["link", "dangling"] {
      for mode in [OpenMode.read, .update, .create] { expectFailure(.tooManySymbolicLinkLevels) { _ = try directory.open(name, mode) } }
      expectFailure(.fileExists) { _ = try directory.open(name, .createNew) }
      #expect(try directory.status(name)?.kind == .symbolicLink)
      for create in [false, true] { expectFailure(.notDirectory) { _ = try directory.subdirectory(name, create: create) } }
    }
    #expect(try directory.status("nothing") == nil)
    try directory.unlink("link")
    #expect(try directory.names() == ["dangling", "target"])
    try directory.rename("dangling", to: "target")
    #expect(try directory.status("target")?.kind == .symbolicLink)
  }

  @Test(arguments: FileSystemKind.allCases) func `follows no link that leads to a directory`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    _ = try directory.subdirectory("real", create: true)
    fixture.plantSymbolicLink(fixture.path.appending("link"), "real")
    for create in [false, true] { expectFailure(.notDirectory) { _ = try directory.subdirectory("link", create: create) } }
  }

  @Test(arguments: FileSystemKind.allCases) func `keeps files and directories apart`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    _ = try directory.subdirectory("sub", create: true)
    _ = try directory.open("file", .create)
    #expect(try directory.status("sub")?.kind == .directory)
    for mode in [OpenMode.update, .create] { expectFailure(.isDirectory) { _ = try directory.open("sub", mode) } }
    expectFailure(.fileExists) { _ = try directory.open("sub", .createNew) }
    expectFailure(.isDirectory) { _ = try directory.open("sub", .read).read(1, at: 0) }
    for create in [false, true] { expectFailure(.notDirectory) { _ = try directory.subdirectory("file", create: create) } }
    expectFailure(.isDirectory) { try directory.unlink("sub") }
    expectFailure(.isDirectory) { try directory.rename("file", to: "sub") }
    expectFailure(.notDirectory) { try directory.rename("sub", to: "file") }
    expectFailure(.noSuchFileOrDirectory) { _ = try directory.subdirectory("missing", create: false) }
  }

  @Test(arguments: FileSystemKind.allCases) func `renames over what bears the name, and onto itself without harm`(_ kind: FileSystemKind)
    throws
  {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    try directory.open("a", .create).write([1], at: 0)
    try directory.open("b", .create).write([2], at: 0)
    try directory.rename("a", to: "b")
    #expect(try directory.names() == ["b"])
    #expect(try directory.open("b", .read).read(9, at: 0) == [1])
    try directory.rename("b", to: "b")
    #expect(try directory.open("b", .read).read(9, at: 0) == [1])
    expectFailure(.noSuchFileOrDirectory) { try directory.rename("a", to: "c") }
    expectFailure(.noSuchFileOrDirectory) { try directory.unlink("a") }
    let inner = try directory.subdirectory("full", create: true)
    _ = try inner.open("x", .create)
    _ = try directory.subdirectory("other", create: true)
    expectFailure(.directoryNotEmpty) { try directory.rename("other", to: "full") }
    try directory.rename("full", to: "other")
    #expect(try directory.subdirectory("other", create: false).names() == ["x"])
    try directory.sync()
  }

  @Test(arguments: FileSystemKind.allCases) func `lists its names sorted, without itself and its parent`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    #expect(try directory.names() == [])
    for name in ["b", "B", "10", "9", "a.gz.active", "a.gz", ".hidden"] { _ = try directory.open(name, .create) }
    #expect(try directory.names() == [".hidden", "10", "9", "B", "a.gz", "a.gz.active", "b"])
  }

  @Test(arguments: FileSystemKind.allCases) func `refuses a name that is too long`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    let longest = String(repeating: "x", count: 255)
    _ = try directory.open(longest, .create)
    #expect(try directory.names() == [longest])
    expectFailure(.fileNameTooLong) { _ = try directory.open(longest + "x", .create) }
    expectFailure(.fileNameTooLong) { _ = try directory.status(longest + "x") }
    expectFailure(.fileNameTooLong) { try directory.rename(longest, to: longest + "x") }
  }

  @Test(arguments: FileSystemKind.allCases) func `is made with its missing parents when asked, and found by any path that leads to it`(
    _ kind: FileSystemKind
  ) throws {
    let fixture = try kind.make()
    let deep = fixture.path.appending("a").appending("b")
    expectFailure(.noSuchFileOrDirectory) { _ = try fixture.fileSystem.directory(deep, create: false) }
    _ = try fixture.fileSystem.directory(deep, create: true).open("x", .create)
    #expect(try fixture.fileSystem.directory(deep, create: true).names() == ["x"])
    #expect(try fixture.directory().subdirectory("a", create: true).subdirectory("b", create: false).names() == ["x"])
    fixture.plantSymbolicLink(fixture.path.appending("link"), "a")
    #expect(try fixture.fileSystem.directory(fixture.path.appending("link").appending("b"), create: false).names() == ["x"])
    _ = try fixture.directory().open("file", .create)
    expectFailure(.notDirectory) { _ = try fixture.fileSystem.directory(fixture.path.appending("file"), create: false) }
    expectFailure(.notDirectory) { _ = try fixture.fileSystem.directory(fixture.path.appending("file"), create: true) }
  }

  @Test(arguments: FileSystemKind.allCases) func `replaces a file as a whole, also when an earlier try left its temporary file`(
    _ kind: FileSystemKind
  ) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    #expect(try directory.contents("state", limit: 10) == nil)
    try directory.replace("state", with: [1, 2, 3])
    #expect(try directory.contents("state", limit: 3) == [1, 2, 3])
    expectFailure(.fileTooLarge) { _ = try directory.contents("state", limit: 2) }
    try directory.open("state.tmp", .create).write([9, 9, 9, 9], at: 0)
    try directory.replace("state", with: [4])
    fixture.plantSymbolicLink(fixture.path.appending("state.tmp"), "state")
    try directory.replace("state", with: [5])
    #expect(try directory.contents("state", limit: 3) == [5])
    #expect(try directory.names() == ["state"])
  }

  @Test(arguments: FileSystemKind.allCases) func `tells the room left and that it is no network's`(_ kind: FileSystemKind) throws {
    let directory = try kind.make()
    #expect(try directory.directory().availableBytes() > 0)
    #expect(try !directory.directory().isOnNetwork())
  }

  @Test(arguments: FileSystemKind.allCases) func `names the operation, the path and the reason in its errors`(_ kind: FileSystemKind) throws
  {
    let fixture = try kind.make()
    let error = #expect(throws: FileError.self) { _ = try fixture.directory().open("missing", .read) }
    #expect(error?.operation == "open")
    #expect(error?.path == fixture.path.appending("missing"))
    #expect(error?.description == "cannot open \(fixture.path)/missing: No such file or directory")
  }
}
