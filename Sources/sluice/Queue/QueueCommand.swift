internal import ArgumentParser

/// `sluice queue …`: looking at a queue, and caring for it.
struct QueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Look at queues and care for them.",
    discussion: """
      list, show, cat and verify only read: they work while 'sluice run' holds the queue. seek, seal, trim and put-back need it idle.

      \(ExitCode.table)
      """,
    subcommands: [
      QueueListCommand.self, QueueShowCommand.self, QueueCatCommand.self, QueueVerifyCommand.self, QueueSeekCommand.self,
      QueueSealCommand.self,
      QueueTrimCommand.self, QueuePutBackCommand.self,
    ])
}
