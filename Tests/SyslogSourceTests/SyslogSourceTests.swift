import Foundation
import Glibc
import Logging
import PipelineCore
import RecordBlocks
import TestSupport
import Testing

@testable import SyslogSource

@Suite("Syslog over UDP")
struct SyslogSourceTests {
  @Test func `what arrives becomes records at once, and cancelling returns`() async throws {
    let run = try SourceRun()
    for index in 0..<3 {
      run.sender.send("<13>1 - h a - - - m\(index)")
      let came = try await run.output.wait { run.output.recordCount == index + 1 }
      #expect(came)
    }
    try await run.cancel()
    let messages = try run.output.records.map { try Self.object($0)["message"] as? String }
    #expect(messages == ["m0", "m1", "m2"])
    #expect(run.source.counts.datagrams == 3)
    #expect(run.source.counts.bytes == 3 * 20)
    #expect(run.source.localPort == nil)
  }

  @Test func `the time of receipt is the injected clock's, the peer the sender's address`() async throws {
    let run = try SourceRun()
    run.sender.send("<13>m")
    let came = try await run.output.wait { run.output.recordCount == 1 }
    #expect(came)
    try await run.cancel()
    let fields = try Self.object(#require(run.output.records.first))
    #expect(fields["received_at"] as? String == "2026-09-01T00:00:00.000000Z")
    #expect(fields["peer"] as? String == "127.0.0.1")
  }

  @Test func `IPv6 and IPv4 reach a socket on every address`() async throws {
    let run = try SourceRun(listen: .init(host: "::", port: 0), sendTo: "::1")
    run.sender.send("<13>six")
    let six = try await run.output.wait { run.output.recordCount == 1 }
    DatagramSender(port: run.port).send("<13>four")
    let four = try await run.output.wait { run.output.recordCount == 2 }
    #expect(six && four)
    try await run.cancel()
    #expect(try run.output.records.map { try Self.object($0)["peer"] as? String } == ["::1", "127.0.0.1"])
  }

  @Test func `empty, largest and over-long datagrams are one record each`() async throws {
    let run = try SourceRun(format: .raw, maxDatagramBytes: 1000)
    run.sender.send([])
    run.sender.send([UInt8](repeating: 0x61, count: 65_507))
    run.sender.send([UInt8](repeating: 0x62, count: 1000))
    run.sender.send([UInt8](repeating: 0x63, count: 1001))
    let came = try await run.output.wait { run.output.recordCount == 4 }
    #expect(came)
    try await run.cancel()
    #expect(run.output.records.map(\.count) == [0, 1000, 1000, 1000])
    #expect(run.source.counts.cut == 2)
  }

  @Test func `a burst larger than a round and a batch arrives whole and in order`() async throws {
    let run = try SourceRun(format: .raw)
    let padding = String(repeating: "x", count: 1500)
    for index in 0..<2000 { run.sender.send("\(index) \(padding)") }
    let came = try await run.output.wait { run.output.recordCount == 2000 }
    #expect(came)
    try await run.cancel()
    #expect(run.output.records == (0..<2000).map { Array("\($0) \(padding)".utf8) })
    #expect(run.output.lost(.kernelDrop) == 0)
  }

  @Test func `with a tiny receive buffer, records and gaps add up to what was sent`() async throws {
    let run = try SourceRun(format: .raw, receiveBufferBytes: 1)
    // Two bursts with what was lost in the first told by later datagrams, and what was lost last told by none.
    for burst in 0..<2 {
      for index in 0..<5000 { run.sender.send("\(burst) \(index)") }
      let came = try await run.output.wait { UInt64(run.output.recordCount) + run.output.lost(.kernelDrop) == UInt64(burst + 1) * 5000 }
      #expect(came)
    }
    try await run.cancel()
    #expect(run.output.lost(.kernelDrop) > 0)
    #expect(run.source.counts.kernelDrops == run.output.lost(.kernelDrop))
    #expect(run.source.counts.datagrams == UInt64(run.output.recordCount))
  }

  @Test func `what was dropped before the first run is counted too`() async throws {
    let run = try SourceRun(format: .raw, receiveBufferBytes: 1, starts: false)
    for index in 0..<500 { run.sender.send("\(index)") }
    run.start()
    let came = try await run.output.wait { UInt64(run.output.recordCount) + run.output.lost(.kernelDrop) == 500 }
    #expect(came)
    #expect(run.output.lost(.kernelDrop) > 0)
    try await run.cancel()
  }

  @Test func `cancelling writes what the kernel still holds`() async throws {
    let run = try SourceRun(format: .raw)
    run.output.behave(.waitForCancellation)
    run.sender.send("first")
    let blocked = try await run.output.wait { run.output.attempts == 1 }
    #expect(blocked)
    for index in 0..<300 { run.sender.send("\(index)") }
    run.task?.cancel()
    let again = try await run.output.wait { run.output.attempts == 2 }
    #expect(again)
    run.output.behave(.take)
    try await run.cancel()
    #expect(run.output.records == [Array("first".utf8)] + (0..<300).map { Array("\($0)".utf8) })
    #expect(run.output.lost(.dropped) == 0)
  }

  @Test func `what can't be written at the end is a gap`() async throws {
    let run = try SourceRun(format: .raw, drainTime: .milliseconds(1))
    run.output.behave(.waitForCancellation)
    for index in 0..<300 { run.sender.send("\(index)") }
    let blocked = try await run.output.wait { run.output.attempts == 1 }
    #expect(blocked)
    try await run.cancel()
    #expect(run.output.recordCount == 0)
    #expect(run.output.lost(.dropped) == 300)
    #expect(run.source.counts.unwritten == 300)
    #expect(run.source.counts.datagrams == 300)
  }

  @Test func `a write's error ends the run with its datagrams as a gap, and the next run goes on with the rest`() async throws {
    let run = try SourceRun(format: .raw)
    run.output.behave(.fail)
    run.sender.send("lost")
    await #expect(throws: RecordingOutput.Failure.self) { try await run.task?.value }
    #expect(run.output.lost(.dropped) == 1)
    run.sender.send("kept")
    run.output.behave(.take)
    run.start()
    let came = try await run.output.wait { run.output.recordCount == 1 }
    #expect(came)
    try await run.cancel()
    #expect(run.output.records == [Array("kept".utf8)])
  }

  @Test func `a cancelled source can run again on its port`() async throws {
    let run = try SourceRun(format: .raw)
    try await run.cancel()
    try run.source.bind()
    let port = try #require(run.source.localPort)
    run.start()
    DatagramSender(port: port).send("again")
    let came = try await run.output.wait { run.output.recordCount == 1 }
    #expect(came)
    try await run.cancel()
  }

  private static func object(_ line: [UInt8]) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
  }
}

/// A source that runs on a thread of its own, with a sender to it.
private final class SourceRun {
  let source: SyslogSource
  let output = RecordingOutput()
  let sender: DatagramSender
  let port: Int
  private let executor = DispatchTaskExecutor("syslog test")
  private(set) var task: Task<Void, any Error>?

  init(
    listen: SyslogSource.Address = .init(host: "127.0.0.1", port: 0), sendTo host: String = "127.0.0.1",
    format: SyslogSource.Format = .json,
    receiveBufferBytes: Int = 32 << 20, maxDatagramBytes: Int = SyslogSource.Configuration.largestDatagramBytes, starts: Bool = true,
    drainTime: Duration = .seconds(30)
  ) throws {
    source = SyslogSource(
      .init(
        name: "test", listen: listen, format: format, receiveBufferBytes: receiveBufferBytes, maxDatagramBytes: maxDatagramBytes,
        wallClock: { 1_788_220_800_000_000_000 }, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })),
      drainTime: drainTime)
    try source.bind()
    port = try #require(source.localPort)
    sender = DatagramSender(to: host, port: port)
    if starts { start() }
  }

  deinit { task?.cancel() }

  func start() {
    let (source, output) = (source, output)
    task = Task(executorPreference: executor) { try await source.run(from: [], into: output) }
  }

  func cancel() async throws {
    task?.cancel()
    try await task?.value
  }
}
