internal import PipelineRuntime
internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// A fast producer and a slow consumer, under each policy that a full queue can have.
struct SlowConsumerDemo: DemoScenario {
  static let name = "slow-consumer"

  /// How a consumer works for a while.
  struct Pace: Sendable {
    /// What it does with each batch, beside getting it.
    var work: Duration
    /// How long it goes on so.
    var span: Duration
  }

  static let maxSize: UInt64 = 64 << 20
  static let segmentSize: UInt64 = 2 << 20
  static let batchBytes = 1 << 20
  static let paces = [Pace(work: .milliseconds(40), span: .seconds(4)), Pace(work: .milliseconds(160), span: .seconds(4))]
  /// How long producers produce, by the queue's policy; longer on a machine that takes longer to fill the queue.
  static let producing: [(overflow: QueueOptions.Overflow, span: Duration)] = [(.wait, .seconds(8)), (.dropOldest, .seconds(3))]
  static let longestProducing = Duration.seconds(25)

  let seed: UInt64

  var explanation: [String] {
    [
      "A producer writes as fast as it can; a consumer takes 1 MiB at a time, and works \(HumanText.duration(Self.paces[0].work)) on each, later \(HumanText.duration(Self.paces[1].work)).",
      "The consumer is never pushed: when it has less time, it asks less often. The producer goes on at full speed until the queue is at its bound, \(HumanText.bytes(Self.maxSize)).",
      "Then the operator's policy holds: 'wait' suspends the producer and loses nothing; 'drop_oldest' lets it go on, and tells the consumer exactly what it lost.",
    ]
  }

  func play(on screen: DemoScreen, in directory: DemoDirectory) async throws -> DemoReport {
    let lines = DemoLines(seed: seed)
    var parts: [Outcome] = []
    for (overflow, span) in Self.producing {
      let part = SlowConsumerPart(overflow: overflow, producing: span, lines: lines)
      parts.append(try await part.play(on: screen, in: directory))
    }
    return report(parts)
  }

  /// What came of one policy.
  struct Outcome: Sendable {
    var overflow: QueueOptions.Overflow
    var producer: DemoProducer.Facts
    var consumer: DemoConsumer.Facts
    /// When the queue was first at its bound, in seconds, and what had been produced by then.
    var atBound: (seconds: Double, bytes: UInt64)?
    /// How long the producer produced.
    var producedSeconds: Double
    /// For each pace how long the consumer kept it, and the requests that it made.
    var paces: [(seconds: Double, requests: Int)]
    var mostStoredBytes: UInt64
    var series: TimeSeries

    var speedUntilBound: Double { atBound.map { $0.seconds > 0 ? Double($0.bytes) / $0.seconds : 0 } ?? speed }
    var speed: Double { producedSeconds > 0 ? Double(producer.bytes) / producedSeconds : 0 }
  }

  private func report(_ parts: [Outcome]) -> DemoReport {
    var table = TextTable(
      ("overflow", .left), ("produced", .right), ("until full", .right), ("in all", .right), ("producer waited", .right),
      ("received", .right),
      ("told as lost", .right), ("in hand at most", .right), ("stored at most", .right))
    var pulls = ""
    for part in parts {
      table.add(
        part.overflow.rawValue, HumanText.count(part.producer.records), HumanText.byteRate(part.speedUntilBound),
        HumanText.byteRate(part.speed), HumanText.duration(part.producer.waited), HumanText.count(part.consumer.received),
        HumanText.count(part.consumer.lost), HumanText.bytes(part.consumer.largestBatchBytes), HumanText.bytes(part.mostStoredBytes))
      let rates = zip(Self.paces, part.paces).filter { $0.1.requests > 0 }.map { pace, made in
        "\(HumanText.rate(Double(made.requests) / made.seconds)) with \(HumanText.duration(pace.work)) of work each"
      }
      pulls += "\(part.overflow.rawValue): the consumer asked \(rates.joined(separator: ", then ")).\n"
    }
    var report = DemoReport(
      settings: [
        ("max_size", .integer(Self.maxSize)), ("segment_size", .integer(Self.segmentSize)), ("batch_bytes", .integer(Self.batchBytes)),
        ("work_milliseconds", .array(Self.paces.map { .decimal($0.work.seconds * 1e3) })),
        ("pace_seconds", .array(Self.paces.map { .decimal($0.span.seconds) })),
      ],
      figures: [("parts", .array(parts.map(Self.json)))], text: "\(table.text())\n\(pulls)")
    for part in parts {
      let (producer, consumer) = (part.producer, part.consumer)
      report.check(
        consumer.received + consumer.lost == producer.records,
        "\(part.overflow.rawValue): \(HumanText.count(consumer.received)) received in order + \(HumanText.count(consumer.lost)) told as lost = \(HumanText.count(producer.records)) produced"
      )
      report.check(part.atBound != nil, "\(part.overflow.rawValue): the queue came to its bound")
      report.check(
        part.mostStoredBytes <= Self.maxSize, "\(part.overflow.rawValue): never more than \(HumanText.bytes(Self.maxSize)) stored")
      report.check(
        consumer.largestBatchBytes <= Self.batchBytes,
        "\(part.overflow.rawValue): the consumer never had more in hand than the \(HumanText.bytes(Self.batchBytes)) that it asked for")
      switch part.overflow {
      case .wait: report.check(consumer.lost == 0 && producer.waits > 0, "wait: the producer was suspended, and nothing was lost")
      case .dropOldest: report.check(consumer.lost > 0, "drop_oldest: the oldest went, and the consumer was told")
      }
    }
    return report
  }

  private static func json(_ part: Outcome) -> JSONValue {
    .object([
      ("overflow", .string(part.overflow.rawValue)), ("produced_records", .integer(part.producer.records)),
      ("produced_bytes", .integer(part.producer.bytes)), ("received_records", .integer(part.consumer.received)),
      ("received_bytes", .integer(part.consumer.receivedBytes)), ("lost_records", .integer(part.consumer.lost)),
      ("losses_told", .integer(part.consumer.losses)), ("seconds_to_bound", part.atBound.map { .decimal($0.seconds) } ?? .null),
      ("bytes_per_second_to_bound", .decimal(part.speedUntilBound)), ("bytes_per_second", .decimal(part.speed)),
      ("producing_seconds", .decimal(part.producedSeconds)), ("producer_waits", .integer(part.producer.waits)),
      ("producer_waited_seconds", .decimal(part.producer.waited.seconds)),
      ("producer_longest_wait_seconds", .decimal(part.producer.longestWrite.seconds)),
      ("stored_bytes_at_most", .integer(part.mostStoredBytes)), ("in_hand_bytes_at_most", .integer(part.consumer.largestBatchBytes)),
      ("requests", .integer(part.consumer.requests)), ("empty_answers", .integer(part.consumer.emptyAnswers)),
      (
        "paces",
        .array(
          zip(Self.paces, part.paces).filter { $0.1.requests > 0 }.map { pace, made in
            .object([
              ("work_milliseconds", .decimal(pace.work.seconds * 1e3)), ("seconds", .decimal(made.seconds)),
              ("requests", .integer(made.requests)),
            ])
          })
      ),
      ("series", part.series.json),
    ])
  }
}

/// The scenario under one policy.
private final class SlowConsumerPart: Sendable {
  private struct Course {
    var atBound: (seconds: Double, bytes: UInt64)?
    var producedSeconds = 0.0
    var paces = SlowConsumerDemo.paces.map { _ in (seconds: 0.0, requests: 0) }
    var mostStoredBytes: UInt64 = 0
  }

  private let overflow: QueueOptions.Overflow
  private let producing: Duration
  private let lines: DemoLines
  private let series = TimeSeries(["produced_bytes", "received_bytes", "lost_records", "stored_bytes", "requests"])
  private let course = Mutex(Course())

  init(overflow: QueueOptions.Overflow, producing: Duration, lines: DemoLines) {
    self.overflow = overflow
    self.producing = producing
    self.lines = lines
  }

  func play(on screen: DemoScreen, in directory: DemoDirectory) async throws -> SlowConsumerDemo.Outcome {
    var options = QueueOptions()
    options.maxSize = SlowConsumerDemo.maxSize
    options.segmentSize = SlowConsumerDemo.segmentSize
    options.overflow = overflow
    return try await DemoStage.with(options, named: overflow.rawValue, in: directory) { stage in
      let producer = try DemoProducer(stage, lines)
      let consumer = try await DemoConsumer("slow", stage, lines)
      try await Sampling.run(every: .milliseconds(100)) {
        self.look(at: stage, producer, consumer)
        screen.show(self.text(stage, producer, consumer))
      } while: {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            try await ThreadExecutor.run(named: "demo producer") { try await self.produce(producer, stage, for: consumer) }
          }
          group.addTask { try await self.consume(consumer, of: producer) }
          try await group.waitForAll()
        }
      }
      return course.withLock { course in
        SlowConsumerDemo.Outcome(
          overflow: overflow, producer: producer.facts, consumer: consumer.facts, atBound: course.atBound,
          producedSeconds: course.producedSeconds, paces: course.paces, mostStoredBytes: course.mostStoredBytes, series: series)
      }
    }
  }

  /// At full speed, in batches of about a block.
  private func produce(_ producer: DemoProducer, _ stage: DemoStage, for consumer: DemoConsumer) async throws {
    let count = (256 << 10) / lines.meanLineBytes
    while !isOver(at: series.elapsed) {
      try await producer.write(count)
      // From here on what is unread is deleted.
      if overflow == .dropOldest, stage.queue.startOffset.rawValue > consumer.facts.next {
        noteBound(at: series.elapsed, producer.facts.bytes)
      }
    }
    course.withLock { $0.producedSeconds = series.elapsed }
    try await producer.end()
  }

  /// Whether the producer's time is over, and with it the time in which the consumer has other things to do.
  private func isOver(at seconds: Double) -> Bool {
    seconds >= producing.seconds
      && (course.withLock { $0.atBound != nil } || seconds >= SlowConsumerDemo.longestProducing.seconds)
  }

  /// At its paces while the producer is at it, then without a pause until it has all.
  private func consume(_ consumer: DemoConsumer, of producer: DemoProducer) async throws {
    while true {
      let began = series.elapsed
      let pace = pace(at: began)
      let pulled = try await consumer.pull(wait: .seconds(1), maxBytes: SlowConsumerDemo.batchBytes)
      if let pace {
        if case .records = pulled { try await Task.sleep(for: SlowConsumerDemo.paces[pace].work) }
        course.withLock { course in
          course.paces[pace].seconds += series.elapsed - began
          course.paces[pace].requests += 1
        }
      }
      let facts = producer.facts
      if facts.hasEnded, consumer.facts.next == facts.records { break }
    }
    try await consumer.commit()
  }

  /// Which pace is kept then; nil behind the producer's time.
  private func pace(at seconds: Double) -> Int? {
    guard !isOver(at: seconds) else { return nil }
    let paces = SlowConsumerDemo.paces
    var end = 0.0
    let pace = paces.firstIndex { pace in
      end += pace.span.seconds
      return seconds < end
    }
    return pace ?? paces.count - 1
  }

  private func noteBound(at seconds: Double, _ bytes: UInt64) { course.withLock { $0.atBound = $0.atBound ?? (seconds, bytes) } }

  private func look(at stage: DemoStage, _ producer: DemoProducer, _ consumer: DemoConsumer) {
    let (made, got, status) = (producer.facts, consumer.facts, stage.queue.status())
    series.add([Double(made.bytes), Double(got.receivedBytes), Double(got.lost), Double(status.storedBytes), Double(got.requests)])
    course.withLock { $0.mostStoredBytes = max($0.mostStoredBytes, status.storedBytes) }
    // Since the producer has been suspended.
    if status.isFull { noteBound(at: series.elapsed - (producer.waitingFor ?? .zero).seconds, made.bytes) }
  }

  private func text(_ stage: DemoStage, _ producer: DemoProducer, _ consumer: DemoConsumer) -> [String] {
    let (made, got, status) = (producer.facts, consumer.facts, stage.queue.status())
    let share = Double(status.storedBytes) / Double(status.maxSize)
    let rate = HumanText.byteRate(series.rate(of: "produced_bytes"))
    let state = made.hasEnded ? "done" : producer.waitingFor.map { "SUSPENDED for \(HumanText.duration($0))" } ?? rate
    let lag = made.records - min(made.records, got.next)
    return [
      "overflow: \(overflow.rawValue)",
      "  producer  \(HumanText.count(made.records)) records  \(state)",
      "  queue     [\(DemoScreen.bar(share))] \(HumanText.bytes(status.storedBytes)) of \(HumanText.bytes(status.maxSize))\(status.isFull ? "  FULL because of \(status.fullBecauseOf ?? "the disk")" : "")",
      "  consumer  \(HumanText.count(got.received)) records  asks \(HumanText.rate(series.rate(of: "requests"))), \(HumanText.byteRate(series.rate(of: "received_bytes")))  lag \(HumanText.count(lag))\(got.lost > 0 ? "  told as lost: \(HumanText.count(got.lost)) in \(HumanText.count(got.losses, "gap"))" : "")",
    ]
  }
}
