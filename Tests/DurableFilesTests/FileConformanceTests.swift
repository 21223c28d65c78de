import DurableFiles
import SystemPackage
import TestSupport
import Testing

/// What an open file does, on every implementation.
@Suite struct `An open file` {
  @Test(arguments: FileSystemKind.allCases) func `reads back what was written, within and across its end`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let file = try fixture.directory().open("a", .createNew)
    #expect(try file.read(10, at: 0) == [])
    try file.write(Array("hello world".utf8), at: 0)
    #expect(try file.read(5, at: 6) == Array("world".utf8))
    #expect(try file.read(100, at: 6) == Array("world".utf8))
    #expect(try file.read(1, at: 11) == [])
    #expect(try file.read(1, at: 1 << 40) == [])
    try file.write(Array("W".utf8), at: 6)
    #expect(try file.read(11, at: 0) == Array("hello World".utf8))
    #expect(try file.status().size == 11)
    #expect(try file.status().kind == .regular)
    try file.write([], at: 100)
    #expect(try file.status().size == 11)
  }

  @Test(arguments: FileSystemKind.allCases) func `has zeros where a write past its end left a hole`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let file = try fixture.directory().open("a", .create)
    try file.write([1], at: 0)
    try file.write([2], at: 4)
    #expect(try file.read(9, at: 0) == [1, 0, 0, 0, 2])
  }

  @Test(arguments: FileSystemKind.allCases) func `is cut and extended with zeros`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let file = try fixture.directory().open("a", .create)
    try file.write([1, 2, 3, 4], at: 0)
    try file.truncate(to: 2)
    #expect(try file.read(9, at: 0) == [1, 2])
    try file.truncate(to: 4)
    #expect(try file.read(9, at: 0) == [1, 2, 0, 0])
    expectFailure(.invalidArgument) { try file.truncate(to: -1) }
    try file.sync()
  }

  @Test(arguments: FileSystemKind.allCases) func `opened for reading takes no write`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    try directory.open("a", .create).write([1, 2], at: 0)
    let file = try directory.open("a", .read)
    expectFailure(.badFileDescriptor) { try file.write([9], at: 0) }
    expectFailure(.invalidArgument) { try file.truncate(to: 0) }
    #expect(try file.read(9, at: 0) == [1, 2])
    try file.sync()
  }

  @Test(arguments: FileSystemKind.allCases) func `refuses a position before its beginning`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let file = try fixture.directory().open("a", .create)
    expectFailure(.invalidArgument) { _ = try file.read(1, at: -1) }
    expectFailure(.invalidArgument) { try file.write([1], at: -1) }
  }

  @Test(arguments: FileSystemKind.allCases) func `shows its writes to every other opening of it at once`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    let writer = try directory.open("a", .create)
    let reader = try directory.open("a", .read)
    try writer.write([7, 8], at: 0)
    #expect(try reader.read(2, at: 0) == [7, 8])
    try writer.truncate(to: 1)
    #expect(try reader.read(2, at: 0) == [7])
  }

  @Test(arguments: FileSystemKind.allCases) func `stays usable when its name goes or is given to another`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    let removed = try directory.open("a", .create)
    let inode = try removed.status().inode
    try removed.write([1], at: 0)
    try directory.unlink("a")
    #expect(try directory.status("a") == nil)
    let successor = try directory.open("a", .createNew)
    #expect(try successor.status().inode != inode)
    try successor.write([2], at: 0)
    try removed.write([3], at: 1)
    #expect(try removed.read(2, at: 0) == [1, 3])
    #expect(try successor.read(2, at: 0) == [2])
    try directory.rename("a", to: "b")
    try successor.write([4], at: 1)
    #expect(try directory.open("b", .read).read(2, at: 0) == [2, 4])
    #expect(try directory.status("b")?.inode == successor.status().inode)
  }

  @Test(arguments: FileSystemKind.allCases) func `is locked by one opening at a time until that goes`(_ kind: FileSystemKind) throws {
    let fixture = try kind.make()
    let directory = try fixture.directory()
    var first: (any File)? = try directory.open("lock", .create)
    let second = try directory.open("lock", .update)
    #expect(try first!.lock())
    #expect(try first!.lock())
    #expect(try !second.lock())
    first = nil
    #expect(try second.lock())
    #expect(try !directory.open("lock", .read).lock())
  }
}
