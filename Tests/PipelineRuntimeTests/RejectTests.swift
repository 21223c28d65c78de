import Foundation
import PipelineCore
import RecordBlocks
import SegmentQueue
import TestSupport
import Testing

@testable import PipelineRuntime

/// Records that a destination can never take.
@Suite(.timeLimit(.minutes(2))) struct RejectTests {
  struct Letter: Codable, Hashable {
    var reason: String
    var status: String
    var consumer: String
    var offset: UInt64
    var bytes: Data
    var line: String { String(decoding: bytes, as: UTF8.self) }
  }

  static func letters(_ lines: [String]) throws -> [Letter] {
    try lines.map { try JSONDecoder().decode(Letter.self, from: Data($0.utf8)) }
  }

  /// Takes everything but ranges with one of these offsets, which it rejects.
  static func sink(rejecting rejected: Set<UInt64>, status: String = "400 Bad \"Request\"\n") -> ScriptedSink {
    ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if rejected.contains(where: { (delivery.first..<delivery.next).contains(Offset($0)) }) {
        throw DeliveryError(.reject(status: status), "no")
      }
      return delivery.next
    }
  }

  @Test func `rejected records become JSON dead letters, and the rest goes on`() async throws {
    let fixture = RunFixture()
    let sink = Self.sink(rejecting: [5, 25])
    try await fixture.drain(sources: [source(numbered(0..<40))], sinks: [])
    let outcome = try await fixture.drain(sinks: [plan(sink, "http") { $0.batch.maxRecords = 10 }])
    #expect(outcome.ending == .drained)
    #expect(sink.output == numbered(10..<20) + numbered(30..<40))
    let letters = try Self.letters(await fixture.deadLetters())
    #expect(letters.map(\.offset) == Array(0..<10) + Array(20..<30))
    #expect(letters.map(\.line) == numbered(0..<10) + numbered(20..<30))
    #expect(letters.allSatisfy { $0.consumer == "http" && $0.reason == "rejected" && $0.status == "400 Bad \"Request\"\n" })
  }

  @Test func `any bytes survive as a dead letter`() throws {
    for count in [0, 1, 2, 3, 4, 255, 256, 257, 10_000] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
      var batch = RecordBatch()
      DeadLetterRecord(consumer: "a", reason: "rejected", status: "\u{1}é\u{7F}").append(
        SharedBytes(copying: bytes), offset: Offset(.max), to: &batch)
      let line = batch.withLines { Data($0) }
      #expect(line.filter { $0 == 0x0A }.count == 1)
      let letter = try JSONDecoder().decode(Letter.self, from: line)
      #expect(letter.bytes == Data(bytes))
      #expect(letter.offset == .max)
      #expect(letter.status == "\u{1}é\u{7F}")
    }
  }

  @Test func `one record that is too large goes, its neighbours arrive`() async throws {
    let fixture = RunFixture()
    let sink = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if (delivery.first..<delivery.next).contains(Offset(13)) { throw DeliveryError(.split, "413") }
      return delivery.next
    }
    let outcome = try await fixture.drain(sources: [source(numbered(0..<40))], sinks: [plan(sink)])
    #expect(outcome.ending == .drained)
    #expect(sink.output == numbered(0..<13) + numbered(14..<40))
    let letters = try Self.letters(await fixture.deadLetters())
    #expect(letters.map(\.offset) == [13])
    #expect(letters[0].reason == "too_large")
  }

  @Test func `attempts that run out make dead letters too`() async throws {
    let fixture = RunFixture()
    let sink = ScriptedSink(.repeatsRange) { (delivery, _) async throws(DeliveryError) in
      if delivery.first == .zero { throw DeliveryError(.retry(after: nil), "503") }
      return delivery.next
    }
    try await fixture.drain(sources: [source(numbered(0..<20))], sinks: [])
    let outcome = try await fixture.drain(
      sinks: [
        plan(sink) {
          $0.batch.maxRecords = 10
          $0.retry.attempts = 3
        }
      ])
    #expect(outcome.ending == .drained)
    #expect(sink.sent.map(\.range) == [0..<10, 0..<10, 0..<10, 10..<20])
    #expect(try Self.letters(await fixture.deadLetters()).allSatisfy { $0.reason == "retries_exhausted" })
  }

  @Test func `rejected records are dropped and counted when that is asked for`() async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(0..<20))
    let sink = Self.sink(rejecting: [5])
    let runner = fixture.runner(
      queue,
      sinks: [
        plan(sink) {
          $0.batch.maxRecords = 10
          $0.onReject = .drop
        }
      ])
    #expect(await runner.run(until: .drained(timeout: nil)).ending == .drained)
    #expect(runner.status().sinks[0].dropped == 10)
    // Told where it stays: with the consumer's place.
    #expect(queue.status().consumers[0].lostRecords == 10)
    #expect(runner.status().deadLetters == nil)
    await queue.close()
  }

  @Test func `a sink that can be cut back sets aside exactly what it rejects`() async throws {
    let fixture = RunFixture()
    let sink = ScriptedSink { (delivery, _) async throws(DeliveryError) in
      if (delivery.first..<delivery.next).contains(Offset(25)) { throw DeliveryError(.reject(status: "no"), "no") }
      return delivery.next
    }
    try await fixture.drain(sources: [source(numbered(0..<40))], sinks: [])
    let outcome = try await fixture.drain(sinks: [plan(sink) { $0.batch.maxRecords = 10 }])
    #expect(outcome.ending == .drained)
    #expect(sink.output == numbered(0..<20) + numbered(30..<40))
    #expect(try Self.letters(await fixture.deadLetters()).map(\.offset) == Array(20..<30))
  }

  @Test(arguments: [SinkRecovery.repeatsRange, .cutsBack], [RejectPolicy.deadLetter, .wait, .drop])
  func `records that their block doesn't give are lost by themselves, whatever becomes of rejected ones`(
    recovery: SinkRecovery, onReject: RejectPolicy
  ) async throws {
    let fixture = RunFixture()
    let queue = try fixture.open()
    try await queue.writer(source: "source").writeDurably(numbered(0..<40))
    let missing = Offset(25)..<Offset(27)
    let sink = ScriptedSink(recovery) { (delivery, _) async throws(DeliveryError) in
      if (delivery.first..<delivery.next).overlaps(missing) { throw DeliveryError(.unreadable(missing), "no such records") }
      return delivery.next
    }
    let runner = fixture.runner(
      queue,
      sinks: [
        plan(sink) {
          $0.batch.maxRecords = 10
          $0.onReject = onReject
        }
      ])
    #expect(await runner.run(until: .drained(timeout: nil)).ending == .drained)
    #expect(sink.output == numbered(0..<25) + numbered(27..<40))
    #expect(runner.status().sinks[0].dropped == 2)
    #expect(queue.status().consumers[0].lostRecords == 2)
    #expect(runner.status().deadLetters == nil)
    await queue.close()
  }

  @Test(arguments: [CrashKind.everythingKept, .unsyncedLost, .mixture])
  func `a crash at any moment leaves each rejected record exactly one dead letter`(kind: CrashKind) async throws {
    let lines = numbered(0..<20)
    let first = RunFixture()
    // The records are there before; what is crashed is their delivery.
    try await first.drain(sources: [source(lines)], sinks: [])
    first.disk.recordCrashPoints()
    let rejecting: @Sendable () -> SinkPlan = { plan(Self.sink(rejecting: [3, 12]), "http") { $0.batch.maxRecords = 5 } }
    try await first.drain(sinks: [rejecting()])
    let points = first.disk.crashPoints
    #expect(points.count > 40)
    for (seed, point) in points.enumerated() {
      let fixture = RunFixture(point.crash(kind, seed: UInt64(seed)))
      let outcome = try await fixture.drain(sinks: [rejecting()])
      #expect(outcome.ending == .drained, "crashed before: \(point.operation)")
      let letters = try Self.letters(await fixture.deadLetters())
      #expect(letters.map(\.offset) == Array(0..<5) + Array(10..<15), "crashed before: \(point.operation)")
    }
  }

  @Test func `a full dead-letter queue makes the sink wait, and nothing is lost`() async throws {
    var fixture = RunFixture()
    var options = QueueOptions()
    options.maxSize = 400 << 10
    options.minFreeDisk = 0
    options.linger = .zero
    fixture.deadLetterOptions = options
    let queue = try fixture.open()
    // Lines that don't compress.
    var random = SplitMix64(seed: 1)
    let lines = (0..<400).map { _ in String((0..<4000).map { _ in Character(UnicodeScalar(UInt8.random(in: 0x30...0x7A, using: &random))) })
    }
    let sink = ScriptedSink(.repeatsRange) { (_, _) async throws(DeliveryError) in throw DeliveryError(.reject(status: "400"), "no") }
    var bounds = ShutdownBounds.patient
    bounds.sinks = .milliseconds(20)
    let runner = fixture.runner(queue, sources: [source(lines)], sinks: [plan(sink) { $0.batch.maxRecords = 10 }], bounds: bounds)
    let run = Task { await runner.run(until: .forever) }
    await eventually { runner.status().deadLetters?.isFull == true }
    #expect(runner.status().deadLetters?.isFull == true)
    await runner.sinkProgress[0].wait { $0.activity == .settingAside }
    run.cancel()
    let outcome = await run.value
    #expect(outcome.leftBehind.isEmpty)
    let cursor = try #require(outcome.sinks[0].cursor)
    #expect(cursor < Offset(400))
    await queue.close()
    let letters = try Self.letters(await fixture.deadLetters())
    #expect(letters.map(\.offset) == Array(0..<UInt64(letters.count)), "each once, in order")
    #expect(UInt64(letters.count) >= cursor.rawValue, "the cursor passed nothing that isn't there")
  }
}
