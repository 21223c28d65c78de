internal import PipelineRuntime
internal import QueueClient
internal import SegmentQueue
internal import Synchronization

/// Consumers that are away for a while, one or all of them, and a producer that doesn't notice.
struct OfflineDemo: DemoScenario {
  static let name = "offline"

  /// A consumer, and when it is away.
  struct Absence: Sendable {
    var name: String
    /// What its unread records may pin, as in a pipeline file.
    var hold: String
    /// Seconds from the beginning.
    var away: Range<Double>
  }

  static let maxSize: UInt64 = 32 << 20
  static let segmentSize: UInt64 = 1 << 20
  static let bytesPerSecond = 16e6
  static let span = 18.0
  static let absences = [
    Absence(name: "dashboard", hold: "all", away: allAway), Absence(name: "nightly", hold: "all", away: 3..<9),
    Absence(name: "holiday", hold: "25%", away: 3..<15),
  ]
  /// When which of them are there.
  static let phases: [(name: String, seconds: Range<Double>)] = [
    ("all there", 0..<3), ("two away", 3..<6), ("all away", allAway), ("some back", 8..<15), ("all back", 15..<span),
  ]

  static let allAway = 6.0..<8.0

  let seed: UInt64

  var explanation: [String] {
    [
      "A producer writes \(HumanText.byteRate(Self.bytesPerSecond)) of lines into a queue of \(HumanText.bytes(Self.maxSize)). Of three consumers two go away, then all are away, then they come back.",
      "The producer doesn't notice. 'dashboard' and 'nightly' hold all that they haven't read, and go on where they were. 'holiday' may pin 25 % of the queue:",
      "how long its records last is estimated; when its hold is used up and the space is needed, it alone loses, and is told exactly what.",
    ]
  }

  func play(on screen: DemoScreen, in directory: DemoDirectory) async throws -> DemoReport {
    let lines = DemoLines(seed: seed)
    var options = QueueOptions()
    options.maxSize = Self.maxSize
    options.segmentSize = Self.segmentSize
    return try await DemoStage.with(options, named: Self.name, in: directory) { stage in
      let producer = try DemoProducer(stage, lines)
      var guests: [OfflineConsumer] = []
      for absence in Self.absences {
        guests.append(OfflineConsumer(absence, try await DemoConsumer(absence.name, stage, lines, hold: absence.hold)))
      }
      let course = OfflineCourse(stage, producer, guests)
      try await Sampling.run(every: .milliseconds(250)) {
        try await course.look()
        screen.show(course.text)
      } while: {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await ThreadExecutor.run(named: "demo producer") { try await course.produce() } }
          for guest in course.guests { group.addTask { try await guest.work(in: course) } }
          try await group.waitForAll()
        }
      }
      return report(course)
    }
  }

  private func report(_ course: OfflineCourse) -> DemoReport {
    let made = course.producer.facts
    var phases = TextTable(("phase", .left), ("seconds", .left), ("produced", .right), ("slowest write", .right))
    for phase in course.phases {
      phases.add(
        phase.name, "\(HumanText.decimal(phase.seconds.lowerBound, 0)) to \(HumanText.decimal(phase.seconds.upperBound, 0))",
        HumanText.byteRate(phase.bytesPerSecond), HumanText.milliseconds(phase.longestWrite.seconds))
    }
    var consumers = TextTable(
      ("consumer", .left), ("hold", .left), ("away", .left), ("lag at return", .right), ("received", .right), ("told as lost", .right),
      ("caught up after", .right))
    for guest in course.guests {
      let (facts, absence) = (guest.consumer.facts, guest.facts)
      consumers.add(
        guest.absence.name, guest.absence.hold,
        "\(HumanText.decimal(guest.absence.away.lowerBound, 0)) to \(HumanText.decimal(guest.absence.away.upperBound, 0)) s",
        HumanText.count(absence.lagAtReturn), HumanText.count(facts.received), HumanText.count(facts.lost),
        absence.caughtUpAfter.map { HumanText.duration(seconds: $0) } ?? "-")
    }
    var report = DemoReport(
      settings: [
        ("max_size", .integer(Self.maxSize)), ("segment_size", .integer(Self.segmentSize)),
        ("bytes_per_second", .decimal(Self.bytesPerSecond)),
        ("span_seconds", .decimal(Self.span)),
      ],
      figures: [
        ("produced_records", .integer(made.records)), ("produced_bytes", .integer(made.bytes)),
        ("phases", .array(course.phases.map(\.json))), ("consumers", .array(course.guests.map(\.json))), ("series", course.series.json),
      ],
      text: "\(phases.text())\n\(consumers.text())\(course.guests.compactMap(\.estimateText).map { "\n\($0)\n" }.joined())")
    for guest in course.guests {
      let (facts, absence) = (guest.consumer.facts, guest.facts)
      report.check(
        facts.received + facts.lost == made.records,
        "\(guest.absence.name): \(HumanText.count(facts.received)) received in order + \(HumanText.count(facts.lost)) told as lost = \(HumanText.count(made.records)) produced"
      )
      report.check(
        absence.firstAtReturn == absence.nextAtLeave,
        "\(guest.absence.name): went on at record \(HumanText.count(absence.nextAtLeave)), where it was")
      if guest.absence.hold == "all" {
        report.check(facts.lost == 0, "\(guest.absence.name): lost nothing")
      } else {
        report.check(facts.lost > 0 && facts.losses == 1, "\(guest.absence.name): was told its loss, at once and in one")
      }
    }
    report.check(made.waits == 0 || !course.wasFull, "the queue was never full for the producer")
    return report
  }
}

/// A consumer of the scenario: at work but for its absence.
final class OfflineConsumer: Sendable {
  /// What its absence was like.
  struct Facts: Sendable {
    var isAway = false
    var nextAtLeave: UInt64 = 0
    /// Where the first answer behind the absence began, be it records or a loss.
    var firstAtReturn: UInt64?
    var lagAtReturn: UInt64 = 0
    var returnedAt: Double?
    /// Seconds from its return until nothing was behind what it got.
    var caughtUpAfter: Double?
    /// While all are away: when it was estimated to begin to lose records, and when that was told, in seconds from the beginning.
    var estimate: (at: Double, lossAt: Double)?
    /// When it began to lose records.
    var firstLossAt: Double?
  }

  let absence: OfflineDemo.Absence
  let consumer: DemoConsumer
  private let state = Mutex(Facts())

  init(_ absence: OfflineDemo.Absence, _ consumer: DemoConsumer) {
    self.absence = absence
    self.consumer = consumer
  }

  var facts: Facts { state.withLock { $0 } }

  /// Pulls, is away, and pulls again until it has all that the producer has made.
  func work(in course: OfflineCourse) async throws {
    while course.elapsed < absence.away.lowerBound { _ = try await pull() }
    try await consumer.commit()
    let next = consumer.facts.next
    state.withLock { state in
      state.isAway = true
      state.nextAtLeave = next
    }
    try await Task.sleep(until: course.began + .seconds(absence.away.upperBound), clock: .continuous)
    let (lag, now) = (course.producer.facts.records - next, course.elapsed)
    state.withLock { state in
      state.isAway = false
      state.lagAtReturn = lag
      state.returnedAt = now
    }
    while true {
      let pulled = try await pull()
      let now = course.elapsed
      state.withLock { state in
        if state.firstAtReturn == nil, pulled != .nothing { state.firstAtReturn = next }
        if case .records(_, lag: 0) = pulled, state.caughtUpAfter == nil, let returned = state.returnedAt {
          state.caughtUpAfter = now - returned
        }
      }
      let made = course.producer.facts
      if made.hasEnded, consumer.facts.next == made.records { break }
    }
    try await consumer.commit()
  }

  private func pull() async throws -> DemoConsumer.Pulled { try await consumer.pull(wait: .milliseconds(500), maxBytes: 4 << 20) }

  /// Takes what the server tells of it.
  func note(_ told: RemoteConsumer, at seconds: Double) {
    state.withLock { state in
      guard state.isAway else { return }
      if told.lostRecords > 0, state.firstLossAt == nil { state.firstLossAt = seconds }
      if OfflineDemo.allAway.contains(seconds), let left = told.secondsUntilLoss { state.estimate = (seconds, seconds + left) }
    }
  }

  /// What the estimate was worth.
  var estimateText: String? {
    guard let loss = facts.firstLossAt, let estimate = facts.estimate else { return nil }
    return
      "\(absence.name): at \(HumanText.decimal(estimate.at, 1)) s its first loss was estimated for \(HumanText.decimal(estimate.lossAt, 1)) s, and came at \(HumanText.decimal(loss, 1)) s."
  }

  var json: JSONValue {
    let (got, facts) = (consumer.facts, facts)
    return .object([
      ("name", .string(absence.name)), ("hold", .string(absence.hold)),
      ("away_seconds", .array([.decimal(absence.away.lowerBound), .decimal(absence.away.upperBound)])),
      ("received_records", .integer(got.received)), ("lost_records", .integer(got.lost)), ("losses_told", .integer(got.losses)),
      ("requests", .integer(got.requests)), ("empty_answers", .integer(got.emptyAnswers)), ("next_at_leave", .integer(facts.nextAtLeave)),
      ("lag_at_return", .integer(facts.lagAtReturn)), ("caught_up_after_seconds", facts.caughtUpAfter.map { .decimal($0) } ?? .null),
      ("first_loss_at_seconds", facts.firstLossAt.map { .decimal($0) } ?? .null),
      (
        "estimate",
        facts.estimate.map { .object([("at_seconds", .decimal($0.at)), ("loss_at_seconds", .decimal($0.lossAt))]) } ?? .null
      ),
    ])
  }
}

/// How the scenario goes: the producer's phases, what the server tells, and the lines on the screen.
final class OfflineCourse: Sendable {
  /// How the producer fared in a phase.
  struct Phase: Sendable {
    var name: String
    var seconds: Range<Double>
    var bytes: UInt64 = 0
    var longestWrite = Duration.zero

    var bytesPerSecond: Double { Double(bytes) / (seconds.upperBound - seconds.lowerBound) }

    var json: JSONValue {
      .object([
        ("name", .string(name)), ("seconds", .array([.decimal(seconds.lowerBound), .decimal(seconds.upperBound)])),
        ("produced_bytes", .integer(bytes)), ("produced_bytes_per_second", .decimal(bytesPerSecond)),
        ("longest_write_milliseconds", .decimal(longestWrite.seconds * 1e3)),
      ])
    }
  }

  private struct State {
    var phases = OfflineDemo.phases.map { Phase(name: $0.name, seconds: $0.seconds) }
    var told: RemoteQueue?
    var wasFull = false
  }

  let began = ContinuousClock.now
  let producer: DemoProducer
  let guests: [OfflineConsumer]
  let series: TimeSeries
  private let stage: DemoStage
  private let state = Mutex(State())

  init(_ stage: DemoStage, _ producer: DemoProducer, _ guests: [OfflineConsumer]) {
    self.stage = stage
    self.producer = producer
    self.guests = guests
    series = TimeSeries(
      ["produced_records", "produced_bytes", "stored_bytes"]
        + guests.map(\.absence.name).flatMap { ["lag_records_\($0)", "lost_records_\($0)", "seconds_until_loss_\($0)"] })
  }

  /// Seconds from the beginning.
  var elapsed: Double { (ContinuousClock.now - began).seconds }
  var phases: [Phase] { state.withLock { $0.phases } }
  /// The producer found the queue full.
  var wasFull: Bool { state.withLock { $0.wasFull } }

  func produce() async throws {
    var bytes: UInt64 = 0
    try await producer.write(bytesPerSecond: OfflineDemo.bytesPerSecond, every: .milliseconds(5), until: began + .seconds(OfflineDemo.span))
    {
      took in
      let (now, total) = (elapsed, producer.facts.bytes)
      state.withLock { state in
        guard let index = state.phases.lastIndex(where: { $0.seconds.lowerBound <= now }) else { return }
        state.phases[index].bytes += total - bytes
        state.phases[index].longestWrite = max(state.phases[index].longestWrite, took)
      }
      bytes = total
    }
    try await producer.end()
  }

  /// Asks the server, as an operator would.
  func look() async throws {
    let told = try await stage.client.queue(stage.queue.name)
    let now = elapsed
    let made = producer.facts
    let known = guests.map { guest in told.consumers.first { $0.name == guest.absence.name } }
    for (guest, consumer) in zip(guests, known) { if let consumer { guest.note(consumer, at: now) } }
    state.withLock { state in
      state.told = told
      if told.isFull { state.wasFull = true }
    }
    series.add(
      [Double(made.records), Double(made.bytes), Double(told.storedBytes)]
        + known.flatMap { [$0.map { Double($0.lagRecords) }, $0.map { Double($0.lostRecords) }, $0?.secondsUntilLoss] }, at: now)
  }

  var text: [String] {
    guard let told = state.withLock({ $0.told }) else { return [] }
    let (now, made) = (elapsed, producer.facts)
    let phase = OfflineDemo.phases.last { $0.seconds.lowerBound <= now }?.name ?? ""
    let size = Double(told.maxSize ?? OfflineDemo.maxSize)
    var lines = [
      "\(HumanText.decimal(now, 1)) s of \(HumanText.decimal(OfflineDemo.span, 0)) s: \(phase)",
      "  producer   \(HumanText.count(made.records)) records  \(HumanText.byteRate(series.rate(of: "produced_bytes")))",
      "  queue      [\(DemoScreen.bar(Double(told.storedBytes) / size))] \(HumanText.bytes(told.storedBytes)) of \(HumanText.bytes(OfflineDemo.maxSize))",
    ]
    for guest in guests {
      guard let consumer = told.consumers.first(where: { $0.name == guest.absence.name }) else { continue }
      var line =
        "  \(guest.absence.name.padding(to: 9))  \(guest.facts.isAway ? "AWAY " : "there")  lag \(HumanText.count(consumer.lagRecords))"
      if let pinned = consumer.pinnedBytes { line += ", pins \(HumanText.bytes(pinned)) of \(consumer.hold)" }
      if consumer.lostRecords > 0 {
        line += "  lost \(HumanText.count(consumer.lostRecords))"
      } else if guest.facts.isAway, let left = consumer.secondsUntilLoss {
        line += "  loses records in \(HumanText.duration(seconds: left))"
      }
      lines.append(line)
    }
    return lines
  }
}

extension String {
  /// With spaces behind it, so that it takes `width` columns.
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
