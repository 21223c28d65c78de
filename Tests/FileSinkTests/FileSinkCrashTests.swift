import PipelineCore
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import FileSink

@Suite struct `Crashes of a file sink` {
  private static let census = Census("crash states of a file sink")

  /// What the process after a crash may find committed: what was committed before it, and, when the crash came between a sync and its
  /// commit, what was before that.
  func commits(_ driver: SinkDriver, before point: SimulatedFileSystem.CrashPoint, after earlier: SimulatedFileSystem.CrashPoint?)
    -> [SinkDriver.Commit]
  {
    let done = driver.commits.filter { $0.time < point.operation.number }
    let last = done.last!
    let isFirstAfterCommit = (earlier?.operation.number ?? 0) <= last.time
    return isFirstAfterCommit ? Array(done.suffix(2)) : [last]
  }

  @Test(arguments: ["/logs/app-%d.log", "/logs/app-%d.log.gz"], CrashKind.allCases.filter { $0 != .mixtureDamagingSharedSectors })
  func `Before any change of the disk a crash costs nothing and doubles nothing`(_ template: String, _ kind: CrashKind) async throws {
    let run = SimulatedRun(template: template)
    let files = SimulatedFileSystem()
    files.recordCrashPoints()
    let first = try await run.deliver(SimulatedRun.input, on: files)
    var outputs = [("no crash", run.output(on: files))]
    #expect(inOrder(files.names("/logs")!).count > 4)
    var earlier: SimulatedFileSystem.CrashPoint?
    for point in files.crashPoints {
      for commit in commits(first, before: point, after: earlier) {
        for seed in 1...(kind.isSeeded ? Exploration.isFull ? 20 : 2 : 1) as ClosedRange<UInt64> {
          let next = point.crash(kind, seed: seed)
          let place = Exploration.Place(
            template.hasSuffix(".gz") ? "gz" : "plain", seed: 1, operation: point.operation.number, variant: "\(kind)", variantSeed: seed)
          Self.census.add(place, result: "\(commit.cursor) \(run.output(on: next))")
          _ = try await run.deliver(SimulatedRun.input, on: next, from: commit)
          outputs.append(("\(kind) seed \(seed) before \(point.operation), from \(commit.cursor)", run.output(on: next)))
        }
      }
      earlier = point
    }
    #expect(outputs.count > 50)
    try expect(outputs, toBe: SimulatedRun.input.bytes, compressed: template.hasSuffix(".gz"))
    Self.census.report()
  }

  @Test(arguments: ["/logs/app-%d.log", "/logs/app-%d.log.gz"])
  func `A crash while the output is cut back after a crash costs nothing either`(_ template: String) async throws {
    let run = SimulatedRun(template: template)
    let files = SimulatedFileSystem()
    files.recordCrashPoints()
    let first = try await run.deliver(SimulatedRun.input, on: files)
    var outputs: [(String, [UInt8])] = []
    for (index, point) in files.crashPoints.enumerated() where index % 9 == 3 {
      let commit = commits(first, before: point, after: nil).last!
      let second = point.crash(.everythingKept)
      second.recordCrashPoints()
      let driver = try await run.deliver(SimulatedRun.input, on: second, from: commit)
      for again in second.crashPoints.prefix(9) {
        let third = again.crash(.mixture, seed: UInt64(index))
        // A power cut also takes what the killed process had not synced.
        let commit = driver.commits.filter { $0.time < again.operation.number }.last!
        _ = try await run.deliver(SimulatedRun.input, on: third, from: commit)
        outputs.append(("before \(point.operation), then before \(again.operation)", run.output(on: third)))
      }
    }
    #expect(outputs.count > 50)
    try expect(outputs, toBe: SimulatedRun.input.bytes, compressed: template.hasSuffix(".gz"))
  }

  @Test func `A crash at any step leaves no more files than are to be kept, and deletes none of them`() async throws {
    let run = SimulatedRun(rotateBytes: 100, maxFiles: 3)
    let files = SimulatedFileSystem()
    files.recordCrashPoints()
    let first = try await run.deliver(SimulatedRun.input, on: files)
    let kept = inOrder(files.names("/logs")!)
    #expect(kept.count == 3)
    let expected = try SimulatedRun.input.bytes
    for point in files.crashPoints {
      let commit = first.commits.filter { $0.time < point.operation.number }.last!
      let next = point.crash(.mixture)
      _ = try await run.deliver(SimulatedRun.input, on: next, from: commit)
      let output = run.output(on: next)
      #expect(inOrder(next.names("/logs")!).count == 3, "before \(point.operation)")
      // What is there is the input's end, whole.
      #expect(output.count > 100 && expected.suffix(output.count).elementsEqual(output), "before \(point.operation)")
    }
  }

  @Test func `What was cut after a crash doesn't come back with a power cut, also when the records went into another file`() async throws {
    var queue = TestQueue()
    queue.append(["one"])
    queue.append(["two"])
    let files = SimulatedFileSystem()
    let first = try await SimulatedRun(template: "/logs/app.log").deliver(queue.prefix(1), on: files)
    let sink = try SimulatedRun(template: "/logs/app.log").sink(on: files)
    let commit = first.committed
    try await sink.open(SinkStart(state: commit.state, cursor: commit.cursor, queueHoldsCursor: true))
    _ = try await sink.deliver(#require(queue.delivery(from: commit.cursor)))
    let killed = files.crash(.everythingKept)
    #expect(killed.contents("/logs/app.log").map(text) == "one\ntwo\n")
    _ = try await SimulatedRun(template: "/logs/new.log").deliver(queue, on: killed, from: commit)
    for seed in 1...30 as ClosedRange<UInt64> {
      let next = killed.crash(.mixture, seed: seed)
      #expect(next.contents("/logs/app.log").map(text) == "one\n")
      #expect(next.contents("/logs/new.log").map(text) == "two\n")
    }
  }

  @Test func `What is committed survives a power cut also in directories that the sink made`() async throws {
    let files = SimulatedFileSystem()
    let run = SimulatedRun(template: "/logs/%Y/%m/app.log", rotateBytes: nil)
    _ = try await run.deliver(SimulatedRun.input, on: files)
    #expect(try files.crash(.unsyncedLost).contents("/logs/2026/09/app.log") == SimulatedRun.input.bytes)
  }
}
