internal import ArgumentParser
internal import Glibc
internal import Logging
internal import PipelineCore
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue
internal import StandardInputSource
internal import Synchronization

/// `sluice push`.
struct PushCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "push", abstract: "Write the lines of standard input into a queue.",
    discussion: """
      On success every line is on the disk. The queue must be idle, or served by a process: then the lines go there, as they go to a server, in bodies that are \
      sent again under the same key until their fate is known, so that each line is taken once. A full queue is waited for.

        generate | sluice push data/app
        generate | sluice push app --server http://logs:7171 --token-file push.token

      \(ExitCode.table)
      """)

  @OptionGroup var queue: QueueArgument

  @Flag(help: "Make the queue when it isn't there.")
  var create = false

  @OptionGroup var output: OutputOptions

  func run() async throws {
    if let source = try await queue.whoeverServes(retry: .persistent) { return try await push(to: source) }
    let held = try queue.hold(create: create, minFreeDisk: 512 << 20, for: "sluice push")
    let first = held.durableEnd
    let count = PushedCount()
    do throws(any Error) {
      let writer = try held.writer(source: "push", whenFull: .wait)
      let destination = PushOutput(writer: writer, count: count)
      let logger = ProcessLog(format: .text).logger("push", level: .notice)
      let source = StandardInputSource(StandardInputSource.Configuration(name: "push", logger: logger))
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await source.run(from: [], into: destination) }
        group.addTask { try await Self.failWhenFull(held) }
        // The source ends first, or the other finds the disk full.
        try await group.next()
        group.cancelAll()
      }
      try await held.synchronize()
      await held.close()
    } catch {
      await held.close()
      throw error
    }
    let (records, bytes) = count.value
    try output.print(
      .object([
        ("queue", .string(queue.name)), ("records", .integer(records)), ("bytes", .integer(bytes)), ("first", .integer(first.rawValue)),
        ("next", .integer(held.durableEnd.rawValue)),
      ]),
      text:
        "\(HumanText.count(records, "record")) (\(HumanText.bytes(bytes)) of lines) on the disk, offsets \(first)..<\(held.durableEnd)\n")
  }

  private func push(to source: RemoteQueueHandle) async throws {
    if create, queue.connection.address != nil {
      throw CommandFailure(.usage, "--create is for a directory: a server's queues are those of its pipeline files")
    }
    let outcome = try await RemotePush(source).run()
    try output.print(
      .object([
        ("queue", .string(source.queue)), ("records", .integer(outcome.records)), ("bytes", .integer(outcome.bytes)),
        ("first", outcome.first.map { .integer($0.offset) } ?? .null), ("next", outcome.next.map { .integer($0.offset) } ?? .null),
      ]),
      text:
        "\(HumanText.count(outcome.records, "record")) (\(HumanText.bytes(outcome.bytes)) of lines) on the server's disk"
        + (outcome.first.map { ", offsets \($0.offset)..<\(outcome.next?.offset ?? 0)" } ?? "") + "\n")
  }

  /// Nobody draws from an idle queue, so room never comes by itself.
  private static func failWhenFull(_ queue: SegmentQueue) async throws {
    while true {
      try await Task.sleep(for: .seconds(1))
      if queue.status().isFull {
        throw CommandFailure(
          .failure,
          "the disk of \(queue.path) is full but for the 512 MiB that are kept free; free disk space and push the rest: records before offset \(queue.durableEnd) are in the queue"
        )
      }
    }
  }
}

/// What was pushed so far.
private final class PushedCount: Sendable {
  private let counted = Mutex((records: 0, bytes: 0))
  var value: (records: Int, bytes: Int) { counted.withLock { $0 } }
  func add(records: Int, bytes: Int) {
    counted.withLock {
      $0.records += records
      $0.bytes += bytes
    }
  }
}

/// The queue's end of `push`.
private struct PushOutput: RecordOutput {
  let writer: SourceWriter
  let count: PushedCount

  func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
    count.add(records: batch.recordCount, bytes: batch.byteCount)
    let ticket = try await writer.write(batch, checkpoints: checkpoints)
    return Acknowledgement { try await ticket.durable() }
  }

  func recordGap(_ gap: Gap) { writer.recordGap(gap) }

  func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]] { try writer.earlierCheckpoints(of: stream) }
}
