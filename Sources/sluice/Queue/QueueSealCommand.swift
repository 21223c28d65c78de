internal import ArgumentParser
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue seal`.
struct QueueSealCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal",
    abstract: "Make the active segment final, so that all records stand in .gz files that any tool reads.",
    discussion: "The queue must be idle, or served by a process.")

  @OptionGroup var queue: QueueArgument
  @OptionGroup var output: OutputOptions

  func run() async throws {
    if let source = try await queue.whoeverServes() {
      let end = try await source.client.seal(source.queue).durableEnd.offset
      return try output.print(
        .object([("queue", .string(source.queue)), ("sealed_before", .integer(end))]),
        text: "sealed: all records before offset \(end) stand in sealed segments\n")
    }
    let held = try queue.hold(for: "sluice queue seal")
    let end = held.durableEnd
    do throws(any Error) {
      try await held.seal()
      await held.close()
    } catch {
      await held.close()
      throw error
    }
    try output.print(
      .object([("queue", .string(queue.name)), ("sealed_before", .integer(end.rawValue))]),
      text: "sealed: all records before offset \(end) stand in \(Escaping.escaped(queue.queue))/segments/*.gz\n")
  }
}
