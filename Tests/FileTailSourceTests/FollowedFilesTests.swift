import SystemPackage
import Testing

@testable import FileTailSource

/// What is told of the files while they are followed.
@Suite struct FollowedFilesTests {
  @Test func `position and size go along with what was read, the newest bytes first, within a bound`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.append("old.log", "one\ntwo\n")
    try await scenario.pass()
    scenario.append("new.log", "three\nunended")
    try await scenario.pass(after: .seconds(5))
    let followed = try #require(scenario.source).followed
    let now = scenario.clock.now() + .seconds(1)
    let all = followed.newest(100, now: now)
    #expect(all.count == 2)
    #expect(all.newest.map(\.path) == ["new.log", "old.log"].map { scenario.directory.appending($0) })
    #expect(all.newest.map(\.position) == [6, 8])
    #expect(all.newest.map(\.size) == [13, 8])
    #expect(all.newest.map(\.quiet) == [.seconds(1), .seconds(6)])
    let first = followed.newest(1, now: now)
    #expect(first.count == 2)
    #expect(first.newest.map(\.position) == [6])
  }

  @Test func `a file that was deleted and read is told no more`() async throws {
    let scenario = try TailScenario(paths: ["*.log"])
    scenario.append("a.log", "one\n")
    try await scenario.pass()
    scenario.delete("a.log")
    try await scenario.pass()
    let followed = try #require(scenario.source).followed
    #expect(followed.newest(100, now: scenario.clock.now()).newest.map(\.isGone) == [true])
    try await scenario.pass(after: .seconds(10))
    #expect(followed.newest(100, now: scenario.clock.now()).count == 0)
  }

  @Test func `a compressed file has a position and no size`() async throws {
    let scenario = try TailScenario(paths: ["*.gz"])
    scenario.append("a", "one\ntwo\n")
    scenario.gzip("a")
    try await scenario.pass()
    let followed = try #require(scenario.source).followed
    let file = try #require(followed.newest(100, now: scenario.clock.now()).newest.first)
    #expect(file.position == 8)
    #expect(file.size == nil)
  }
}
