import PipelineCore
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import FileSink

@Suite struct `Failures under a file sink` {
  @Test(arguments: ["/logs/app-%d.log", "/logs/app-%d.log.gz"], [Errno.ioError, .noSpace])
  func `Whichever operation fails once, the output is whole after opening again`(_ template: String, _ code: Errno) async throws {
    let run = SimulatedRun(template: template)
    let files = SimulatedFileSystem()
    _ = try await run.deliver(SimulatedRun.input, on: files)
    var outputs: [(String, [UInt8])] = []
    let start = files.log.firstIndex { $0.path.hasPrefix("logs") }!
    for number in (start + 1)...files.operationCount {
      let failing = SimulatedFileSystem(seed: UInt64(number))
      failing.failOperation(number: number, with: code)
      let driver = try await run.deliver(SimulatedRun.input, on: failing, tries: 1)
      for error in driver.errors {
        #expect(error.advice == .retry(after: nil))
        #expect(error.message.contains("cannot "))
      }
      outputs.append(("\(files.log[number - 1])", run.output(on: failing)))
    }
    try expect(outputs, toBe: SimulatedRun.input.bytes, compressed: template.hasSuffix(".gz"))
  }

  @Test(arguments: [CrashKind.everythingKept, .unsyncedLost, .mixture])
  func `After a failed sync the file is never synced again, and a power cut later brings back nothing that was cut`(_ kind: CrashKind)
    async throws
  {
    let run = SimulatedRun()
    let files = SimulatedFileSystem()
    _ = try await run.deliver(SimulatedRun.input, on: files)
    let syncs = files.log.filter { $0.kind == .sync && $0.path.hasPrefix("logs/") }
    #expect(syncs.count > 5)
    for sync in syncs {
      let failing = SimulatedFileSystem()
      failing.failOperation(number: sync.number, with: .ioError)
      failing.recordCrashPoints { $0.isChange && $0.number > sync.number }
      let driver = try await run.deliver(SimulatedRun.input, on: failing, tries: 1)
      #expect(driver.errors.count == 1)
      #expect(failing.log.filter { $0.number > sync.number && $0.path == sync.path && [.sync, .write].contains($0.kind) }.isEmpty)
      #expect(try run.output(on: failing) == SimulatedRun.input.bytes)
      // Every step of the new beginning, and now and then one of what follows.
      for (index, point) in failing.crashPoints.enumerated() where index < 10 || index % 8 == 0 {
        let commit = driver.commits.filter { $0.time < point.operation.number }.last!
        let next = point.crash(kind, seed: UInt64(sync.number))
        _ = try await run.deliver(SimulatedRun.input, on: next, from: commit)
        #expect(try run.output(on: next) == SimulatedRun.input.bytes, "failed \(sync), crash before \(point.operation)")
      }
    }
  }

  @Test func `After a failed sync of the directory the next try takes another name`() async throws {
    let run = SimulatedRun(template: "/logs/app.log", rotateBytes: nil)
    let files = SimulatedFileSystem()
    files.failOperations(with: .ioError, once: true) { $0.kind == .syncDirectory && $0.path == "logs" }
    let driver = try await run.deliver(SimulatedRun.input, on: files, tries: 1)
    #expect(driver.errors.count == 1)
    #expect(files.contents("/logs/app.log") == [])
    #expect(try files.contents("/logs/app.0001.log") == SimulatedRun.input.bytes)
  }

  @Test func `On a full disk deliveries fail with the reason and what helps, and go on when there is room`() async throws {
    let run = SimulatedRun(rotateBytes: nil)
    let files = SimulatedFileSystem(capacityBytes: 900)
    let sink = try run.sink(on: files)
    let driver = SinkDriver(SimulatedRun.input)
    driver.maxRecords = 9
    let stopped = await #expect(throws: SinkDriver.Stopped.self) { try await driver.run(sink) }
    #expect(stopped?.error.advice == .retry(after: nil))
    #expect(stopped?.error.message.contains("free disk space") == true)
    files.capacityBytes = nil
    try await driver.run(sink)
    #expect(try run.output(on: files) == SimulatedRun.input.bytes)
  }

  @Test func `Missing rights are for an operator`() async throws {
    let run = SimulatedRun()
    let files = SimulatedFileSystem()
    files.failOperations(with: .permissionDenied) { $0.kind == .create && $0.path.hasPrefix("logs/") }
    let sink = try run.sink(on: files)
    let stopped = await #expect(throws: SinkDriver.Stopped.self) { try await SinkDriver(SimulatedRun.input).run(sink) }
    #expect(stopped?.error.advice == .waitForOperator)
    #expect(stopped?.error.message.contains("check the owner and mode") == true)
  }

  @Test func `Until it is opened again after an error nothing is delivered`() async throws {
    let files = SimulatedFileSystem()
    let sink = try SimulatedRun().sink(on: files)
    try await sink.open(SinkStart(state: nil, cursor: .zero, queueHoldsCursor: true))
    let delivery = try #require(SimulatedRun.input.delivery(from: .zero))
    _ = try await sink.deliver(delivery)
    let state = try await sink.sync()
    files.failOperations(with: .ioError, once: true) { $0.kind == .write }
    await #expect(throws: DeliveryError.self) { _ = try await sink.deliver(delivery) }
    await #expect(throws: DeliveryError.self) { _ = try await sink.deliver(delivery) }
    await #expect(throws: DeliveryError.self) { _ = try await sink.sync() }
    try await sink.open(SinkStart(state: state, cursor: .zero, queueHoldsCursor: true))
    #expect(try await sink.deliver(delivery) > delivery.first)
  }
}
