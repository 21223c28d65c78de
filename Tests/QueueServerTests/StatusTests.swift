import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import RecordBlocks
import SegmentQueue
import Synchronization
import TestSupport
import Testing

@testable import QueueServer

@Suite("The status") struct StatusTests {
  /// What a pipeline's runner would tell.
  private static let activity: @Sendable () -> QueueActivity = {
    var activity = QueueActivity()
    activity.forecasts = QueueForecasts(secondsUntilFull: 90, secondsUntilLoss: ["archive": 12.5])
    activity.fillsBecauseOf = "archive"
    (activity.recordsPerSecond, activity.bytesPerSecond) = (10, 1000)
    var consumer = QueueActivity.Consumer()
    (consumer.recordsPerSecond, consumer.bytesPerSecond, consumer.lossCause) = (5, 500, "hold")
    activity.consumers["archive"] = consumer
    var source = SourceFacts(name: "app", type: "file", activity: "running")
    source.records = 7
    source.files = SourceFacts.Files(
      count: 2, newest: [SourceFacts.File(path: "/var/log/<a>.log", position: 5, size: 9, quietSeconds: 1, isGone: false)])
    activity.sources = [source]
    var sink = SinkFacts(name: "archive", type: "http", activity: "backing_off")
    (sink.secondsUntilRetry, sink.lastError, sink.deadLetters) = (4, "the endpoint answered 503", 3)
    activity.sinks = [sink]
    return activity
  }

  private func attached() -> Attachments {
    var attachments = Attachments()
    attachments.activity = Self.activity
    return attachments
  }

  @Test func `tells a queue, its consumers' forecasts, and the pipeline's parts`() async throws {
    try await ServerFixture.run(attachments: attached()) { (fixture) async throws in
      try await fixture.append(["one", "two", "three"])
      _ = try fixture.queue.consumer("archive", kind: .sink)
      let answer = try await fixture.get("/v1/status")
      #expect(answer.status == 200)
      #expect(answer.headers.first(name: "Content-Type") == "application/json")
      #expect(answer.headers.first(name: "Cross-Origin-Resource-Policy") == "same-origin")
      let status = try answer.json()
      #expect(status["version"] as? String == "test")
      #expect(WireTime.nanoseconds(try #require(status["time"] as? String)) != nil)
      let queue = try #require((status["queues"] as? [[String: Any]])?.first)
      #expect(queue["name"] as? String == "app")
      #expect(queue["records"] as? Int == 3)
      #expect(queue["bytes_per_second"] as? Double == 1000)
      #expect(queue["seconds_until_full"] as? Double == 90)
      #expect(queue["fills_because_of"] as? String == "archive")
      let consumer = try #require((queue["consumers"] as? [[String: Any]])?.first)
      #expect(consumer["lag_records"] as? Int == 3)
      #expect(consumer["seconds_until_loss"] as? Double == 12.5)
      #expect(consumer["loss_cause"] as? String == "hold")
      #expect(consumer["records_per_second"] as? Double == 5)
      let source = try #require((queue["sources"] as? [[String: Any]])?.first)
      #expect(source["type"] as? String == "file")
      let files = try #require(source["files"] as? [String: Any])
      #expect(files["count"] as? Int == 2)
      #expect((files["newest"] as? [[String: Any]])?.first?["path"] as? String == "/var/log/<a>.log")
      let sink = try #require((queue["sinks"] as? [[String: Any]])?.first)
      #expect(sink["activity"] as? String == "backing_off")
      #expect(sink["last_error"] as? String == "the endpoint answered 503")
      let segment = try #require((queue["newest_segments"] as? [[String: Any]])?.first)
      #expect(segment["is_sealed"] as? Bool == false)
      #expect(segment["next_offset"] as? Int == 3)
    }
  }

  @Test func `of a queue without a pipeline has no sources and no sinks`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let queue = try #require((try await fixture.get("/v1/status").json()["queues"] as? [[String: Any]])?.first)
      #expect(queue["sources"] == nil && queue["sinks"] == nil && queue["bytes_per_second"] == nil)
    }
  }

  @Test func `comes as events while somebody listens, each one line of JSON`() async throws {
    try await ServerFixture.run(attachments: attached()) { (fixture) async throws in
      var request = HTTPClientRequest(url: "http://\(fixture.address)/v1/status")
      request.headers.add(name: "Accept", value: "text/event-stream")
      let response = try await ServerFixture.client.execute(request, timeout: .seconds(60))
      #expect(response.status == .ok)
      #expect(response.headers.first(name: "Content-Type") == "text/event-stream")
      var text = ""
      for try await piece in response.body {
        text += String(buffer: piece)
        if text.hasSuffix("\n\n") { break }
      }
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      try #require(lines.count >= 4)
      #expect(lines[0] == "event: status")
      try #require(lines[1].hasPrefix("data: "))
      let status = try #require(JSONSerialization.jsonObject(with: Data(lines[1].dropFirst(6).utf8)) as? [String: Any])
      #expect((status["queues"] as? [[String: Any]])?.count == 1)
      #expect(lines[2].isEmpty)
    }
  }

  @Test func `shows only what a token may read, and ends when the token is taken back`() async throws {
    let directory = TemporaryDirectory()
    let file = "\(directory.path)/tokens"
    let (reader, other) = (NewToken(name: "reader", grants: [Grant("read@app")!]), NewToken(name: "other", grants: [Grant("read@else")!]))
    try reader.append(to: file)
    try other.append(to: file)
    let tokens = try AccessTokens(file: file, logger: RecordedLog().logger, interval: nil)
    try await ServerFixture.run(configure: { $0.tokens = tokens }) { (fixture) async throws in
      #expect(try await fixture.get("/v1/status").status == 401)
      func names(_ token: String) async throws -> [String] {
        let answer = try await fixture.get("/v1/status", headers: [("Authorization", "Bearer \(token)")])
        return try #require(answer.json()["queues"] as? [[String: Any]]).compactMap { $0["name"] as? String }
      }
      #expect(try await names(reader.token) == ["app"])
      #expect(try await names(other.token) == [])
      var request = HTTPClientRequest(url: "http://\(fixture.address)/v1/status")
      request.headers.add(name: "Accept", value: "text/event-stream")
      request.headers.add(name: "Authorization", value: "Bearer \(reader.token)")
      let response = try await ServerFixture.client.execute(request, timeout: .seconds(60))
      var isFirst = true
      for try await _ in response.body {
        guard isFirst else { continue }
        isFirst = false
        try write(other.line, to: file, mode: 0o600)
        tokens.look()
      }
      #expect(!isFirst, "the body ended by itself, behind a status that was told")
    }
  }

  @Test func `is not told to a page of another site that listens`() async throws {
    try await ServerFixture.run { (fixture) async throws in
      let answer = try await fixture.get("/v1/status", headers: [("Accept", "text/event-stream"), ("Sec-Fetch-Site", "cross-site")])
      #expect(answer.code == "cross_site")
    }
  }

  // MARK: The feed

  @Test func `is looked at once for all who listen, and not at all when nobody does`() async throws {
    let (clock, looks) = (TickClock(), Looks())
    let feed = StatusFeed(limit: 3, clock: clock)
    var first = try feed.listen { await looks.look() }.makeAsyncIterator()
    _ = await first.next()
    var second = try feed.listen { await looks.look() }.makeAsyncIterator()
    _ = await second.next()
    #expect(looks.count == 1, "who comes later is told what the others were")
    await clock.tick()
    _ = await first.next()
    _ = await second.next()
    #expect(looks.count == 2)
    #expect(feed.count == 2)
  }

  @Test func `isn't looked at any more when the last listener has left`() async throws {
    let (clock, looks) = (TickClock(), Looks())
    let feed = StatusFeed(limit: 3, clock: clock)
    do {
      var only = try feed.listen { await looks.look() }.makeAsyncIterator()
      _ = await only.next()
    }
    await clock.untilNobodySleeps()
    #expect(feed.count == 0)
    #expect(looks.count == 1)
    var later = try feed.listen { await looks.look() }.makeAsyncIterator()
    _ = await later.next()
    #expect(looks.count == 2, "what was known before is old by now")
  }

  @Test func `has a bound of listeners, and an end`() async throws {
    let feed = StatusFeed(limit: 1, clock: TickClock())
    let looks = Looks()
    let stream = try feed.listen { await looks.look() }
    #expect(throws: Problem.self) { try feed.listen { nil } }
    feed.stop()
    for await _ in stream {}
    do {
      _ = try feed.listen { nil }
      Issue.record("a feed that ended takes a listener")
    } catch { #expect((error as? Problem)?.code == "stopping") }
  }
}

/// Statuses of no queue, counted.
private final class Looks: Sendable {
  private let looks = Mutex(0)
  var count: Int { looks.withLock { $0 } }

  func look() async -> StatusSnapshot? {
    looks.withLock { $0 += 1 }
    let logger = RecordedLog().logger
    return try? await StatusSnapshot.take(of: ServerCore(QueueServer.Configuration(version: "test", logger: logger), startTime: 0))
  }
}

/// A clock that goes on when a test says so.
private final class TickClock: Clock {
  typealias Instant = ContinuousClock.Instant

  private struct State {
    var sleepers: [UInt64: CheckedContinuation<Void, any Error>] = [:]
    var lastID: UInt64 = 0
    var watchers: [(isMet: @Sendable (Int) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())
  var now: Instant { .now }
  var minimumResolution: Swift.Duration { .zero }

  func sleep(until deadline: Instant, tolerance: Swift.Duration?) async throws {
    let id = state.withLock { state in
      state.lastID += 1
      return state.lastID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let isCancelled = state.withLock { state in
          if Task.isCancelled { return true }
          state.sleepers[id] = continuation
          return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
        tell()
      }
    } onCancel: {
      state.withLock { $0.sleepers.removeValue(forKey: id) }?.resume(throwing: CancellationError())
      tell()
    }
  }

  /// Waits until somebody sleeps, and wakes whoever does.
  func tick() async {
    await wait { $0 > 0 }
    let sleepers = state.withLock { state in
      defer { state.sleepers.removeAll() }
      return Array(state.sleepers.values)
    }
    for sleeper in sleepers { sleeper.resume() }
  }

  /// Waits until nobody sleeps.
  func untilNobodySleeps() async { await wait { $0 == 0 } }

  private func wait(for isMet: @escaping @Sendable (Int) -> Bool) async {
    await withCheckedContinuation { continuation in
      state.withLock { $0.watchers.append((isMet, continuation)) }
      tell()
    }
  }

  private func tell() {
    let met = state.withLock { state in
      let count = state.sleepers.count
      let met = state.watchers.filter { $0.isMet(count) }
      state.watchers.removeAll { $0.isMet(count) }
      return met
    }
    for watcher in met { watcher.continuation.resume() }
  }
}
