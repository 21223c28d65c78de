internal import ArgumentParser

/// `sluice queue …`: looking at a queue, and caring for it.
struct QueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Look at queues and care for them.",
    discussion: """
      list, show, cat, verify and consumers only read: they work while 'sluice run' holds the queue. What changes it (seek, seal, trim, put-back, a consumer's making \
      and deletion) needs it idle, or asks the process that serves it. With --server QUEUE is a queue's name at that server; verify and trim need the directory.

      \(ExitCode.table)
      """,
    subcommands: [
      QueueListCommand.self, QueueShowCommand.self, QueueCatCommand.self, QueueVerifyCommand.self, QueueSeekCommand.self,
      QueueSealCommand.self, QueueTrimCommand.self, QueuePutBackCommand.self, QueueConsumersCommand.self,
    ])
}
