internal import DurableFiles
internal import QueueClient
internal import SystemPackage
internal import TestSupport
internal import Testing

@testable internal import sluice

/// A job that pulls into a file of a simulated disk.
private struct Job {
  static let records = (0..<23).map { "record \($0) \(String(repeating: "x", count: $0 * 37 % 90))" }
  static let lines = records.map { $0 + "\n" }

  /// How a run of the job ended.
  enum Outcome: Equatable {
    case done
    /// The file was there already, and the queue untouched.
    case fileWasThere
  }

  var name = "batch.log"
  var maxRecords: Int?
  var skipLost = false
  var commits = true
  var replace = false

  @discardableResult
  func run(on files: SimulatedFileSystem, with server: SimulatedQueueServer) async throws -> Outcome {
    var plan = RemotePull<SimulatedQueueServer>.Plan(queue: "app", consumer: commits ? "nightly" : nil, commits: commits)
    plan.batchRecords = 6
    plan.batchBytes = 500
    plan.maxRecords = maxRecords
    plan.skipLost = skipLost
    let pull = RemotePull(server: server, plan: plan, stop: PullStop()) { _ in }
    var beginning = try await pull.begin()
    let directory = try files.directory("/out", create: false)
    do {
      guard let file = try await pull.file(name, in: directory, replace: replace, from: &beginning) else { return .done }
      try await pull.draw(from: beginning, into: file)
      return .done
    } catch let error as CommandFailure where error.message.contains("is there already; give another name") {
      return .fileWasThere
    }
  }

  static func disk() throws -> SimulatedFileSystem {
    let files = SimulatedFileSystem()
    _ = try files.directory("/out", create: true)
    return files
  }

  /// What stands in the whole files, in the order of their names.
  static func output(_ files: SimulatedFileSystem, _ names: [String] = ["batch.log", "batch2.log"]) -> String {
    names.compactMap { files.contents(FilePath("/out/\($0)")) }.map { String(decoding: $0, as: UTF8.self) }.joined()
  }
}

@Suite struct `Files of pulls` {
  private static let census = Census("crash states of a pull into a file")
  private static let kinds = CrashKind.allCases.filter { $0 != .mixtureDamagingSharedSectors }

  /// The states that the server can be in when the client dies right before an operation of its disk.
  private func states(_ server: SimulatedQueueServer, before point: SimulatedFileSystem.CrashPoint) -> [SimulatedQueueServer.State] {
    let done = server.history.filter { $0.time < point.operation.number }
    let sinceLastOperation = done.filter { $0.time == point.operation.number - 1 }.map(\.state)
    var states = Array(sinceLastOperation)
    if let earlier = done.last(where: { $0.time < point.operation.number - 1 }) { states.append(earlier.state) }
    // The consumer may also find a server that was restarted: everything durable counts as delivered.
    return states
  }

  @Test func `a whole file comes with the offsets that it holds`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records))
    #expect(try await Job().run(on: files, with: server) == .done)
    #expect(Job.output(files) == Job.lines.joined())
    #expect(files.names("/out").map(Set.init) == ["batch.log", "batch.log.offsets"])
    let offsets = try #require(files.contents("/out/batch.log.offsets").map { String(decoding: $0, as: UTF8.self) })
    for part in [#""queue_id" : "00ff""#, #""consumer" : "nightly""#, #""first" : "3-0""#, #""next" : "3-23""#, #""records" : 23"#] {
      #expect(offsets.contains(part), "\(offsets)")
    }
    #expect(server.state.cursor == 23)
  }

  @Test(arguments: kinds)
  func `before any change of the disk a crash costs no record and doubles none`(_ kind: CrashKind) async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records)) { files.operationCount }
    files.recordCrashPoints()
    try await Job().run(on: files, with: server)
    #expect(files.crashPoints.count > 20)
    for point in files.crashPoints {
      for state in states(server, before: point) {
        for seed in 1...(kind.isSeeded ? Exploration.isFull ? 20 : 3 : 1) as ClosedRange<UInt64> {
          let tried = Exploration.Place("pull", seed: 1, operation: point.operation.number, variant: "\(kind)", variantSeed: seed)
          guard Exploration.takes(tried, oneIn: kind.isSeeded ? 3 : 1) else { continue }
          // The same job again, and then the next one, whose name is another: together they have everything, once.
          for isRestarted in [false, true] {
            let place = "\(kind) seed \(seed) before \(point.operation), cursor \(state.cursor)"
            let next = point.crash(kind, seed: seed)
            var found = state
            if isRestarted { (found.epoch, found.deliveredEnd) = (4, UInt64(Job.records.count)) }
            let second = SimulatedQueueServer(found)
            let outcome = try await Job().run(on: next, with: second)
            #expect(outcome == .done || second.state.cursor == 23, "\(place)")
            #expect(Job.output(next) == Job.lines.joined(), "\(place)")
            #expect(second.state.cursor == 23, "\(place)")
            #expect(next.names("/out").map(Set.init) == ["batch.log", "batch.log.offsets"], "\(place)")

            let other = point.crash(kind, seed: seed)
            let third = SimulatedQueueServer(found)
            try await Job(name: "batch2.log").run(on: other, with: third)
            // What a crash before the last renaming has left is ended by its own job alone.
            if other.names("/out")?.contains("batch.log.partial") == true { try await Job().run(on: other, with: third) }
            #expect(Job.output(other) == Job.lines.joined(), "\(place), another name")
            #expect(third.state.cursor == 23, "\(place), another name")
            Self.census.add(tried, result: "\(state.cursor) \(Job.output(next).count)")
          }
        }
      }
    }
    Self.census.report()
  }

  @Test func `a crash while it goes on after a crash costs nothing either`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records)) { files.operationCount }
    files.recordCrashPoints()
    try await Job().run(on: files, with: server)
    for (index, point) in files.crashPoints.enumerated() where index % 3 == 1 {
      let killed = point.crash(.everythingKept)
      let second = SimulatedQueueServer(try #require(states(server, before: point).first)) { killed.operationCount }
      killed.recordCrashPoints()
      try await Job().run(on: killed, with: second)
      for again in killed.crashPoints {
        for state in states(second, before: again) {
          let last = again.crash(.mixture, seed: UInt64(index + 1))
          let third = SimulatedQueueServer(state)
          try await Job().run(on: last, with: third)
          #expect(Job.output(last) == Job.lines.joined(), "before \(point.operation), then before \(again.operation)")
          #expect(third.state.cursor == 23)
        }
      }
    }
  }

  @Test func `a failing operation of the disk ends the pull, and the next one goes on`() async throws {
    let whole = try Job.disk()
    try await Job().run(on: whole, with: SimulatedQueueServer(.init(records: Job.records)))
    for number in 1...whole.operationCount {
      let files = try Job.disk()
      files.failOperation(number: number, with: .ioError, once: true)
      let server = SimulatedQueueServer(.init(records: Job.records))
      do { try await Job().run(on: files, with: server) } catch {}
      let outcome = try await Job().run(on: files, with: server)
      #expect(outcome == .done || server.state.cursor == 23)
      #expect(Job.output(files) == Job.lines.joined(), "operation \(number)")
      #expect(server.state.cursor == 23, "operation \(number)")
      #expect(files.retriedSyncs.isEmpty, "operation \(number)")
      // What the last sync of the directory should have made durable is done again, should the power take it.
      let later = files.crash(.unsyncedLost)
      try await Job().run(on: later, with: server)
      #expect(Job.output(later) == Job.lines.joined(), "operation \(number), then a power cut")
    }
  }

  @Test func `lost records that are passed over lead the file over them, through a crash too`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records, oldest: 5)) { files.operationCount }
    files.recordCrashPoints()
    try await Job(skipLost: true).run(on: files, with: server)
    #expect(Job.output(files) == Job.lines[5...].joined())
    for point in files.crashPoints {
      for state in states(server, before: point) {
        let next = point.crash(.mixture)
        let second = SimulatedQueueServer(state)
        try await Job(skipLost: true).run(on: next, with: second)
        #expect(Job.output(next) == Job.lines[5...].joined(), "before \(point.operation)")
      }
    }
  }

  @Test func `limits count what an earlier run has drawn`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records)) { files.operationCount }
    files.recordCrashPoints()
    try await Job(maxRecords: 15).run(on: files, with: server)
    for point in files.crashPoints {
      for state in states(server, before: point) {
        let next = point.crash(.everythingKept)
        try await Job(maxRecords: 15).run(on: next, with: SimulatedQueueServer(state))
        #expect(Job.output(next) == Job.lines[..<15].joined(), "before \(point.operation)")
      }
    }
  }

  @Test func `a file that is there stays unless it may be replaced, and nothing is drawn`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records))
    try await Job(maxRecords: 10).run(on: files, with: server)
    #expect(try await Job().run(on: files, with: server) == .fileWasThere)
    #expect(server.state.cursor == 10)
    #expect(try await Job(replace: true).run(on: files, with: server) == .done)
    #expect(Job.output(files) == Job.lines[10...].joined())
  }

  @Test func `records that are wanted again by a seek are drawn again`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records))
    try await Job().run(on: files, with: server)
    server.change { $0.cursor = 18 }
    try await Job(name: "batch2.log").run(on: files, with: server)
    #expect(Job.output(files) == Job.lines.joined() + Job.lines[18...].joined())
  }

  @Test func `a cursor that somebody has moved meanwhile is told, and the file left as it is`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records)) { files.operationCount }
    files.recordCrashPoints()
    try await Job().run(on: files, with: server)
    let point = try #require(files.crashPoints.first { $0.operation.number > 25 })
    let killed = point.crash(.everythingKept)
    let before = killed.contents("/out/batch.log.partial")
    let moved = SimulatedQueueServer(.init(records: Job.records, cursor: 2))
    let error = await #expect(throws: CommandFailure.self) { try await Job().run(on: killed, with: moved) }
    #expect(error?.message.contains("was moved to 3-2") == true, "\(error?.message ?? "")")
    #expect(killed.contents("/out/batch.log.partial") == before)
  }

  @Test func `another consumer's half-finished file is not touched`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: Job.records)) { files.operationCount }
    files.recordCrashPoints()
    try await Job().run(on: files, with: server)
    for point in files.crashPoints {
      let killed = point.crash(.everythingKept)
      guard killed.names("/out")?.contains("batch.log.partial") == true, states(server, before: point)[0].cursor > 0 else { continue }
      let before = killed.contents("/out/batch.log.partial")
      let error = await #expect(throws: CommandFailure.self) {
        try await Job(commits: false, replace: true).run(on: killed, with: SimulatedQueueServer(.init(records: Job.records)))
      }
      #expect(error?.message.contains("consumer 'nightly' has committed") == true, "\(point.operation): \(error?.message ?? "")")
      #expect(killed.contents("/out/batch.log.partial") == before)
    }
  }

  @Test func `a file without a consumer is whole or not there`() async throws {
    let files = try Job.disk()
    files.recordCrashPoints()
    let server = SimulatedQueueServer(.init(records: Job.records))
    try await Job(commits: false).run(on: files, with: server)
    #expect(Job.output(files) == Job.lines.joined())
    #expect(server.state.cursor == 0)
    for point in files.crashPoints {
      for kind in Self.kinds {
        let next = point.crash(kind)
        let output = Job.output(next)
        #expect(output.isEmpty || output == Job.lines.joined(), "\(kind) before \(point.operation)")
        try await Job(commits: false, replace: true).run(on: next, with: server)
        #expect(Job.output(next) == Job.lines.joined(), "\(kind) before \(point.operation)")
      }
    }
  }

  @Test func `nothing to draw gives an empty file, which zcat reads`() async throws {
    let files = try Job.disk()
    let server = SimulatedQueueServer(.init(records: []))
    try await Job().run(on: files, with: server)
    #expect(files.contents("/out/batch.log") == [])
    try await Job(name: "batch.log.gz").run(on: files, with: server)
    let bytes = try #require(files.contents("/out/batch.log.gz"))
    #expect(bytes.starts(with: [0x1F, 0x8B]) && bytes.count == 20)
  }
}
