internal import ArgumentParser
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue trim`.
struct QueueTrimCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trim", abstract: "Delete the segments that lie wholly before an offset. The queue must be idle.",
    discussion: "Refuses to take records that a consumer has not read, unless --force is given; that consumer is told of the loss by a gap."
  )

  @OptionGroup var queue: QueueArgument

  @Option(help: ArgumentHelp("Segments before this go: newest, or an offset.", valueName: "OFFSET"))
  var before: OffsetArgument

  @Flag(help: "Also delete what consumers have not read.")
  var force = false

  @OptionGroup var output: OutputOptions

  func run() async throws {
    try queue.needsDirectory(for: "sluice queue trim")
    let held = try queue.hold(for: "sluice queue trim")
    let (old, new): (Offset, Offset)
    do {
      old = held.startOffset
      let limit = try before.resolved(in: old..<held.durableEnd, of: queue.queue)
      let robbed = held.status().consumers.filter { $0.cursor < limit }
      if !force, !robbed.isEmpty {
        let names = robbed.map { "\($0.name) (at \($0.cursor))" }.joined(separator: ", ")
        throw CommandFailure(
          .usage,
          "not trimmed: \(names) would lose unread records before \(limit); give an offset up to \(robbed.map(\.cursor).min()!), or --force to let them lose these"
        )
      }
      // The active segment is never deleted: what it holds must stand in a sealed one first.
      if limit > old { try await held.seal() }
      new = try held.trim(before: limit)
      await held.close()
    } catch {
      await held.close()
      throw error
    }
    try output.print(
      .object([("queue", .string(queue.name)), ("start_before", .integer(old.rawValue)), ("start", .integer(new.rawValue))]),
      text: new == old
        ? "nothing to delete: no whole segment lies before that offset (the queue begins at \(new))\n"
        : "deleted offsets \(old)..<\(new); the queue begins at \(new)\n")
  }
}
