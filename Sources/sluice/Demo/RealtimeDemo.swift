internal import Glibc
internal import PipelineRuntime
internal import SegmentQueue

/// How soon a record is with a consumer that pulls and finds nothing: one at a time, and in a stream.
struct RealtimeDemo: DemoScenario {
  static let name = "realtime"

  /// How records come.
  enum Load: String, Sendable, CaseIterable {
    /// One at a time, each after a quiet spell.
    case idle
    /// 20 MB of lines a second.
    case loaded
  }

  static let trickleCount = 150
  static let trickleGaps = Duration.milliseconds(60)...Duration.milliseconds(160)
  static let loadBytesPerSecond = 20e6
  static let loadInterval = Duration.milliseconds(2)
  static let loadSpan = Duration.seconds(10)
  /// Longer than any gap; behind the last record one pull waits in vain for as long.
  static let wait = Duration.seconds(1)
  private static let syncCount = 100

  let seed: UInt64

  var explanation: [String] {
    [
      "A consumer pulls over HTTP and waits inside the server for what comes next. A record counts from its producer's hands into the consumer's: through the queue's",
      "block, compressed and synced to the disk, and an HTTP answer. First \(Self.trickleCount) records one at a time, at irregular times; then \(HumanText.byteRate(Self.loadBytesPerSecond)) of lines.",
    ]
  }

  /// What came of one load.
  private struct Outcome: Sendable {
    var load: Load
    var producer: DemoProducer.Facts
    var consumer: DemoConsumer.Facts
    var seconds: Double
  }

  func play(on screen: DemoScreen, in directory: DemoDirectory) async throws -> DemoReport {
    let lines = DemoLines(seed: seed)
    let syncs = try await ThreadExecutor.run(named: "demo sync") { try Self.syncs(in: directory) }
    var parts: [Outcome] = []
    for load in Load.allCases {
      parts.append(
        try await DemoStage.with(QueueOptions(), named: load.rawValue, in: directory) { stage in
          try await play(load, stage, lines, screen)
        })
    }
    return report(parts, syncs)
  }

  private func play(_ load: Load, _ stage: DemoStage, _ lines: DemoLines, _ screen: DemoScreen) async throws -> Outcome {
    let handovers = Handovers()
    let producer = try DemoProducer(stage, lines, handovers: handovers)
    let consumer = try await DemoConsumer("waiting", stage, lines, handovers: handovers)
    let series = TimeSeries(["records", "requests"])
    let seed = seed
    try await Sampling.run(every: .milliseconds(250)) {
      series.add([Double(producer.facts.records), Double(consumer.facts.requests)])
      screen.show(Self.text(load, producer.facts, consumer.facts, series))
    } while: {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await ThreadExecutor.run(named: "demo producer") { try await Self.produce(load, producer, seed) }
        }
        group.addTask {
          var facts = producer.facts
          while !facts.hasEnded || consumer.facts.next < facts.records {
            _ = try await consumer.pull(wait: Self.wait)
            facts = producer.facts
          }
          try await consumer.commit()
        }
        try await group.waitForAll()
      }
    }
    return Outcome(load: load, producer: producer.facts, consumer: consumer.facts, seconds: series.elapsed)
  }

  private static func produce(_ load: Load, _ producer: DemoProducer, _ seed: UInt64) async throws {
    switch load {
    case .idle:
      var random = SeededGenerator(seed: seed)
      for _ in 0..<trickleCount {
        let share = Double.random(in: 0..<1, using: &random)
        try await Task.sleep(for: trickleGaps.lowerBound + (trickleGaps.upperBound - trickleGaps.lowerBound) * share, tolerance: .zero)
        try await producer.write(1)
      }
    case .loaded:
      try await producer.write(bytesPerSecond: loadBytesPerSecond, every: loadInterval, until: .now + loadSpan)
    }
    try await producer.end()
  }

  /// The limit that the disk sets: how long it takes to append 300 bytes and sync them, again and again.
  private static func syncs(in directory: DemoDirectory) throws -> Latencies {
    let path = directory.path + "/sync"
    let descriptor = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw CommandFailure(.failure, "\(path) can't be made: \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    let bytes = [UInt8](repeating: 0x78, count: 300)
    var syncs = Latencies()
    for _ in 0..<syncCount {
      let began = ContinuousClock.now
      guard write(descriptor, bytes, bytes.count) == bytes.count, fdatasync(descriptor) == 0 else {
        throw CommandFailure(.failure, "\(path) can't be written: \(String(cString: strerror(errno)))")
      }
      syncs.add(seconds: (ContinuousClock.now - began).seconds)
    }
    return syncs
  }

  private static func text(_ load: Load, _ made: DemoProducer.Facts, _ got: DemoConsumer.Facts, _ series: TimeSeries) -> [String] {
    let latency = got.latencies.quantiles([0.5, 0.99])
    return [
      load == .idle ? "one record at a time" : "\(HumanText.byteRate(loadBytesPerSecond)) of lines",
      "  producer  \(HumanText.count(made.records)) records  \(HumanText.rate(series.rate(of: "records")))",
      "  consumer  \(HumanText.count(got.received)) records  asks \(HumanText.rate(series.rate(of: "requests")))  half of them within \(HumanText.milliseconds(latency[0])), 99 % within \(HumanText.milliseconds(latency[1]))",
    ]
  }

  private func report(_ parts: [Outcome], _ syncs: Latencies) -> DemoReport {
    var table = TextTable(
      ("load", .left), ("records", .right), ("half within", .right), ("99 % within", .right), ("slowest", .right), ("requests", .right),
      ("records a request", .right), ("empty answers", .right))
    for part in parts {
      let latency = part.consumer.latencies.quantiles([0.5, 0.99, 1])
      table.add(
        part.load == .idle ? "one record at a time" : HumanText.byteRate(Self.loadBytesPerSecond), HumanText.count(part.consumer.received),
        HumanText.milliseconds(latency[0]), HumanText.milliseconds(latency[1]), HumanText.milliseconds(latency[2]),
        HumanText.count(part.consumer.requests),
        HumanText.decimal(Double(part.consumer.received) / Double(max(1, part.consumer.requests)), 1),
        HumanText.count(part.consumer.emptyAnswers))
    }
    let sync = syncs.quantiles([0.5, 0.99])
    var report = DemoReport(
      settings: [
        ("trickle_records", .integer(Self.trickleCount)),
        (
          "trickle_gap_milliseconds", .array([Self.trickleGaps.lowerBound, Self.trickleGaps.upperBound].map { .decimal($0.seconds * 1e3) })
        ),
        ("load_bytes_per_second", .decimal(Self.loadBytesPerSecond)), ("load_seconds", .decimal(Self.loadSpan.seconds)),
        ("wait_milliseconds", .decimal(Self.wait.seconds * 1e3)),
        ("linger_milliseconds", .decimal(QueueOptions().linger.seconds * 1e3)),
      ],
      figures: [
        ("parts", .array(parts.map(Self.json))),
        ("sync", .object([("latency_milliseconds", syncs.json)])),
      ],
      text: """
        \(table.text())
        One sync of this disk takes \(HumanText.milliseconds(sync[0])), 99 in 100 at most \(HumanText.milliseconds(sync[1])): no record is visible before one.

        """)
    for part in parts {
      report.check(
        part.consumer.received == part.producer.records && part.consumer.latencies.count == Int(part.producer.records),
        "\(part.load.rawValue): \(HumanText.count(part.consumer.received)) received in order = \(HumanText.count(part.producer.records)) produced"
      )
    }
    return report
  }

  private static func json(_ part: Outcome) -> JSONValue {
    .object([
      ("load", .string(part.load.rawValue)), ("produced_records", .integer(part.producer.records)),
      ("produced_bytes", .integer(part.producer.bytes)), ("received_records", .integer(part.consumer.received)),
      ("requests", .integer(part.consumer.requests)), ("empty_answers", .integer(part.consumer.emptyAnswers)),
      ("seconds", .decimal(part.seconds)), ("latency_milliseconds", part.consumer.latencies.json),
      ("latency_percentiles_milliseconds", part.consumer.latencies.curve),
    ])
  }
}
