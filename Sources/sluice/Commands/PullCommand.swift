internal import ArgumentParser
internal import RecordBlocks
internal import SegmentQueue

/// `sluice pull`.
struct PullCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull", abstract: "Draw lines from a queue: to standard output, a file or a command.",
    discussion: """
      Without --commit the queue is only read, also while 'sluice run' holds it. With --commit the consumer's cursor moves behind what was drawn, once that is \
      safe: the file is on the disk, the command has ended with 0, or standard output has taken the lines. Without it the next pull gives the same records. \
      --commit needs the queue idle.

        sluice pull data/app --count 10
        sluice pull data/app --consumer nightly --create --commit --output batch.log.gz
        sluice pull data/app --consumer nightly --commit --exec 'python3 load.py'

      \(ExitCode.table)
      """)

  @OptionGroup var queue: QueueArgument

  @Option(help: ArgumentHelp("The consumer whose cursor says where to begin.", valueName: "NAME"))
  var consumer: String?

  @Option(
    help: ArgumentHelp(
      "Where to begin without a consumer, or with one that --create makes: oldest, newest, or an offset (default: oldest).",
      valueName: "OFFSET"))
  var from: OffsetArgument?

  @Option(name: [.customLong("max-records"), .customLong("count")], help: ArgumentHelp("The most records to draw.", valueName: "N"))
  var maxRecords: Int?

  @Option(help: ArgumentHelp("The most bytes of lines to draw, such as 64MiB; one longer record comes alone.", valueName: "SIZE"))
  var maxBytes: SizeArgument?

  @Option(help: ArgumentHelp("When there is nothing, wait this long for the first record, such as 20s.", valueName: "DURATION"))
  var wait: DurationArgument?

  @Flag(help: "Go on with what comes later, until interrupted.")
  var follow = false

  @Flag(help: "Move the consumer's cursor behind what was drawn.")
  var commit = false

  @Flag(help: "With --commit: make the consumer when it isn't there. From then on the queue holds its unread records.")
  var create = false

  @Option(
    help: ArgumentHelp("Write to a new file instead; whole or not at all. A name that ends with .gz gets gzip.", valueName: "FILE"),
    completion: .file())
  var output: String?

  @Flag(help: "Let --output replace a file.")
  var replace = false

  @Option(help: ArgumentHelp("Give the lines to a shell command's standard input instead.", valueName: "COMMAND"))
  var exec: String?

  func validate() throws {
    if let maxRecords, maxRecords < 1 { throw ValidationError("--max-records is a number of records, 1 or more") }
    if output != nil, exec != nil { throw ValidationError("--output and --exec: give one of them") }
    if commit, consumer == nil { throw ValidationError("--commit needs --consumer: it is that consumer's cursor that moves") }
    if create, !commit { throw ValidationError("--create goes with --commit: without it the queue is only read") }
    if commit, follow || wait != nil {
      throw ValidationError(
        "--commit holds the queue, so nobody can write what --follow or --wait would wait for; draw what is there, and call again later")
    }
    if consumer != nil, from != nil, !create {
      throw ValidationError("--from and --consumer: the consumer's cursor says where to begin; 'sluice queue seek' moves it")
    }
  }

  func run() async throws {
    if commit {
      try await pullAndCommit()
    } else {
      var reader = try PullReader(self)
      try await reader.run()
    }
  }

  /// The lines' destination.
  func destination() throws(CommandFailure) -> any PullDestination {
    if let output { return try FileDestination(output, inPlace: follow, replace: replace) }
    if let exec { return try CommandDestination(exec) }
    return StandardOutputDestination()
  }

  static func tell(_ gap: Gap, _ range: Range<Offset>) { DiagnosticOutput.shared.line("sluice: \(gap.sentence(range))") }

  private func pullAndCommit() async throws {
    let name = consumer ?? ""
    let known = try queue.files().consumers.first { $0.name == name }
    if known == nil, !create {
      throw CommandFailure(.usage, "\(queue.queue) has no consumer '\(name)'; --create makes it ('sluice queue show' lists those it has)")
    }
    if let failure = known?.failure { throw CommandFailure(.damaged, failure) }
    if let known, known.kind != .pull {
      throw CommandFailure(.usage, "'\(name)' is a sink of a pipeline: its cursor is its own to move; choose another name")
    }
    let held = try queue.hold(for: "sluice pull --commit")
    do {
      let reader = try held.consumer(name, kind: .pull, startAt: (from ?? .oldest).startAt, hold: held.hold(of: name))
      let destination = try destination()
      var allowance = Allowance(records: maxRecords, bytes: maxBytes?.bytes)
      var place = reader.cursor
      while !allowance.isUsedUp, let batch = try reader.read(from: place, limits: BatchLimits(maxBytes: 4 << 20)) {
        switch batch.content {
        case .gap(let gap):
          Self.tell(gap, batch.first..<batch.next)
          place = batch.next
        case .records(let slices):
          let (taken, isAll) = try allowance.take(slices)
          try destination.write(taken)
          place = isAll ? batch.next : taken.last.map(\.range.upperBound) ?? place
        }
      }
      try destination.finish()
      if place > reader.cursor { try reader.commit(place) }
      await held.close()
    } catch {
      await held.close()
      throw error
    }
  }
}
