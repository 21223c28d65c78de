import DurableFiles
import SystemPackage
import TestSupport
import Testing

/// Failures on request, death, limits.
@Suite struct `The simulated file system` {
  private let fileSystem = SimulatedFileSystem()

  private func directory() throws -> any Directory { try fileSystem.directory("/queue/segments", create: true) }

  @Test func `logs every call with its place`() throws {
    let directory = try directory()
    let file = try directory.open("0.gz.active", .create)
    try file.write([UInt8](repeating: 1, count: 1024), at: 4096)
    _ = try file.read(5, at: 6)
    try file.truncate(to: 7)
    try file.sync()
    #expect(try file.lock())
    try directory.rename("0.gz.active", to: "0.gz")
    try directory.sync()
    try directory.unlink("0.gz")
    #expect(
      fileSystem.operations == [
        "make-directory queue", "sync-directory ", "make-directory queue/segments", "sync-directory queue", "open-directory queue/segments",
        "create queue/segments/0.gz.active", "write queue/segments/0.gz.active 1024@4096", "read queue/segments/0.gz.active 5@6",
        "truncate queue/segments/0.gz.active 7", "sync queue/segments/0.gz.active", "lock queue/segments/0.gz.active",
        "rename queue/segments/0.gz.active queue/segments/0.gz", "sync-directory queue/segments", "unlink queue/segments/0.gz",
      ])
    #expect(fileSystem.operationCount == 14)
    #expect(fileSystem.log.map(\.number) == Array(1...14))
  }

  @Test func `fails the call of a number, once or from there on`() throws {
    let directory = try directory()
    let next = fileSystem.operationCount + 1
    fileSystem.failOperation(number: next + 1, with: .ioError)
    #expect(try directory.names() == [])
    expectFailure(.ioError) { _ = try directory.names() }
    #expect(try directory.names() == [])
    fileSystem.failOperation(number: next + 3, with: .noSpace, once: false)
    for _ in 0..<3 { expectFailure(.noSpace) { _ = try directory.open("a", .create) } }
    fileSystem.clearFailures()
    #expect(try directory.names() == [])
  }

  @Test func `fails calls by kind and path`() throws {
    let directory = try directory()
    let (a, b) = (try directory.open("a", .create), try directory.open("b", .create))
    fileSystem.failOperations(with: .ioError, once: true) { $0.kind == .sync && $0.path.hasSuffix("/a") }
    try b.sync()
    expectFailure(.ioError) { try a.sync() }
    try a.sync()
  }

  @Test func `writes a beginning of what a failed write was given`() throws {
    let directory = try directory()
    let file = try directory.open("a", .create)
    fileSystem.failOperations(with: .ioError) { $0.kind == .write }
    var lengths: Set<Int64> = []
    for _ in 0..<200 {
      expectFailure(.ioError) { try file.write([UInt8](repeating: 7, count: 10), at: 0) }
      lengths.insert(try file.status().size)
      #expect(try file.read(10, at: 0).allSatisfy { $0 == 7 })
      try file.truncate(to: 0)
    }
    #expect(lengths == Set(0...10))
  }

  @Test func `loses what a failed sync should have written, although the next sync succeeds`() throws {
    let directory = try directory()
    let file = try directory.open("a", .create)
    try directory.sync()
    try file.write([1, 2], at: 0)
    try file.sync()
    try file.write([3, 4], at: 2)
    fileSystem.failOperations(with: .ioError, once: true) { $0.kind == .sync }
    expectFailure(.ioError) { try file.sync() }
    #expect(try file.read(9, at: 0) == [1, 2, 3, 4])
    let kept = (UInt64(0)..<50).map { fileSystem.crash(.mixture, seed: $0).contents("/queue/segments/a") }
    #expect(kept.contains([1, 2]) && kept.contains([1, 2, 3, 4]))
    try file.sync()
    #expect(try file.read(9, at: 0) == [1, 2, 3, 4])
    #expect(fileSystem.crash(.mixture).contents("/queue/segments/a") == [1, 2])
    try file.write([5], at: 4)
    try file.sync()
    #expect(fileSystem.crash(.unsyncedLost).contents("/queue/segments/a") == [1, 2, 0, 0, 5])
    fileSystem.evictCleanPages()
    #expect(try file.read(9, at: 0) == [1, 2, 0, 0, 5])
  }

  @Test func `changes nothing more once the process died, but for a beginning of the write it died in`() throws {
    var lengths: Set<Int> = []
    for seed in UInt64(0)..<50 {
      let fileSystem = SimulatedFileSystem(seed: seed)
      let directory = try fileSystem.directory("/d", create: true)
      let file = try directory.open("a", .create)
      fileSystem.stopAt(operation: fileSystem.operationCount + 1)
      expectFailure(.canceled) { try file.write([1, 2, 3, 4], at: 0) }
      expectFailure(.canceled) { try file.write([9], at: 0) }
      expectFailure(.canceled) { try file.sync() }
      expectFailure(.canceled) { try directory.sync() }
      expectFailure(.canceled) { _ = try directory.names() }
      let found = try #require(fileSystem.crash(.everythingKept).contents("/d/a"))
      #expect(found == Array([1, 2, 3, 4].prefix(found.count)))
      lengths.insert(found.count)
      #expect(fileSystem.crash(.unsyncedLost).names("/d") == [])
    }
    #expect(lengths == Set(0...4))
  }

  @Test func `is full at its capacity, writes what fits, and has room again after a removal`() throws {
    let fileSystem = SimulatedFileSystem(capacityBytes: 10)
    let directory = try fileSystem.directory("/d", create: true)
    let file = try directory.open("a", .create)
    try file.write([UInt8](repeating: 1, count: 8), at: 0)
    #expect(try directory.availableBytes() == 2)
    expectFailure(.noSpace) { try file.write([2, 2, 2], at: 8) }
    #expect(try file.status().size == 10)
    try file.write([3], at: 0)
    try file.truncate(to: 4)
    #expect(try directory.availableBytes() == 6)
    var other: (any File)? = try directory.open("b", .create)
    try other!.write([UInt8](repeating: 1, count: 6), at: 0)
    try directory.unlink("b")
    #expect(try directory.availableBytes() == 0)
    other = nil
    #expect(try directory.availableBytes() == 6)
    fileSystem.availableBytes = 1
    expectFailure(.noSpace) { try file.write([1, 2], at: 4) }
    #expect(try file.status().size == 5)
  }

  @Test func `gives an inode number again only when asked to`() throws {
    let directory = try directory()
    func inodeOfNewFile() throws -> UInt64 {
      let inode = try directory.open("a", .createNew).status().inode
      try directory.unlink("a")
      try directory.sync()
      return inode
    }
    let first = try inodeOfNewFile()
    let second = try inodeOfNewFile()
    #expect(first != second)
    fileSystem.reusesInodeNumbers = true
    let third = try inodeOfNewFile()
    #expect(try inodeOfNewFile() == third)
  }

  @Test func `lets a test put files, links and damage there`() throws {
    let directory = try directory()
    fileSystem.plantFile("/queue/segments/a", [1, 2, 3])
    fileSystem.overwrite("/queue/segments/a", with: [9], at: 1)
    #expect(try directory.open("a", .read).read(9, at: 0) == [1, 9, 3])
    #expect(fileSystem.crash(.unsyncedLost).contents("/queue/segments/a") == [1, 9, 3])
    #expect(fileSystem.durableContents("/queue/segments/a") == [1, 9, 3])
    fileSystem.plantSymbolicLink("/queue/segments/l", to: "l")
    expectFailure(.tooManySymbolicLinkLevels) { _ = try fileSystem.directory("/queue/segments/l", create: false) }
    fileSystem.isOnNetwork = true
    fileSystem.device = 7
    #expect(try directory.isOnNetwork())
    #expect(try directory.status("a")?.device == 7)
  }

  @Test func `is used by several threads at once`() async throws {
    let directory = try directory()
    await withTaskGroup { group in
      for worker in 0..<4 {
        group.addTask {
          for round in 0..<50 {
            let name = "\(worker)-\(round % 5)"
            guard let file = try? directory.open(name, .create) else { return #expect(Bool(false)) }
            try? file.write([UInt8(worker)], at: Int64(round))
            try? file.sync()
            if round % 7 == 0 { try? directory.unlink(name) }
          }
        }
      }
    }
    try directory.sync()
    let names = try directory.names()
    #expect(fileSystem.crash(.unsyncedLost).names("/queue/segments") == names)
  }
}
