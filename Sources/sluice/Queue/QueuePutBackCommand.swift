internal import ArgumentParser
internal import PipelineRuntime
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue put-back`.
struct QueuePutBackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "put-back", abstract: "Give a sink again what its destination rejected. The queue must be idle.",
    discussion: """
      The records stand as dead letters in QUEUE\(DeadLetters.suffix); 'sluice queue cat --decode QUEUE\(DeadLetters.suffix)' prints them. \
      The sink gets them before its next new batch, when the pipeline runs again. No other sink does. What is rejected once more is a dead \
      letter again.
      """)

  @OptionGroup var queue: QueueArgument

  @Option(help: ArgumentHelp("The sink that gets its dead letters again.", valueName: "NAME"))
  var sink: String

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if queue.name.hasSuffix(DeadLetters.suffix) {
      throw ValidationError("give the pipeline's queue, not the one of its dead letters: \(queue.queue.dropLast(DeadLetters.suffix.count))")
    }
  }

  func run() async throws {
    let held = try queue.hold(for: "sluice queue put-back")
    let sinks = held.status().consumers.filter { $0.kind == .sink }.map(\.name)
    let office = DeadLetterOffice(sinks: sinks) { create in try DeadLetters.open(for: held, create: create) }
    let count: Int
    do {
      count = try await office.putBack(sink: sink)
      await office.close()
      await held.close()
    } catch {
      await office.close()
      await held.close()
      throw error
    }
    try output.print(
      .object([("queue", .string(queue.name)), ("sink", .string(sink)), ("records", .integer(UInt64(count)))]),
      text: count == 0
        ? "\(sink) has no dead letters\n"
        : "\(HumanText.count(count, "dead letter")) put back: the next run gives \(count == 1 ? "it" : "them") to \(sink) before anything new\n"
    )
  }
}
