internal import PipelineRuntime
internal import SegmentQueue

/// Consumers that ask for the same records in different ways, side by side: a busy minute, and then silence.
struct LongPollDemo: DemoScenario {
  static let name = "long-poll"

  static let count = 3000
  static let span = Duration.seconds(60)
  static let silence = Duration.seconds(15)
  static let linger = Duration.milliseconds(50)
  static let ways: [PullingWay] = [
    .fixed(.seconds(1)), .fixed(.milliseconds(100)), .adaptive(shortest: .milliseconds(100), longest: .seconds(10)),
    .longPoll(wait: .seconds(20)), .stream(commitEvery: .seconds(1), heartbeat: .seconds(15)),
  ]

  let seed: UInt64
  /// How many times faster than told time goes: for records, intervals, waits and the queue's `linger` alike.
  let scale: Double

  var explanation: [String] {
    [
      "\(HumanText.count(Self.count)) records come at random times within \(HumanText.duration(Self.span)), and then none for \(HumanText.duration(Self.silence)); time goes \(HumanText.decimal(scale, 1)) times as fast.",
      "Each consumer asks in its own way. Whoever asks at intervals guesses: often, and most answers are empty as soon as nothing comes; seldom, and records lie about.",
      "A long poll waits inside the server: it is answered when there is something, and asks again. A stream is one answer that goes on.",
    ]
  }

  /// One way and what came of it.
  private struct Outcome: Sendable {
    var way: PullingWay
    var facts: DemoConsumer.Facts
  }

  func play(on screen: DemoScreen, in directory: DemoDirectory) async throws -> DemoReport {
    let lines = DemoLines(seed: seed)
    let pattern = ArrivalPattern(count: Self.count, span: Self.span, silence: Self.silence, scale: scale, seed: seed)
    var options = QueueOptions()
    options.linger = pattern.played(Self.linger)
    let scale = scale
    return try await DemoStage.with(options, named: Self.name, in: directory) { stage in
      let handovers = Handovers()
      let producer = try DemoProducer(stage, lines, handovers: handovers)
      var consumers: [(way: PullingWay, consumer: DemoConsumer)] = []
      for way in Self.ways {
        consumers.append((way, try await DemoConsumer("way-\(consumers.count + 1)", stage, lines, handovers: handovers)))
      }
      let all = consumers
      let series = TimeSeries(
        ["produced_records"] + all.indices.flatMap { ["requests_\($0 + 1)", "empty_answers_\($0 + 1)", "received_records_\($0 + 1)"] })
      let began = ContinuousClock.now
      try await Sampling.run(every: .milliseconds(250)) {
        let facts = all.map(\.consumer.facts)
        let made = producer.facts
        series.add([Double(made.records)] + facts.flatMap { [Double($0.requests), Double($0.emptyAnswers), Double($0.received)] })
        screen.show(Self.text(made, zip(all, facts).map { Outcome(way: $0.way, facts: $1) }, seconds: series.elapsed * scale))
      } while: {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            try await ThreadExecutor.run(named: "demo producer") {
              for arrival in pattern.arrivals {
                try await Task.sleep(until: began + arrival, tolerance: .zero, clock: .continuous)
                try await producer.write(1)
              }
              try await producer.end()
            }
          }
          for one in all {
            group.addTask {
              try await one.way.played(scale).pull(one.consumer, until: began + pattern.length)
              try await one.consumer.commit()
            }
          }
          try await group.waitForAll()
        }
      }
      return report(producer.facts, all.map { Outcome(way: $0.way, facts: $0.consumer.facts) }, series)
    }
  }

  private static func text(_ made: DemoProducer.Facts, _ ways: [Outcome], seconds: Double) -> [String] {
    var table = Self.table()
    for one in ways { Self.add(one, to: &table) }
    return [
      "\(HumanText.decimal(seconds, 1)) s of \(HumanText.duration(span + silence)): \(HumanText.count(made.records)) of \(HumanText.count(count)) records have come"
    ] + table.text(indent: "  ").split(separator: "\n").map(String.init)
  }

  private static func table() -> TextTable {
    TextTable(
      ("way", .left), ("records", .right), ("requests", .right), ("empty answers", .right), ("half within", .right),
      ("99 % within", .right),
      ("slowest", .right))
  }

  private static func add(_ one: Outcome, to table: inout TextTable) {
    let latency = one.facts.latencies.quantiles([0.5, 0.99, 1])
    table.add(
      one.way.name, HumanText.count(one.facts.received), HumanText.count(one.facts.requests), HumanText.count(one.facts.emptyAnswers),
      HumanText.milliseconds(latency[0]), HumanText.milliseconds(latency[1]), HumanText.milliseconds(latency[2]))
  }

  private func report(_ made: DemoProducer.Facts, _ ways: [Outcome], _ series: TimeSeries) -> DemoReport {
    var table = Self.table()
    for one in ways { Self.add(one, to: &table) }
    let scaled =
      scale == 1
      ? ""
      : "Time went \(HumanText.decimal(scale, 1)) times as fast: intervals and waits were so much shorter than told; latencies are as measured.\n"
    var report = DemoReport(
      settings: [
        ("records", .integer(Self.count)), ("span_seconds", .decimal(Self.span.seconds)),
        ("silence_seconds", .decimal(Self.silence.seconds)),
        ("linger_milliseconds", .decimal(Self.linger.seconds * 1e3)),
      ],
      figures: [
        ("produced_records", .integer(made.records)), ("ways", .array(ways.map(Self.json))), ("series", series.json),
      ],
      text: "\(table.text())\n\(scaled)", timeScale: scale)
    for one in ways {
      report.check(
        one.facts.received == made.records && one.facts.latencies.count == Int(made.records),
        "\(one.way.name): \(HumanText.count(one.facts.received)) received in order = \(HumanText.count(made.records)) produced")
    }
    return report
  }

  private static func json(_ one: Outcome) -> JSONValue {
    var pairs: [(String, JSONValue)] = [("name", .string(one.way.name)), ("kind", .string(one.way.kind))]
    switch one.way {
    case .fixed(let interval): pairs.append(("interval_seconds", .decimal(interval.seconds)))
    case .adaptive(let shortest, let longest):
      pairs.append(("interval_seconds", .array([.decimal(shortest.seconds), .decimal(longest.seconds)])))
    case .longPoll(let wait): pairs.append(("wait_seconds", .decimal(wait.seconds)))
    case .stream(let interval, let heartbeat):
      pairs += [("commit_seconds", .decimal(interval.seconds)), ("heartbeat_seconds", .decimal(heartbeat.seconds))]
    }
    return .object(
      pairs + [
        ("received_records", .integer(one.facts.received)), ("requests", .integer(one.facts.requests)),
        ("empty_answers", .integer(one.facts.emptyAnswers)), ("latency_milliseconds", one.facts.latencies.json),
        ("latency_percentiles_milliseconds", one.facts.latencies.curve),
      ])
  }
}
