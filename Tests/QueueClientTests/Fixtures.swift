import Foundation
import QueueClient
import Synchronization

/// A clock that doesn't wait; it tells how long it was asked to.
final class ImmediateClock: Clock, Sendable {
  typealias Instant = ContinuousClock.Instant

  private let state = Mutex<(now: Instant, sleeps: [Swift.Duration])>((now: .now, sleeps: []))

  var now: Instant { state.withLock { $0.now } }
  var minimumResolution: Swift.Duration { .zero }
  /// What was slept, in order.
  var sleeps: [Swift.Duration] { state.withLock { $0.sleeps } }

  func sleep(until deadline: Instant, tolerance: Swift.Duration?) async throws {
    try Task.checkCancellation()
    state.withLock { state in
      state.sleeps.append(deadline - state.now)
      state.now = max(state.now, deadline)
    }
  }
}

/// Notices that a client gave.
final class Notices: Sendable {
  private let written = Mutex<[String]>([])
  var all: [String] { written.withLock { $0 } }
  func add(_ notice: RetryNotice) {
    written.withLock {
      switch notice {
      case .waiting(let error): $0.append("waiting: \(error)")
      case .recovered: $0.append("recovered")
      }
    }
  }
}

/// A client of `server` that waits by `clock`.
func client(
  _ server: ServerDouble, clock: ImmediateClock = ImmediateClock(), retry: RetryPolicy = .brief, notices: Notices? = nil,
  _ change: (inout QueueClient.Configuration) -> Void = { _ in }
) throws -> QueueClient {
  var configuration = QueueClient.Configuration(address: try ServerAddress(server.address))
  configuration.clock = clock
  configuration.retry = retry
  if let notices { configuration.notice = { notices.add($0) } }
  change(&configuration)
  return try QueueClient(configuration)
}

/// A client of a server at `address`, which waits for it as long as it takes.
func client(at address: String) throws -> QueueClient {
  var configuration = QueueClient.Configuration(address: try ServerAddress(address))
  configuration.clock = ImmediateClock()
  configuration.retry = .unlimited
  return try QueueClient(configuration)
}

/// The answer to a pull: `lines` from offset `first` of epoch 3 on, as one gzip member or as they are.
func batchReply(_ lines: [String], from first: UInt64, gzip: Bool = true, headers: [String] = []) -> ServerDouble.Reply {
  let text = lines.map { $0 + "\n" }.joined()
  let body = Array(text.utf8)
  var all = [
    "Sluice-First-Offset: 3-\(first)", "Sluice-Next-Offset: 3-\(first + UInt64(lines.count))", "Sluice-Records: \(lines.count)",
    "Sluice-Bytes: \(body.count)", "Sluice-Lag: 7", "Sluice-Lag-Bytes: 70", "Content-Type: text/plain; charset=utf-8",
  ]
  if gzip { all.append("Content-Encoding: gzip") }
  return ServerDouble.Reply(headers: all + headers, body: gzip ? zip(body) : body)
}

/// `gzip` of the system: not what is to be tested.
func zip(_ bytes: [UInt8]) -> [UInt8] {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/sh")
  process.arguments = ["-c", "exec gzip -c"]
  let (input, output) = (Pipe(), Pipe())
  process.standardInput = input
  process.standardOutput = output
  guard (try? process.run()) != nil else { return [] }
  Thread.detachNewThread {
    input.fileHandleForWriting.write(Data(bytes))
    input.fileHandleForWriting.closeFile()
  }
  let result = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return Array(result)
}

/// A directory of the test's own, removed at its end.
final class TemporaryFolder {
  let path: String
  init() {
    path = "/tmp/sluice-client-\(UInt32.random(in: 0...UInt32.max))"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension RemoteSegment {
  init?(json: String) {
    guard let segment = try? JSONDecoder().decode(RemoteSegment.self, from: Data(json.utf8)) else { return nil }
    self = segment
  }
}
