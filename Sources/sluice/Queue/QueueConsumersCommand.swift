internal import ArgumentParser
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue consumers …`.
struct QueueConsumersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "consumers", abstract: "List, make and delete consumers.",
    discussion: "Making and deleting need the queue idle, or a process that serves it.",
    subcommands: [ListConsumers.self, CreateConsumer.self, DeleteConsumer.self], defaultSubcommand: ListConsumers.self)

  /// `sluice queue consumers list`.
  struct ListConsumers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List a queue's consumers, also while it is in use.")

    @OptionGroup var queue: QueueArgument
    @OptionGroup var output: OutputOptions

    func run() async throws {
      if let source = try queue.atServer() {
        let facts = RemoteQueueFacts(try await source.facts(), segments: [], address: queue.connection.address ?? "")
        try output.print(facts.consumersJSON, text: facts.consumersText)
      } else {
        let facts = QueueFacts(queue: queue, files: try queue.files(), gaps: nil)
        try output.print(facts.consumersJSON, text: facts.consumersText)
      }
    }
  }

  /// `sluice queue consumers create`.
  struct CreateConsumer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Make a consumer for pulls. From then on the queue holds its unread records.")

    @OptionGroup var queue: QueueArgument

    @Argument(help: ArgumentHelp("Its name.", valueName: "CONSUMER"))
    var consumer: String

    @Option(help: ArgumentHelp("Where it begins: oldest, newest, an offset, or at a server a time.", valueName: "OFFSET"))
    var from: OffsetArgument = .oldest

    @Option(help: ArgumentHelp("At a server: what its unread records pin: all, a size, a share such as 50%, or a time.", valueName: "HOLD"))
    var hold: String?

    @Flag(help: "Make it for workers with leases instead of a cursor; see 'sluice pull --help'.")
    var lease = false

    @Option(
      help: ArgumentHelp("With --lease: records that were lent so often become dead letters; 0 for never (default: 0).", valueName: "N"))
    var maxDeliveries: Int?

    @OptionGroup var output: OutputOptions

    func validate() throws {
      guard let maxDeliveries else { return }
      guard lease, 0...1000 ~= maxDeliveries else {
        throw ValidationError("--max-deliveries is a number from 0 to 1000, and goes with --lease")
      }
    }

    func run() async throws {
      let (name, cursor, isNew): (String, String, Bool)
      if let source = try await queue.whoeverServes() {
        let epoch = try await source.facts().epoch
        let (client, place) = (source.client, from.place(epoch: epoch))
        let made =
          try await lease
          ? client.createLeaseConsumer(consumer, of: source.queue, startAt: place, hold: hold, maxDeliveries: maxDeliveries)
          : client.createConsumer(consumer, of: source.queue, startAt: place, hold: hold)
        (name, cursor, isNew) = (source.queue, String(made.consumer.cursor.offset), made.isNew)
      } else {
        guard hold == nil else { throw CommandFailure(.usage, "--hold is for a server; a pipeline file says what its own consumers hold") }
        let held = try queue.hold(for: "sluice queue consumers create")
        do {
          isNew = !held.consumerNames.contains(consumer)
          cursor = try held.consumer(
            consumer, kind: lease ? .lease : .pull, startAt: from.startAt(), hold: held.hold(of: consumer), maxDeliveries: maxDeliveries
          ).cursor.description
          await held.close()
        } catch {
          await held.close()
          throw error
        }
        name = queue.name
      }
      try output.print(
        .object([
          ("queue", .string(name)), ("consumer", .string(consumer)), ("cursor", .number(cursor)), ("created", .bool(isNew)),
        ]),
        text: isNew ? "\(consumer) begins at offset \(cursor)\n" : "\(consumer) was there already, at offset \(cursor)\n")
    }
  }

  /// `sluice queue consumers delete`.
  struct DeleteConsumer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete", abstract: "Remove a consumer and its place; what it held may go.")

    @OptionGroup var queue: QueueArgument

    @Argument(help: ArgumentHelp("The consumer.", valueName: "CONSUMER"))
    var consumer: String

    @OptionGroup var output: OutputOptions

    func run() async throws {
      let name: String
      if let source = try await queue.whoeverServes() {
        try await source.client.deleteConsumer(consumer, of: source.queue)
        name = source.queue
      } else {
        let held = try queue.hold(for: "sluice queue consumers delete")
        do {
          try held.deleteConsumer(consumer)
          await held.close()
        } catch {
          await held.close()
          throw error
        }
        name = queue.name
      }
      try output.print(
        .object([("queue", .string(name)), ("consumer", .string(consumer)), ("deleted", .bool(true))]), text: "\(consumer) is deleted\n")
    }
  }
}
