internal import QueueClient

/// What `sluice queue show` prints of a queue at a server: the same facts as of a directory, as far as a server tells them.
struct RemoteQueueFacts {
  private let queue: RemoteQueue
  private let segments: [RemoteSegment]
  private let address: String

  init(_ queue: RemoteQueue, segments: [RemoteSegment], address: String) {
    self.queue = queue
    self.segments = segments
    self.address = address
  }

  var text: String {
    let kept = queue.durableEnd.offset - min(queue.startOffset.offset, queue.durableEnd.offset)
    // A server without a bound says one that no disk has.
    let bound = queue.maxSize.flatMap { $0 < 1 << 60 ? $0 : nil }.map { " of at most \(HumanText.bytes($0))" } ?? ""
    let full =
      queue.isFull
      ? "full because of \(queue.fullBecauseOf ?? "its size"): producers wait"
      : queue.secondsUntilFull.map { "room for \(HumanText.duration(seconds: $0)) at this rate" } ?? "room"
    var text = """
      queue     \(Escaping.escaped(queue.name)), at \(Escaping.escaped(address))
      id        \(Escaping.escaped(queue.id)), epoch \(queue.epoch)
      offsets   \(queue.startOffset.offset)..<\(queue.durableEnd.offset) (\(HumanText.count(kept, "offset")))
      stored    \(HumanText.bytes(queue.storedBytes))\(bound) in \(HumanText.count(queue.segments, "segment")); \(Escaping.escaped(full))
      all time  \(HumanText.count(queue.records, "record")), \(HumanText.bytes(queue.bytes)) of lines; \(HumanText.count(queue.lostRecords, "record")) lost in gaps

      """
    text += "\n" + consumersText
    guard !segments.isEmpty else { return text }
    var table = TextTable(("SEGMENT", .left), ("OFFSETS", .right), ("SIZE", .right), ("STATE", .left), ("BEGUN", .left))
    for segment in segments {
      table.add(
        segment.name, HumanText.count(segment.nextOffset - min(segment.firstOffset, segment.nextOffset)),
        HumanText.bytes(segment.storedBytes),
        "sealed", segment.created ?? "?")
    }
    return text + "\n" + table.text()
  }

  /// The consumers as a table.
  var consumersText: String {
    guard !queue.consumers.isEmpty else { return "no consumers\n" }
    var table = TextTable(
      ("CONSUMER", .left), ("KIND", .left), ("CURSOR", .right), ("LAG", .right), ("LAG BYTES", .right), ("HOLDS", .right), ("LOST", .right),
      ("SILENT", .right), ("LOSES IN", .right))
    for consumer in queue.consumers {
      table.add(
        consumer.name, consumer.leases == nil ? consumer.kind : "lease", String(consumer.cursor.offset),
        HumanText.count(consumer.lagRecords),
        HumanText.bytes(consumer.lagBytes),
        consumer.hold, HumanText.count(consumer.lostRecords), consumer.silentSeconds.map { HumanText.duration(seconds: $0) } ?? "-",
        consumer.secondsUntilLoss.map { HumanText.duration(seconds: $0) } ?? "-")
    }
    let leases = queue.consumers.compactMap { consumer in
      consumer.leases.map {
        LeaseText.line(consumer.name, onLoan: $0.onLoan, waiting: $0.waiting, ahead: $0.acknowledgedAhead, maxDeliveries: $0.maxDeliveries)
      }
    }
    return table.text() + leases.joined() + queue.consumers.compactMap(\.failure).map { "! \(Escaping.escaped($0))\n" }.joined()
  }

  var json: JSONValue {
    .object([
      ("name", .string(queue.name)), ("path", .null), ("id", .string(queue.id)), ("created", .null), ("held", .bool(true)),
      ("holder", .string(address)), ("epoch", .integer(queue.epoch)), ("start_offset", .integer(queue.startOffset.offset)),
      ("durable_end", .integer(queue.durableEnd.offset)), ("stored_bytes", .integer(queue.storedBytes)),
      ("max_size", queue.maxSize.map { .integer($0) } ?? .null), ("is_full", .bool(queue.isFull)),
      ("full_because_of", .string(queue.fullBecauseOf)),
      ("seconds_until_full", queue.secondsUntilFull.map { .decimal($0) } ?? .null), ("total_records", .integer(queue.records)),
      ("total_bytes", .integer(queue.bytes)), ("total_lost", .integer(queue.lostRecords)), ("consumers", consumersJSON),
      (
        "segments",
        .array(
          segments.map {
            .object([
              ("name", .string($0.name)), ("base", .integer($0.firstOffset)), ("end", .integer($0.nextOffset)),
              ("bytes", .integer($0.storedBytes)), ("sealed", .bool(true)), ("begun", .string($0.created)),
            ])
          })
      ),
    ])
  }

  /// The consumers as facts.
  var consumersJSON: JSONValue {
    .array(
      queue.consumers.map { consumer in
        .object([
          ("name", .string(consumer.name)), ("kind", .string(consumer.kind)), ("cursor", .integer(consumer.cursor.offset)),
          ("in_flight_end", .null), ("lag_records", .integer(consumer.lagRecords)), ("lag_bytes", .integer(consumer.lagBytes)),
          ("pinned_bytes", consumer.pinnedBytes.map { .integer($0) } ?? .null), ("hold", .string(consumer.hold)),
          ("lost_records", .integer(consumer.lostRecords)), ("lost_bytes", .integer(consumer.lostBytes)), ("pending_loss", .null),
          ("seek_count", .null), ("silent_seconds", consumer.silentSeconds.map { .decimal($0) } ?? .null),
          ("seconds_until_loss", consumer.secondsUntilLoss.map { .decimal($0) } ?? .null), ("failure", .string(consumer.failure)),
          (
            "leases",
            consumer.leases.map {
              LeaseText.json(onLoan: $0.onLoan, waiting: $0.waiting, ahead: $0.acknowledgedAhead, maxDeliveries: $0.maxDeliveries)
            } ?? .null
          ),
        ])
      })
  }
}
