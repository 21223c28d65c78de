import DurableFiles
import SystemPackage
import TestSupport
import Testing

@testable import FileSink

@Suite struct `The manifest of a file sink` {
  let files = SimulatedFileSystem()

  func manifest() throws -> OutputManifest { try OutputManifest(of: "archive", in: files.directory("/consumers", create: true)) }
  func entry(_ number: Int) -> OutputManifest.Entry {
    .init(location: OutputLocation(base: "/logs", relative: "2026/app.\(number).log"), number: number)
  }

  @Test func `What was entered is there after a power cut, in order, each name once`() throws {
    var manifest = try manifest()
    for number in [1, 2, 3, 1] { try manifest.enter(entry(number)) }
    let next = try OutputManifest(of: "archive", in: files.crash(.unsyncedLost).directory("/consumers", create: false))
    #expect(next.entries == [entry(2), entry(3), entry(1)])
    #expect(next.contains(entry(2).location))
    #expect(!next.contains(entry(4).location))
  }

  @Test func `A line that was torn names nothing, wherever it was torn, and the next entry follows a whole one`() throws {
    var manifest = try manifest()
    for number in 1...3 { try manifest.enter(entry(number)) }
    let whole = try #require(files.contents("/consumers/archive.files"))
    let lastLine = whole.dropLast().lastIndex(of: 0x0A)! + 1
    for count in lastLine..<whole.count {
      for filler in [0, whole.count - count] {
        files.plantFile("/consumers/archive.files", Array(whole.prefix(count)) + [UInt8](repeating: 0, count: filler))
        var torn = try self.manifest()
        #expect(torn.entries == [entry(1), entry(2)])
        try torn.enter(entry(4))
        #expect(try self.manifest().entries == [entry(1), entry(2), entry(4)])
      }
    }
  }

  @Test func `A damaged line is left out and counted`() throws {
    var manifest = try manifest()
    for number in 1...3 { try manifest.enter(entry(number)) }
    var bytes = try #require(files.contents("/consumers/archive.files"))
    bytes[30] ^= 1
    files.plantFile("/consumers/archive.files", bytes)
    let damaged = try self.manifest()
    #expect(damaged.entries == [entry(2), entry(3)])
    #expect(damaged.unreadableLines == 1)
  }

  @Test func `It doesn't grow with names that are gone, nor without end`() throws {
    var manifest = try manifest()
    for number in 0..<1000 {
      try manifest.enter(entry(number))
      if number >= 3 { manifest.forget([entry(number - 3).location]) }
    }
    #expect(try #require(files.contents("/consumers/archive.files")).count < 75 * 50)
    #expect(try self.manifest().entries.suffix(3) == [entry(997), entry(998), entry(999)])
  }

  @Test func `A failed sync makes it be written anew`() throws {
    var manifest = try manifest()
    try manifest.enter(entry(1))
    files.failOperations(with: .ioError, once: true) { $0.kind == .sync }
    #expect(throws: FileError.self) { try manifest.enter(entry(2)) }
    try manifest.enter(entry(3))
    let next = try OutputManifest(of: "archive", in: files.crash(.unsyncedLost).directory("/consumers", create: false))
    #expect(next.entries == [entry(1), entry(2), entry(3)])
  }
}
