internal import ArgumentParser
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue show`.
struct QueueShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a queue's sizes, times, consumers and segments, also while it is in use.",
    discussion: "--gaps also reads the whole queue and lists what was lost, when and why.")

  @OptionGroup var queue: QueueArgument
  @OptionGroup var output: OutputOptions

  @Flag(help: "Read the whole queue and list its gaps.")
  var gaps = false

  func run() async throws {
    if gaps { try queue.needsDirectory(for: "--gaps") }
    if let source = try queue.atServer() {
      let facts = RemoteQueueFacts(
        try await source.facts(), segments: try await source.client.segments(of: source.queue), address: queue.connection.address ?? "")
      return try output.print(facts.json, text: facts.text)
    }
    let files = try queue.files()
    let facts = QueueFacts(queue: queue, files: files, gaps: gaps ? try readGaps(files) : nil)
    try output.print(facts.json, text: facts.text)
  }

  private func readGaps(_ files: QueueFiles) throws -> [(gap: Gap, range: Range<Offset>)] {
    let bar = ProgressBar("reading \(queue.name)")
    defer { bar.finish() }
    var found: [(gap: Gap, range: Range<Offset>)] = []
    let total = files.segments.reduce(0) { $0 + $1.byteCount }
    var done: Int64 = 0
    try files.read(from: files.startOffset) { batch in
      switch batch.content {
      case .gap(let gap): found.append((gap: gap, range: batch.first..<batch.next))
      case .records(let slices): done += slices.reduce(0) { $0 + Int64($1.block.member.count) }
      }
      bar.update(done, of: total)
      return true
    }
    return found
  }
}

/// What `sluice queue show` prints.
struct QueueFacts {
  let queue: QueueArgument
  let files: QueueFiles
  let gaps: [(gap: Gap, range: Range<Offset>)]?

  private var storedBytes: Int64 { files.segments.reduce(0) { $0 + $1.byteCount } }
  private var keptOffsets: Int { files.durableEnd - files.startOffset }

  var text: String {
    let state = files.isHeld ? "held by \(files.holder ?? "another process")" : "idle"
    let sealed = files.segments.count { $0.isSealed }
    let totals = files.totals
    var text = """
      queue     \(Escaping.escaped(queue.name)), \(state)
      path      \(Escaping.escaped(Process.absolute(queue.queue)))
      id        \(files.id)\(files.created > 0 ? ", created \(HumanText.time(files.created * 1_000_000_000))" : "")
      offsets   \(files.startOffset)..<\(files.durableEnd) (\(HumanText.count(keptOffsets, "offset")))
      stored    \(HumanText.bytes(storedBytes)) in \(HumanText.count(files.segments.count, "segment")), \(sealed) of them sealed
      all time  \(HumanText.count(totals.records, "record")), \(HumanText.bytes(totals.bytes)) of lines; \(HumanText.count(totals.lost, "record")) lost in gaps

      """
    text += "\n" + consumersText
    var table = TextTable(("SEGMENT", .left), ("OFFSETS", .right), ("SIZE", .right), ("STATE", .left), ("BEGUN", .left))
    for segment in files.segments {
      table.add(
        segment.name, HumanText.count(segment.end - segment.base), HumanText.bytes(segment.byteCount),
        segment.isSealed ? "sealed" : "active",
        segment.created.map { HumanText.time($0) } ?? "?")
    }
    text += "\n" + table.text()
    if let gaps {
      text += gaps.isEmpty ? "\nno gaps\n" : "\n" + gaps.map { $0.gap.sentence($0.range) + "\n" }.joined()
    }
    return text
  }

  /// The consumers as a table.
  var consumersText: String {
    guard !files.consumers.isEmpty else { return "no consumers\n" }
    var table = TextTable(
      ("CONSUMER", .left), ("KIND", .left), ("CURSOR", .right), ("LAG", .right), ("LAG BYTES", .right), ("IN FLIGHT TO", .right),
      ("HOLDS", .right),
      ("LOST", .right))
    for consumer in files.consumers {
      guard let kind = consumer.kind else {
        table.add(consumer.name, "?", "?", "?", "?", "", "all", "")
        continue
      }
      table.add(
        consumer.name, kind.name, consumer.cursor.description, HumanText.count(consumer.lagRecords), HumanText.bytes(consumer.lagBytes),
        consumer.inFlightEnd?.description ?? "-", consumer.hold.text, HumanText.count(consumer.lostRecords))
    }
    var text = table.text()
    for consumer in files.consumers {
      guard let loss = consumer.pendingLoss else { continue }
      text += "\(consumer.name) is told next: \(loss.gap.sentence(consumer.cursor..<loss.next))\n"
    }
    for consumer in files.consumers {
      guard let leases = consumer.leases else { continue }
      text += LeaseText.line(
        consumer.name, onLoan: leases.onLoan, waiting: leases.waiting, ahead: leases.acknowledgedAhead, maxDeliveries: leases.maxDeliveries)
    }
    for failure in files.consumers.compactMap(\.failure) { text += "! \(Escaping.escaped(failure))\n" }
    return text
  }

  var json: JSONValue {
    var pairs: [(String, JSONValue)] = [
      ("name", .string(queue.name)), ("path", .string(Process.absolute(queue.queue))), ("id", .string(files.id.description)),
      ("created", files.created > 0 ? .string(HumanText.time(files.created * 1_000_000_000)) : .null), ("held", .bool(files.isHeld)),
      ("holder", .string(files.holder)), ("start_offset", .integer(files.startOffset.rawValue)),
      ("durable_end", .integer(files.durableEnd.rawValue)),
      ("stored_bytes", .integer(storedBytes)), ("total_records", .integer(files.totals.records)),
      ("total_bytes", .integer(files.totals.bytes)),
      ("total_lost", .integer(files.totals.lost)),
      ("consumers", consumersJSON),
      (
        "segments",
        .array(
          files.segments.map { segment in
            .object([
              ("name", .string(segment.name)), ("base", .integer(segment.base.rawValue)), ("end", .integer(segment.end.rawValue)),
              ("bytes", .integer(segment.byteCount)), ("sealed", .bool(segment.isSealed)),
              ("begun", .string(segment.created.map { HumanText.time($0) })),
            ])
          })
      ),
    ]
    if let gaps { pairs.append(("gaps", .array(gaps.map { $0.gap.facts($0.range) }))) }
    return .object(pairs)
  }
}

extension QueueFacts {
  /// The consumers as facts.
  var consumersJSON: JSONValue {
    .array(
      files.consumers.map { consumer in
        .object([
          ("name", .string(consumer.name)), ("kind", .string(consumer.kind?.name)), ("cursor", .integer(consumer.cursor.rawValue)),
          ("in_flight_end", consumer.inFlightEnd.map { .integer($0.rawValue) } ?? .null),
          ("lag_records", .integer(consumer.lagRecords)),
          ("lag_bytes", .integer(consumer.lagBytes)), ("hold", .string(consumer.hold.text)),
          ("lost_records", .integer(consumer.lostRecords)), ("lost_bytes", .integer(consumer.lostBytes)),
          ("pending_loss", consumer.pendingLoss.map { $0.gap.facts(consumer.cursor..<$0.next) } ?? .null),
          ("seek_count", .integer(consumer.seekCount)), ("failure", .string(consumer.failure)),
          (
            "leases",
            consumer.leases.map {
              LeaseText.json(
                onLoan: $0.onLoan, waiting: $0.waiting, ahead: $0.acknowledgedAhead, maxDeliveries: $0.maxDeliveries)
            } ?? .null
          ),
        ])
      })
  }
}

/// A consumer's leases, as they are printed.
enum LeaseText {
  static func line(_ name: String, onLoan: Int, waiting: Int, ahead: Int, maxDeliveries: Int) -> String {
    let most = maxDeliveries == 0 ? "" : "; at most \(HumanText.count(maxDeliveries, "time")) each"
    return
      "\(Escaping.escaped(name)) has \(HumanText.count(onLoan, "range")) on loan, \(waiting) to be lent again, \(ahead) acknowledged behind them\(most)\n"
  }

  static func json(onLoan: Int, waiting: Int, ahead: Int, maxDeliveries: Int) -> JSONValue {
    .object([
      ("on_loan", .integer(onLoan)), ("waiting", .integer(waiting)), ("acknowledged_ahead", .integer(ahead)),
      ("max_deliveries", .integer(maxDeliveries)),
    ])
  }
}

extension ConsumerKind {
  /// The word that is printed.
  var name: String {
    switch self {
    case .sink: "sink"
    case .pull: "pull"
    case .lease: "lease"
    }
  }
}

extension Hold {
  /// As in a pipeline file.
  var text: String {
    switch self {
    case .all: "all"
    case .bytes(let bytes): HumanText.bytes(bytes)
    case .share(let percent): "\(percent)%"
    case .age(let duration): HumanText.duration(duration)
    }
  }
}
