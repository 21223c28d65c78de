internal import Glibc
internal import Logging
internal import PipelineCore
internal import PipelineRuntime
internal import QueueClient
internal import StandardInputSource

/// `sluice push` to a server: standard input in keyed bodies, one after the other.
struct RemotePush {
  /// What became of the lines.
  struct Outcome: Sendable {
    var first: WireOffset?
    var next: WireOffset?
    var records: UInt64 = 0
    var bytes: UInt64 = 0
  }

  let source: RemoteQueueHandle
  /// What the keys of this push begin with: chosen anew for each, so that none is ever used for other lines.
  private let keyPrefix = {
    var generator = SystemRandomNumberGenerator()
    return String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
  }()

  init(_ source: RemoteQueueHandle) { self.source = source }

  /// Reads to the input's end; on return every line is on the server's disk.
  func run(from descriptor: Int32 = STDIN_FILENO) async throws -> Outcome {
    let buffer = PushBuffer()
    let configuration = StandardInputSource.Configuration(
      name: "push", fileDescriptor: descriptor, maxLineBytes: QueueClient.maximumPushBytes - 1,
      logger: ProcessLog(format: .text).logger("push", level: .notice))
    let input = StandardInputSource(configuration)
    return try await withThrowingTaskGroup(of: Outcome?.self) { group in
      group.addTask {
        // It blocks in poll, which no thread of Swift's own pool must.
        try await ThreadExecutor.run(named: "push input") { try await input.run(from: [], into: buffer) }
        await buffer.end()
        return nil
      }
      group.addTask { try await send(buffer) }
      var outcome: Outcome?
      for try await result in group { if let result { outcome = result } }
      guard let outcome else { preconditionFailure("the sender returns an outcome or throws") }
      if input.splitLines > 0 {
        DiagnosticOutput.shared.line(
          "sluice: \(HumanText.count(input.splitLines, "line")) of more than 8 MiB split into several records: that is the most a push takes at once"
        )
      }
      return outcome
    }
  }

  private func send(_ buffer: PushBuffer) async throws -> Outcome {
    var outcome = Outcome()
    var number = 0
    while let body = await buffer.next() {
      number += 1
      do {
        let receipt = try await source.client.push(body, to: source.queue, key: "\(keyPrefix)-\(number)")
        outcome.first = outcome.first ?? receipt.first
        outcome.next = receipt.next
        outcome.records += receipt.records
        outcome.bytes += receipt.bytes
      } catch {
        let done =
          outcome.records == 0
          ? "no line was taken"
          : "the first \(HumanText.count(outcome.records, "line")) (\(HumanText.bytes(outcome.bytes))) are on the server's disk"
        let failure = CommandFailure(ExitCode(error), "\(error.description); \(done)")
        await buffer.fail(failure)
        throw failure
      }
    }
    return outcome
  }
}
