internal import ArgumentParser

/// `sluice demo`.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Show what the queue is for, in four scenarios of less than a minute each.",
    discussion: """
      Each makes a queue in a temporary directory, serves it on a port of the loopback, and lets producers and consumers at it; nothing is simulated, each record is \
      looked at, and nothing is left behind. On a terminal the figures are live; --output json gives all of them, with how they changed.

      \(ExitCode.table)
      """,
    subcommands: [SlowConsumerCommand.self, RealtimeCommand.self, LongPollCommand.self, OfflineCommand.self])

  struct SlowConsumerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: SlowConsumerDemo.name, abstract: "A fast producer and a slow consumer: who waits, and what a full queue does.")

    @OptionGroup var options: DemoOptions

    func run() async throws { try await DemoRun.show(SlowConsumerDemo(seed: options.seed), options) }
  }

  struct RealtimeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: RealtimeDemo.name, abstract: "How soon a record is with a consumer that pulls, idle and under load.")

    @OptionGroup var options: DemoOptions

    func run() async throws { try await DemoRun.show(RealtimeDemo(seed: options.seed), options) }
  }

  struct LongPollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: LongPollDemo.name, abstract: "Ways to ask for what has come: requests, empty answers and latency of each.")

    @OptionGroup var options: DemoOptions

    @Option(help: ArgumentHelp("How many times faster than told time goes, 1 to 10.", valueName: "FACTOR"))
    var scale: Double = 4

    func validate() throws {
      guard (1...10).contains(scale) else { throw ValidationError("--scale is 1 to 10") }
    }

    func run() async throws { try await DemoRun.show(LongPollDemo(seed: options.seed, scale: scale), options) }
  }

  struct OfflineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: OfflineDemo.name, abstract: "Consumers that are away, one or all: what is kept for them, and for how long.")

    @OptionGroup var options: DemoOptions

    func run() async throws { try await DemoRun.show(OfflineDemo(seed: options.seed), options) }
  }
}

/// What every scenario takes.
struct DemoOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Decides everything random: the records, and when they come.", valueName: "NUMBER"))
  var seed: UInt64 = 1

  @OptionGroup var output: OutputOptions
}
