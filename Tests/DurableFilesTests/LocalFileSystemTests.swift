import DurableFiles
import Glibc
import SystemPackage
import TestSupport
import Testing

/// What only the machine's own file system can show.
@Suite struct `The machine's file system` {
  private func mode(_ path: FilePath) -> mode_t {
    var facts = stat()
    #expect(stat(path.string, &facts) == 0)
    return facts.st_mode & 0o7777
  }

  @Test func `makes files 0600 and directories 0700 whatever the umask lets through`() throws {
    let temporary = TemporaryDirectory()
    let before = umask(0)
    defer { umask(before) }
    for (name, mask) in [("open", mode_t(0)), ("closed", mode_t(0o077))] {
      umask(mask)
      let path = temporary.path.appending(name)
      let directory = try LocalFileSystem().directory(path, create: true)
      _ = try directory.open("created", .create)
      _ = try directory.open("new", .createNew)
      _ = try directory.subdirectory("sub", create: true)
      #expect(mode(path) == 0o700)
      #expect(mode(path.appending("sub")) == 0o700)
      #expect(mode(path.appending("created")) == 0o600)
      #expect(mode(path.appending("new")) == 0o600)
    }
  }

  @Test func `is not held up by a planted FIFO`() throws {
    let temporary = TemporaryDirectory()
    #expect(mkfifo(temporary.path.appending("fifo").string, 0o600) == 0)
    let directory = try LocalFileSystem().directory(temporary.path, create: false)
    #expect(try directory.status("fifo")?.kind == .other)
    for mode in [OpenMode.read, .update, .create] {
      let error = #expect(throws: FileError.self) { _ = try directory.open("fifo", mode) }
      #expect(
        error?.description
          == "cannot open \(temporary.path.appending("fifo")): a named pipe or a socket stands there and no file; move it away")
    }
    expectFailure(.fileExists) { _ = try directory.open("fifo", .createNew) }
  }

  @Test func `doesn't write to a file that has another name too`() throws {
    let temporary = TemporaryDirectory()
    let directory = try LocalFileSystem().directory(temporary.path, create: false)
    try directory.open("one", .createNew).write([1], at: 0)
    #expect(try directory.openUnshared("one", .update).read(9, at: 0) == [1])
    #expect(link(temporary.path.appending("one").string, temporary.path.appending("two").string) == 0)
    for name in ["one", "two"] {
      for mode in [OpenMode.update, .create] { expectFailure(.tooManyLinks) { _ = try directory.openUnshared(name, mode) } }
      #expect(try directory.open(name, .read).read(9, at: 0) == [1])
    }
    let error = #expect(throws: FileError.self) { _ = try directory.openUnshared("two", .update) }
    #expect(error?.description.hasPrefix("cannot write to \(temporary.path.appending("two")): it has 2 names (hard links)") == true)
    try directory.unlink("one")
    _ = try directory.openUnshared("two", .update)
  }

  @Test func `says of a link in a directory's place that it is one`() throws {
    let temporary = TemporaryDirectory()
    #expect(symlink("/", temporary.path.appending("link").string) == 0)
    let directory = try LocalFileSystem().directory(temporary.path, create: false)
    for create in [false, true] {
      let error = #expect(throws: FileError.self) { _ = try directory.subdirectory("link", create: create) }
      #expect(error?.description.contains("a symbolic link stands there, and Sluice follows none") == true)
    }
  }

  @Test func `goes on in an open directory that was moved`() throws {
    let temporary = TemporaryDirectory()
    let path = temporary.path.appending("before")
    let directory = try LocalFileSystem().directory(path, create: true)
    #expect(Glibc.rename(path.string, temporary.path.appending("after").string) == 0)
    try directory.open("a", .createNew).write([1], at: 0)
    #expect(try LocalFileSystem().directory(temporary.path.appending("after"), create: false).names() == ["a"])
  }

  @Test func `tells a full file system from other errors`() throws {
    // /dev/full answers every write with ENOSPC.
    let file = try LocalFileSystem().directory("/dev", create: false).open("full", .update)
    let error = #expect(throws: FileError.self) { try file.write([1], at: 0) }
    #expect(error?.isOutOfSpace == true)
    #expect(error?.description == "cannot write /dev/full: No space left on device; free disk space")
  }

  @Test func `reads and writes more than one system call takes`() throws {
    let temporary = TemporaryDirectory()
    let file = try LocalFileSystem().directory(temporary.path, create: false).open("a", .create)
    var random = SplitMix64(seed: 1)
    let bytes = random.bytes(5 << 20)
    try file.write(bytes, at: 3)
    #expect(try file.read(bytes.count + 10, at: 3) == bytes)
    #expect(try file.status().size == Int64(bytes.count + 3))
  }
}
