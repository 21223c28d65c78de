internal import ArgumentParser
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue seek`.
struct QueueSeekCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seek", abstract: "Set a consumer's cursor: back to have records again, forward to pass them over.",
    discussion: "The queue must be idle, or served by a process. A sink's cursor can be set only while nothing serves its queue.")

  @OptionGroup var queue: QueueArgument

  @Argument(help: ArgumentHelp("The consumer: a sink's name, or one made for 'sluice pull'.", valueName: "CONSUMER"))
  var consumer: String

  @Argument(help: ArgumentHelp("Where it goes on: oldest, newest, an offset, or at a server a time.", valueName: "OFFSET"))
  var offset: OffsetArgument

  @OptionGroup var output: OutputOptions

  func run() async throws {
    if let source = try await queue.whoeverServes() {
      let old = try await source.client.consumer(consumer, of: source.queue).cursor.offset
      let epoch = try await source.facts().epoch
      let new = try await source.client.seek(to: offset.place(epoch: epoch), consumer: consumer, of: source.queue).cursor.offset
      return try tell(queue: source.queue, from: old, to: new)
    }
    let known = try queue.knownConsumer(consumer)
    guard let kind = known.kind else { throw CommandFailure(.damaged, known.failure ?? "the consumer's file is unreadable") }
    let held = try queue.hold(for: "sluice queue seek")
    let (old, new): (Offset, Offset)
    do {
      _ = try offset.resolved(in: held.startOffset..<held.durableEnd, of: queue.queue)
      let opened = try held.consumer(consumer, kind: kind, hold: held.hold(of: consumer))
      old = opened.cursor
      try opened.seek(to: offset.startAt())
      new = opened.cursor
      await held.close()
    } catch {
      await held.close()
      throw error
    }
    try tell(queue: queue.name, from: old.rawValue, to: new.rawValue)
  }

  private func tell(queue: String, from old: UInt64, to new: UInt64) throws(CommandFailure) {
    try output.print(
      .object([("queue", .string(queue)), ("consumer", .string(consumer)), ("from", .integer(old)), ("to", .integer(new))]),
      text: "\(consumer) goes on at offset \(new) (was \(old))\n")
  }
}

extension QueueArgument {
  /// The consumer of that name; an error that names the others when there is none.
  func knownConsumer(_ name: String) throws(CommandFailure) -> QueueFiles.ConsumerInfo {
    let all = try files().consumers
    if let known = all.first(where: { $0.name == name }) { return known }
    let names = all.map(\.name).sorted().joined(separator: ", ")
    throw CommandFailure(
      .usage, "\(queue) has no consumer '\(name)'" + (names.isEmpty ? "; it has none at all" : "; it has: \(names)"))
  }
}

extension SegmentQueue {
  /// What a consumer's unread records pin, as its pipeline file had it last: opening it for a command must not change that.
  func hold(of consumer: String) -> Hold { status().consumers.first { $0.name == consumer }?.hold ?? .all }
}
