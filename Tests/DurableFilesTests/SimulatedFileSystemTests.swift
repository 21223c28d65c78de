import DurableFiles
import SystemPackage
import TestSupport
import Testing

/// What a crash of the simulated file system leaves.
@Suite struct `A simulated crash` {
  private let fileSystem = SimulatedFileSystem()

  private func directory() throws -> any Directory { try fileSystem.directory("/d", create: true) }

  @Test func `leaves a file's bytes as of its last sync, if its name was synced`() throws {
    let directory = try directory()
    let file = try directory.open("a", .create)
    try file.write([1, 2, 3], at: 0)
    try file.sync()
    #expect(fileSystem.crash(.unsyncedLost).names("/d") == [])
    try directory.sync()
    try file.write([9, 9], at: 1)
    try file.truncate(to: 2)
    #expect(fileSystem.crash(.unsyncedLost).contents("/d/a") == [1, 2, 3])
    try file.sync()
    #expect(fileSystem.crash(.unsyncedLost).contents("/d/a") == [1, 9])
  }

  @Test func `leaves a durable name without its bytes when only the directory was synced`() throws {
    let directory = try directory()
    try directory.open("a", .create).write([1], at: 0)
    try directory.sync()
    #expect(fileSystem.crash(.unsyncedLost).contents("/d/a") == [])
  }

  @Test func `undoes renames and removals that were not synced`() throws {
    let directory = try directory()
    for (name, byte) in [("a", UInt8(1)), ("b", 2)] {
      let file = try directory.open(name, .create)
      try file.write([byte], at: 0)
      try file.sync()
    }
    try directory.sync()
    try directory.rename("a", to: "b")
    try directory.unlink("b")
    let lost = fileSystem.crash(.unsyncedLost)
    #expect(lost.contents("/d/a") == [1])
    #expect(lost.contents("/d/b") == [2])
    try directory.sync()
    #expect(fileSystem.crash(.unsyncedLost).names("/d") == [])
  }

  @Test func `between making a directory and syncing its parent is mended by the next opening`() throws {
    fileSystem.stopAt(operation: 4)
    expectFailure(.canceled) { _ = try fileSystem.directory("/d/e", create: true) }
    #expect(fileSystem.operations == ["make-directory d", "sync-directory ", "make-directory d/e"])
    let next = fileSystem.crash(.everythingKept)
    _ = try next.directory("/d/e", create: true)
    #expect(next.crash(.unsyncedLost).names("/d") == ["e"])
  }

  @Test func `takes a subdirectory with all in it when its name was not synced`() throws {
    let directory = try directory()
    let sub = try directory.subdirectory("sub", create: true)
    let file = try sub.open("a", .create)
    try file.write([1], at: 0)
    try file.sync()
    try sub.sync()
    #expect(fileSystem.crash(.unsyncedLost).names("/d") == [])
    try directory.sync()
    #expect(fileSystem.crash(.unsyncedLost).contents("/d/sub/a") == [1])
  }

  @Test func `of the process alone leaves everything, but not on the disk, and frees the locks`() throws {
    let file = try directory().open("a", .create)
    try file.write([1], at: 0)
    #expect(try file.lock())
    let next = fileSystem.crash(.everythingKept)
    #expect(next.contents("/d/a") == [1])
    #expect(next.crash(.unsyncedLost).names("/d") == [])
    let reopened = try next.directory("/d", create: false).open("a", .update)
    #expect(try reopened.lock())
    try reopened.sync()
    try next.directory("/d", create: false).sync()
    #expect(next.crash(.unsyncedLost).contents("/d/a") == [1])
    #expect(fileSystem.crash(.unsyncedLost).names("/d") == [])
  }

  @Test func `of the process alone removes what had no name any more, and a power cut after it brings the name back`() throws {
    let directory = try directory()
    let file = try directory.open("a", .create)
    try file.write([1, 2], at: 0)
    try file.sync()
    try directory.sync()
    try directory.unlink("a")
    #expect(fileSystem.usedBytes == 2)
    let next = fileSystem.crash(.everythingKept)
    #expect(next.names("/d") == [])
    #expect(next.usedBytes == 0)
    #expect(next.crash(.unsyncedLost).contents("/d/a") == [1, 2])
  }

  @Test func `gives the same mixture for the same seed`() throws {
    let directory = try directory()
    for name in ["a", "b", "c"] {
      let file = try directory.open(name, .create)
      for round in 0..<4 { try file.write([UInt8](repeating: UInt8(round + 1), count: 700), at: Int64(round * 700)) }
    }
    func image(_ seed: UInt64) -> [String: [UInt8]] {
      let crashed = fileSystem.crash(.mixture, seed: seed)
      return Dictionary(uniqueKeysWithValues: crashed.names("/d")!.map { ($0, crashed.contents(FilePath("/d/\($0)"))!) })
    }
    #expect(Set((0..<50).map { image($0) }).count > 20)
    for seed in UInt64(0)..<20 { #expect(image(seed) == image(seed)) }
  }

  @Test func `in a mixture keeps, loses, tears at sectors and garbles what was not synced, and never what was`() throws {
    let directory = try directory()
    let file = try directory.open("a", .create)
    let durable = [UInt8](repeating: 0xD0, count: 700)
    let added = [UInt8](repeating: 0xAD, count: 1500)
    try file.write(durable, at: 0)
    try file.sync()
    try directory.sync()
    try file.write(added, at: 700)
    var seen: Set<String> = []
    for seed in UInt64(0)..<400 {
      let image = try #require(fileSystem.crash(.mixture, seed: seed).contents("/d/a"))
      #expect(Array(image.prefix(700)) == durable, "seed \(seed)")
      #expect(image.count <= 2200)
      let tail = image.dropFirst(700)
      // Sectors of the file: 700..<1024, 1024..<1536, 1536..<2048, 2048..<2200.
      let sectors = [700..<1024, 1024..<1536, 1536..<2048, 2048..<2200].map { sector -> String in
        let part = image[min(sector.lowerBound, image.count)..<min(sector.upperBound, image.count)]
        if part.isEmpty { return "-" }
        if part.allSatisfy({ $0 == 0xAD }) { return part.count == sector.count ? "K" : "torn inside a sector" }
        if part.allSatisfy({ $0 == 0 }) { return "0" }
        return "G"
      }
      seen.insert(tail.isEmpty ? "lost" : sectors.joined())
    }
    for expected in ["lost", "KKKK", "0000", "K---", "KK--", "K000", "0KKK", "K0K0"] { #expect(seen.contains(expected), "\(expected)") }
    #expect(seen.contains { $0.contains("G") })
    #expect(!seen.contains { $0.contains("torn") })
  }

  @Test func `garbles durable bytes in a shared sector only when asked to`() throws {
    let directory = try directory()
    let file = try directory.open("a", .create)
    try file.write([UInt8](repeating: 0xD0, count: 700), at: 0)
    try file.sync()
    try directory.sync()
    try file.write([0xAD], at: 700)
    var damaged = 0
    for seed in UInt64(0)..<200 {
      let image = try #require(fileSystem.crash(.mixtureDamagingSharedSectors, seed: seed).contents("/d/a"))
      #expect(image.prefix(512).allSatisfy { $0 == 0xD0 })
      if !image[512..<700].allSatisfy({ $0 == 0xD0 }) { damaged += 1 }
    }
    #expect(damaged > 0)
    #expect(damaged < 100)
  }

  @Test func `in a mixture keeps or undoes names so that no rename is half done and no lost file is renamed`() throws {
    let directory = try directory()
    let old = try directory.open("state", .create)
    try old.write([1], at: 0)
    try old.sync()
    try directory.sync()
    let new = try directory.open("state.tmp", .createNew)
    try new.write([2], at: 0)
    try new.sync()
    try directory.rename("state.tmp", to: "state")
    _ = try directory.open("other", .create)
    var seen: Set<[String]> = []
    for seed in UInt64(0)..<200 {
      let crashed = fileSystem.crash(.mixture, seed: seed)
      let names = try #require(crashed.names("/d"))
      seen.insert(names)
      #expect((names.contains("state.tmp") ? [[1]] : [[1], [2]]).contains(crashed.contents("/d/state")))
    }
    #expect(seen == [["state"], ["state", "state.tmp"], ["other", "state"], ["other", "state", "state.tmp"]])
  }

  @Test func `right before any operation is given by one run`() throws {
    let directory = try directory()
    fileSystem.recordCrashPoints { $0.isChange }
    try directory.replace("state", with: [1])
    try directory.replace("state", with: [2])
    let acknowledged = fileSystem.operationCount
    _ = try directory.open("end", .create)
    #expect(
      fileSystem.crashPoints.map(\.operation.kind)
        == [.create, .write, .sync, .rename, .syncDirectory, .create, .write, .sync, .rename, .syncDirectory, .create])
    for point in fileSystem.crashPoints {
      for kind in CrashKind.allCases {
        for seed in UInt64(0)..<20 {
          let found = point.crash(kind, seed: seed).contents("/d/state")
          #expect([nil, [1], [2]].contains(found))
          if point.operation.number > acknowledged { #expect(found == [2]) }
        }
      }
    }
  }
}
