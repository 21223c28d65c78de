internal import ArgumentParser
internal import DurableFiles
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue
internal import SystemPackage

/// `sluice pull`.
struct PullCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull", abstract: "Draw lines from a queue: to standard output, a file or a command.",
    discussion: """
      Without --commit the queue is only read, also while 'sluice run' holds it. With --commit the consumer's cursor moves behind what was drawn, once that is \
      safe: the file is on the disk, the command has ended with 0, or standard output has taken the lines. Without it the next pull gives the same records.

        sluice pull data/app --count 10
        sluice pull data/app --consumer nightly --create --commit --output batch.log.gz

      From a server, or from the process that holds the directory, records are drawn batch by batch, and each batch is committed by itself. --exec runs the \
      command once for each, with SLUICE_FIRST_OFFSET, SLUICE_NEXT_OFFSET, SLUICE_RECORDS, SLUICE_QUEUE and SLUICE_CONSUMER in its environment. --output \
      writes FILE.offsets beside FILE, and a pull that was killed goes on where it was when it is run again: no record is lost, none is in two files. Broken \
      connections are waited out, by --follow for ever.

        sluice pull app --server http://logs:7171 --consumer nightly --create --commit --output batch.log.gz
        sluice pull app --server http://logs:7171 --consumer loader --create --commit --follow --exec 'python3 load.py'

      With --lease, several workers share a consumer that is made for that: each borrows records, gives them to the command, and acknowledges them when it ends \
      with 0, in any order. The lease is extended while the command runs. What isn't acknowledged, because a worker died or its command failed, is lent again, to \
      whichever worker; with --max-deliveries only so often, then the records are dead letters. Workers may run on many machines.

        sluice pull app --server http://logs:7171 --consumer load --create --lease 30s --workers 8 --max-deliveries 5 --follow --exec './load'

      A directory's queue that nobody serves must be idle for --commit; all of it is then drawn as one batch.

      \(ExitCode.table)
      """)

  @OptionGroup var queue: QueueArgument

  @Option(help: ArgumentHelp("The consumer whose cursor says where to begin.", valueName: "NAME"))
  var consumer: String?

  @Option(
    help: ArgumentHelp(
      "Where to begin without a consumer, or with one that --create makes: oldest, newest, an offset, or at a server a time (default: oldest).",
      valueName: "OFFSET"))
  var from: OffsetArgument?

  @Option(name: [.customLong("max-records"), .customLong("count")], help: ArgumentHelp("The most records to draw.", valueName: "N"))
  var maxRecords: Int?

  @Option(help: ArgumentHelp("The most bytes of lines to draw, such as 64MiB; one longer record comes alone.", valueName: "SIZE"))
  var maxBytes: SizeArgument?

  @Option(help: ArgumentHelp("At a server: the most records of a batch.", valueName: "N"))
  var batchRecords: Int?

  @Option(help: ArgumentHelp("At a server: the most bytes of a batch (default: 1MiB, with --output 8MiB).", valueName: "SIZE"))
  var batchBytes: SizeArgument?

  @Option(help: ArgumentHelp("When there is nothing, wait this long for the first record, such as 20s.", valueName: "DURATION"))
  var wait: DurationArgument?

  @Flag(help: "Go on with what comes later, until interrupted.")
  var follow = false

  @Flag(help: "Move the consumer's cursor behind what was drawn.")
  var commit = false

  @Flag(help: "With --commit: make the consumer when it isn't there. From then on the queue holds its unread records.")
  var create = false

  @Flag(help: "At a server: when what comes next is gone, tell what was lost and go on at the oldest record.")
  var skipLost = false

  @Option(
    help: ArgumentHelp("Write to a new file instead; whole or not at all. A name that ends with .gz gets gzip.", valueName: "FILE"),
    completion: .file())
  var output: String?

  @Flag(help: "Let --output replace a file.")
  var replace = false

  @Option(help: ArgumentHelp("Give the lines to a shell command's standard input instead.", valueName: "COMMAND"))
  var exec: String?

  @Option(
    help: ArgumentHelp("At a server, with --exec: borrow records for this long, such as 30s, and acknowledge them.", valueName: "DURATION"))
  var lease: DurationArgument?

  @Option(help: ArgumentHelp("With --lease: how many run the command at once (default: 1).", valueName: "N"))
  var workers: Int?

  @Option(
    help: ArgumentHelp(
      "With --lease and --create: records that were lent so often without being acknowledged become dead letters; 0 for never.",
      valueName: "N"))
  var maxDeliveries: Int?

  func validate() throws {
    try validateLease()
    if let maxRecords, maxRecords < 1 { throw ValidationError("--max-records is a number of records, 1 or more") }
    if output != nil, exec != nil { throw ValidationError("--output and --exec: give one of them") }
    if commit, consumer == nil { throw ValidationError("--commit needs --consumer: it is that consumer's cursor that moves") }
    if create, !commit, lease == nil { throw ValidationError("--create goes with --commit: without it the queue is only read") }
    if let batchRecords, batchRecords < 1 { throw ValidationError("--batch-records is a number of records, 1 or more") }
    if let batchBytes, batchBytes.bytes > QueueClient.maximumBatchBytes {
      throw ValidationError("--batch-bytes is at most 64MiB: a batch is held in memory")
    }
    if consumer != nil, from != nil, !create {
      throw ValidationError("--from and --consumer: the consumer's cursor says where to begin; 'sluice queue seek' moves it")
    }
  }

  private func validateLease() throws {
    guard let lease else {
      if workers != nil || maxDeliveries != nil { throw ValidationError("--workers and --max-deliveries are of use with --lease") }
      return
    }
    guard exec != nil, consumer != nil else {
      throw ValidationError("--lease needs --exec, the command that takes the records, and --consumer, whose workers share them")
    }
    if commit { throw ValidationError("--commit moves a cursor; with --lease records are acknowledged by themselves: leave it out") }
    if maxRecords != nil || maxBytes != nil || skipLost {
      throw ValidationError(
        "--max-records, --max-bytes and --skip-lost don't go with --lease; --batch-records and --batch-bytes bound each loan")
    }
    guard (Duration.seconds(1)...Duration.seconds(12 * 3600)).contains(lease.duration) else {
      throw ValidationError("--lease lasts 1s at least, and 12h at most")
    }
    if let workers, !(1...256).contains(workers) { throw ValidationError("--workers is a number from 1 to 256") }
    if maxDeliveries != nil, !create { throw ValidationError("--max-deliveries goes with --create; one that is there keeps its own") }
    if let maxDeliveries, !(0...1000).contains(maxDeliveries) { throw ValidationError("--max-deliveries is a number from 0 to 1000") }
  }

  func run() async throws {
    if let lease { return try await pullLeases(of: lease.duration) }
    let retry = follow ? RetryPolicy.unlimited : .brief
    if let named = try queue.atServer(retry: retry) { return try await pull(from: named) }
    guard commit else {
      var reader = try PullReader(self)
      return try await reader.run()
    }
    if let holder = try await queue.whoeverServes(retry: retry) { return try await pull(from: holder) }
    if follow || wait != nil {
      throw CommandFailure(
        .usage,
        "--commit holds the queue when no process serves it, so nobody can write what --follow or --wait would wait for; draw what is there, and call again later"
      )
    }
    try await pullAndCommit()
  }

  // MARK: From a server

  private func pullLeases(of duration: Duration) async throws {
    let retry = follow ? RetryPolicy.unlimited : .brief
    var source = try queue.atServer(retry: retry)
    if source == nil { source = try await queue.whoeverServes(retry: retry) }
    guard let source, let consumer, let exec else {
      throw CommandFailure(.usage, "--lease needs a process that serves the queue: 'sluice serve \(queue.queue)' does")
    }
    let stop = PullStop()
    let signals = follow ? StopSignals(stop: { _ in stop.stop() }) : nil
    defer { withExtendedLifetime(signals) {} }
    let plan = LeasedPull.Plan(
      queue: source.queue, consumer: consumer, create: create, from: from, maxDeliveries: maxDeliveries, duration: duration,
      workers: workers ?? 1, command: exec, batchRecords: batchRecords, batchBytes: batchBytes?.bytes ?? 1 << 20,
      wait: wait?.duration ?? .zero, follow: follow)
    try await LeasedPull(server: source.client, plan: plan, stop: stop) { DiagnosticOutput.shared.line("sluice: \(Escaping.escaped($0))") }
      .run()
  }

  private func pull(from source: RemoteQueueHandle) async throws {
    let stop = PullStop()
    // A pull that follows ends by a signal, and what it has drawn is committed before it does.
    let signals = follow ? StopSignals(stop: { _ in stop.stop() }) : nil
    defer { withExtendedLifetime(signals) {} }
    let pull = RemotePull(server: source.client, plan: plan(source), stop: stop) {
      DiagnosticOutput.shared.line("sluice: \(Escaping.escaped($0))")
    }
    do {
      var beginning: RemotePull<QueueClient>.Beginning
      do {
        beginning = try await pull.begin()
      } catch {
        guard (error as? QueueClientError)?.code == .cancelled, stop.isStopping else { throw error }
        return
      }
      guard let destination = try await destination(pull, &beginning) else { return }
      let progress = PullProgress("pulling \(source.queue)")
      defer { progress.finish() }
      try await pull.draw(from: beginning, into: destination, progress: progress)
    } catch let error as FileError {
      throw CommandFailure(.failure, "\(error); nothing more was committed, and the same pull goes on from there")
    }
  }

  private func plan(_ source: RemoteQueueHandle) -> RemotePull<QueueClient>.Plan {
    .init(
      queue: source.queue, consumer: consumer, commits: commit, create: create, from: from, maxRecords: maxRecords,
      maxBytes: maxBytes?.bytes, batchRecords: batchRecords, batchBytes: batchBytes?.bytes ?? (output == nil ? 1 << 20 : 8 << 20),
      wait: wait?.duration ?? .zero, follow: follow, skipLost: skipLost)
  }

  /// Where the batches go; nil when an earlier run had drawn the file whole.
  private func destination(_ pull: RemotePull<QueueClient>, _ beginning: inout RemotePull<QueueClient>.Beginning) async throws
    -> (any BatchDestination)?
  {
    if let exec { return CommandBatches(exec, queue: pull.plan.queue, consumer: commit ? consumer : nil) }
    guard let output else { return StandardOutputBatches() }
    if follow, !commit { return try FollowedFile(output, replace: replace) }
    let path = FilePath(output)
    guard let name = path.lastComponent?.string else { throw CommandFailure(.usage, "'\(output)' is no name of a file") }
    let parent = path.removingLastComponent()
    let directory = try LocalFileSystem().directory(parent.isEmpty ? "." : parent, create: false)
    return try await pull.file(name, in: directory, replace: replace, from: &beginning)
  }

  // MARK: From a directory

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
      let reader = try held.consumer(name, kind: .pull, startAt: (from ?? .oldest).startAt(), hold: held.hold(of: name))
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
