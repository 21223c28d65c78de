internal import ArgumentParser
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue seal`.
struct QueueSealCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seal",
    abstract: "Make the active segment final, so that all records stand in .gz files that any tool reads. The queue must be idle.")

  @OptionGroup var queue: QueueArgument
  @OptionGroup var output: OutputOptions

  func run() async throws {
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
