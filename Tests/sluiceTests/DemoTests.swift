internal import RecordBlocks
internal import Testing

@testable internal import sluice

@Suite struct `The records of a demonstration` {
  private let lines = DemoLines(seed: 7)

  @Test func `begin with their number, and are the same for the same seed`() {
    let bytes = lines.bytes(from: 41, count: 3)
    let text = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    #expect(text.map { $0.prefix(11) } == ["0000000041 ", "0000000042 ", "0000000043 "])
    #expect(lines.byteCount(from: 41, count: 3) == bytes.count)
    #expect(DemoLines(seed: 7).bytes(from: 41, count: 3) == bytes)
    #expect(DemoLines(seed: 8).bytes(from: 41, count: 3) != bytes)
    let batch = lines.batch(from: 41, count: 3)
    #expect(batch.recordCount == 3)
    #expect(batch.withLines { Array($0) } == bytes)
  }

  @Test func `a record that is lost, doubled, out of place, changed or too much is found`() {
    let due = lines.bytes(from: 100, count: 4)
    func one(_ number: UInt64) -> [UInt8] { lines.bytes(from: number, count: 1) }
    #expect(lines.firstWrong(in: due, from: 100, count: 4) == nil)
    #expect(lines.firstWrong(in: [], from: 100, count: 0) == nil)
    #expect(lines.firstWrong(in: one(100) + one(102) + one(103), from: 100, count: 3) == 101)
    #expect(lines.firstWrong(in: one(100) + one(100) + one(101), from: 100, count: 3) == 101)
    #expect(lines.firstWrong(in: one(100) + one(102) + one(101), from: 100, count: 3) == 101)
    #expect(lines.firstWrong(in: due + one(104), from: 100, count: 4) == 104)
    #expect(lines.firstWrong(in: Array(due.dropLast()), from: 100, count: 4) == 103)
    var changed = due
    changed[changed.count - 2] ^= 1
    #expect(lines.firstWrong(in: changed, from: 100, count: 4) == 103)
  }
}

@Suite struct ArrivalPatternTests {
  @Test func `all records come in order within the span, and a scale shortens all of it`() {
    let pattern = ArrivalPattern(count: 3000, span: .seconds(60), silence: .seconds(15), scale: 4, seed: 3)
    #expect(pattern.arrivals.count == 3000)
    #expect(pattern.arrivals == pattern.arrivals.sorted())
    #expect(pattern.arrivals.allSatisfy { $0 >= .zero && $0 < .seconds(15) })
    #expect(pattern.length == .seconds(75) / 4)
    #expect(pattern.played(.milliseconds(100)) == .milliseconds(25))
    // Evenly over the span but for chance: a tenth of it has 300 of them, give or take five standard deviations.
    for tenth in 0..<10 {
      let count = pattern.arrivals.count { $0 >= .milliseconds(1500 * tenth) && $0 < .milliseconds(1500 * (tenth + 1)) }
      #expect((218...382).contains(count))
    }
  }

  @Test func `the same seed gives the same times, another one others`() {
    func arrivals(_ seed: UInt64) -> [Duration] {
      ArrivalPattern(count: 50, span: .seconds(60), silence: .zero, scale: 1, seed: seed).arrivals
    }
    #expect(arrivals(1) == arrivals(1))
    #expect(arrivals(1) != arrivals(2))
  }
}

@Suite struct AdaptiveIntervalTests {
  @Test func `it doubles with each empty answer up to its bound, and begins anew with records`() {
    var interval = AdaptiveInterval(shortest: .milliseconds(100), longest: .seconds(1))
    var seen = [interval.current]
    for _ in 0..<5 {
      interval.note(foundRecords: false)
      seen.append(interval.current)
    }
    #expect(seen == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), .seconds(1), .seconds(1)])
    interval.note(foundRecords: true)
    #expect(interval.current == .milliseconds(100))
  }
}

@Suite struct LatenciesTests {
  @Test func `a quantile is the smallest time within which that share of the records came`() {
    var latencies = Latencies()
    for milliseconds in (1...100).reversed() { latencies.add(seconds: Double(milliseconds) / 1000) }
    #expect(latencies.count == 100)
    #expect(latencies.quantiles([0, 0.5, 0.99, 1]) == [0.001, 0.05, 0.099, 0.1])
  }

  @Test func `records that came together count each`() {
    var latencies = Latencies()
    latencies.add(seconds: 2, records: 1)
    latencies.add(seconds: 1, records: 99)
    latencies.add(seconds: 9, records: 0)
    #expect(latencies.quantiles([0.5, 0.99, 1]) == [1, 1, 2])
    #expect(latencies.json.line == #"{"p50":1000.000,"p99":1000.000,"longest":2000.000}"#)
  }

  @Test func `without records there is nothing to tell`() {
    #expect(Latencies().quantiles([0.5, 1]) == [0, 0])
  }

  @Test(arguments: [(0.000_84, "0.84 ms"), (0.0123, "12.3 ms"), (1.204, "1,204 ms")])
  func `latencies are told with three digits`(seconds: Double, text: String) {
    #expect(HumanText.milliseconds(seconds) == text)
  }
}

@Suite struct HandoversTests {
  @Test func `each record is counted once, with the batch that it was handed over in`() {
    let handovers = Handovers()
    for end in [3, 4, 10] as [UInt64] { handovers.note(end: end) }
    var place = Handovers.Place()
    var latencies = Latencies()
    let later = ContinuousClock.now + .seconds(1)
    handovers.add(0..<2, receivedAt: later, from: &place, to: &latencies)
    #expect(latencies.count == 2)
    handovers.add(2..<7, receivedAt: later, from: &place, to: &latencies)
    #expect(latencies.count == 7)
    handovers.add(7..<10, receivedAt: later, from: &place, to: &latencies)
    #expect(latencies.count == 10)
    #expect(latencies.quantiles([0])[0] >= 1)
  }
}

@Suite struct TimeSeriesTests {
  @Test func `its figures stand in columns, with null for what isn't known`() {
    let series = TimeSeries(["a", "b"])
    series.add([1, nil], at: 0.5)
    series.add([2, 0.25], at: 1)
    #expect(series.json.line == #"{"seconds":[0.500,1.000],"a":[1,2],"b":[null,0.250]}"#)
  }

  @Test func `a rate is told of the last second`() {
    let series = TimeSeries(["a"])
    #expect(series.rate(of: "a") == 0)
    for (value, at) in [(0.0, 0.0), (1000, 1), (1010, 1.5), (1020, 2)] { series.add([value], at: at) }
    #expect(series.rate(of: "a") == 20)
  }
}

@Suite struct DemoReportTests {
  private let report = {
    var report = DemoReport(settings: [("max_size", .integer(10))], figures: [("records", .integer(3))], text: "a table\n", timeScale: 4)
    report.check(true, "all came")
    report.check(false, "none twice")
    return report
  }()

  @Test func `the JSON has scenario, seed, time scale, settings, figures and checks`() {
    #expect(
      report.json(scenario: "long-poll", seed: 9).line
        == #"{"scenario":"long-poll","version":"\#(VersionCommand.version)","seed":9,"time_scale":4.000,"settings":{"max_size":10},"#
        + #""figures":{"records":3},"checks":[{"what":"all came","holds":true},{"what":"none twice","holds":false}]}"#)
  }

  @Test func `the summary tells each check`() {
    #expect(report.summary == "a table\n\nok      all came\nFAILED  none twice\n")
  }
}

@Suite struct DemoCommandTests {
  @Test func `the scale of the long poll has bounds`() throws {
    #expect(try Sluice.parse(commandLine: ["demo", "long-poll", "--scale", "1", "--seed", "5"]) is DemoCommand.LongPollCommand)
    #expect(throws: (any Error).self) { try Sluice.parse(commandLine: ["demo", "long-poll", "--scale", "0.5"]) }
    #expect(throws: (any Error).self) { try Sluice.parse(commandLine: ["demo", "realtime", "--scale", "2"]) }
  }

  @Test func `intervals and waits are shortened with the time`() {
    guard case .adaptive(let shortest, let longest) = PullingWay.adaptive(shortest: .seconds(1), longest: .seconds(8)).played(4) else {
      Issue.record("another way came of it")
      return
    }
    #expect((shortest, longest) == (.milliseconds(250), .seconds(2)))
  }
}
