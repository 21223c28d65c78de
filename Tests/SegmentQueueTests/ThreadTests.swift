import DurableFiles
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// Everything at once on the real file system. Worth most under `--sanitize=thread`.
@Suite(.timeLimit(.minutes(5))) struct ThreadTests {
  private static let writers = 4
  private static let batches = 60

  /// A consumer reads and commits until it has seen everything, with readers of its own status beside it.
  private static func drain(_ queue: SegmentQueue, _ name: String, records: Int) async throws -> [String] {
    let consumer = try queue.consumer(name, kind: .sink)
    var lines: [String] = []
    var place = consumer.cursor
    var round = 0
    while lines.count < records {
      guard let batch = try consumer.read(from: place, limits: BatchLimits(maxRecords: 1 + (round * 37) % 200, maxBytes: 1 << 20)) else {
        _ = await queue.waitForRecords(beyond: place, until: .now + .seconds(1))
        continue
      }
      round += 1
      lines += try batch.entries.map { if case .line(let line) = $0 { line } else { "\($0)" } }
      place = batch.next
      if round % 3 == 0 { try consumer.commit(place) }
      if round % 7 == 0 { _ = queue.status() }
    }
    try consumer.commit(place)
    return lines
  }

  @Test func `writers, readers, seals and trims at once: each line once and in order, for each consumer`() async throws {
    let directory = TemporaryDirectory()
    var options = QueueOptions()
    options.segmentSize = 20_000
    options.minFreeDisk = 0
    options.linger = .milliseconds(2)
    let path = directory.path.appending("queue")
    let queue = try SegmentQueue.open(path, name: "queue", options: options)
    let total = Self.writers * Self.batches * 25
    // Who holds nothing back is there before the first record.
    for name in ["a", "b", "c"] { _ = try queue.consumer(name, kind: .sink) }
    let lines: [String: [String]] = try await withThrowingTaskGroup(of: (String, [String])?.self) { group in
      for index in 0..<Self.writers {
        group.addTask {
          let writer = try queue.writer(source: "source\(index)")
          for number in 0..<Self.batches {
            let lines = (0..<25).map { "\(index) \(number * 25 + $0) \(UInt64.random(in: 0 ... .max))" }
            let ticket = try await writer.write(
              batch(lines), checkpoints: [.set(stream: 1, identity: [7], value: Array("\(number * 25 + 25)".utf8))])
            if number % 5 == 0 { try await ticket.durable() }
          }
          return nil
        }
      }
      for name in ["a", "b", "c"] {
        group.addTask { (name, try await Self.drain(queue, name, records: total)) }
      }
      group.addTask {
        for round in 0..<12 {
          try await queue.seal()
          // Only what all have committed.
          let least = queue.status().consumers.map(\.cursor).min() ?? .zero
          _ = try queue.trim(before: least)
          let name = "guest\(round % 2)"
          _ = try queue.consumer(name, kind: .pull, startAt: .newest)
          try queue.deleteConsumer(name)
          _ = try QueueFiles.open(path)
        }
        return nil
      }
      return try await group.reduce(into: [:]) { seen, result in if let (name, lines) = result { seen[name] = lines } }
    }
    await queue.close()
    let first = try #require(lines["a"])
    #expect(first.count == total)
    for index in 0..<Self.writers {
      let own = first.filter { $0.hasPrefix("\(index) ") }.map { $0.split(separator: " ")[1] }
      #expect(own == (0..<Self.batches * 25).map { Substring("\($0)") }, "source \(index): not each line once, in order")
    }
    for name in ["b", "c"] { #expect(lines[name] == first, "\(name) saw another log than a") }
    let again = try SegmentQueue.open(path, name: "queue", options: options)
    for index in 0..<Self.writers { #expect(try again.writer(source: "source\(index)").count == Self.batches * 25) }
    #expect(again.status().totalRecords == UInt64(total))
    #expect(again.status().consumers.allSatisfy { $0.lagRecords == 0 && $0.lostRecords == 0 })
    await again.close()
  }
}
