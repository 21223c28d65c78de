import RecordBlocks
import SegmentQueue
import Testing

@testable import PipelineRuntime

@Suite struct ForecastTests {
  private let mega = 1_000_000.0

  private func forecast(
    _ readers: [QueueForecast.Reader], stored: Double = 0, inflow: Double = 0, _ change: (inout QueueOptions) -> Void = { _ in }
  )
    -> QueueForecast
  {
    var options = QueueOptions()
    options.maxSize = 1_000_000_000
    change(&options)
    return QueueForecast(options: options, storedBytes: stored, inflow: inflow, readers: readers)
  }

  private func reader(_ name: String = "a", _ hold: Hold = .all, pinned: Double = 100, growth: Double = 5) -> QueueForecast.Reader {
    // Lines take a fifth of their size on the disk.
    QueueForecast.Reader(name: name, hold: hold, pinnedBytes: pinned * 1e6, lagBytes: pinned * 5e6, lagGrowth: growth * 1e6)
  }

  @Test func `the queue fills because of the reader that gets there first`() throws {
    let full = try #require(
      forecast([reader("slow", growth: 5), reader("hanging", pinned: 500, growth: 10), reader("quick", growth: -3)]).untilFull)
    #expect(full.time == .seconds(250))
    #expect(full.because == "hanging")
  }

  @Test func `it doesn't fill when readers keep up, are bounded, or the oldest goes`() {
    #expect(forecast([reader(growth: 0), reader(growth: -1)]).untilFull == nil)
    #expect(forecast([reader("bounded", .share(percent: 50))]).untilFull == nil)
    #expect(forecast([reader()]) { $0.overflow = .dropOldest }.untilFull == nil)
    #expect(forecast([]).untilFull == nil)
    var silent = reader()
    silent.silence = .seconds(8 * 86_400)
    #expect(forecast([silent]).untilFull == nil)
  }

  @Test func `a full queue is full now, and names who it is`() throws {
    var now = forecast([reader()])
    now.isFull = true
    now.fullBecauseOf = "a"
    let full = try #require(now.untilFull)
    #expect(full.time == .zero)
    #expect(full.because == "a")
  }

  @Test func `a reader with a bounded hold loses records when it is beyond it and space is needed`() {
    let bounded = reader("b", .bytes(300_000_000), pinned: 100, growth: 10)
    // 200 MB of the hold at 2 MB/s; the queue's bound is an eighth of a segment's share below its size.
    #expect(forecast([bounded], stored: 900 * mega, inflow: 10 * mega).untilLoss(bounded) == .seconds(100))
    #expect(forecast([bounded], stored: 100 * mega, inflow: 10 * mega).untilLoss(bounded)! > .seconds(100))
    let steady = reader("b", .bytes(300_000_000), pinned: 100, growth: 0)
    #expect(forecast([steady], stored: 1000 * mega, inflow: 10 * mega).untilLoss(steady) == nil)
    let beyond = reader("b", .share(percent: 5), pinned: 100, growth: 0)
    #expect(forecast([beyond], stored: 1000 * mega, inflow: 10 * mega).untilLoss(beyond) == .zero)
  }

  @Test func `a reader that holds all loses only by age, by silence or when the oldest goes`() {
    let all = reader(pinned: 100, growth: 10)
    #expect(forecast([all], stored: 999 * mega, inflow: 10 * mega).untilLoss(all) == nil)
    #expect(forecast([all], stored: 999 * mega, inflow: 10 * mega) { $0.overflow = .dropOldest }.untilLoss(all) == .seconds(450))
    // 500 MB of lag came in at 10 MB/s: the oldest is 50 s old.
    #expect(forecast([all], inflow: 10 * mega) { $0.maxAge = .seconds(80) }.untilLoss(all) == .seconds(30))
    #expect(forecast([all], inflow: 10 * mega) { $0.maxAge = .seconds(20) }.untilLoss(all) == .zero)
    var job = all
    job.kind = .pull
    job.silence = .seconds(6 * 86_400)
    #expect(forecast([job], stored: 999 * mega, inflow: 10 * mega).untilLoss(job) == .seconds(86_400))
  }

  @Test func `a reader without lag loses nothing`() {
    let none = QueueForecast.Reader(
      name: "n", hold: .bytes(1), kind: .pull, silence: .seconds(1 << 30), pinnedBytes: 0, lagBytes: 0, lagGrowth: 0)
    #expect(forecast([none], stored: 999 * mega, inflow: mega) { $0.maxAge = .seconds(1) }.untilLoss(none) == nil)
  }

  @Test func `a rate is told over the last seconds, whatever the sampling`() {
    let start = ContinuousClock.now
    var meter = RateMeter()
    #expect(meter.perSecond == 0)
    for tick in 0...2000 { meter.sample(Double(tick) * 10, at: start + .milliseconds(tick * 10)) }
    #expect(abs(meter.perSecond - 1000) < 0.001)
    // It stops: after the span nothing of the old rate is left.
    for tick in 0...70 { meter.sample(20_000, at: start + .seconds(20) + .milliseconds(tick * 100)) }
    #expect(meter.perSecond == 0)
    var rare = RateMeter()
    rare.sample(0, at: start)
    rare.sample(600, at: start + .seconds(60))
    #expect(rare.perSecond == 10)
    rare.sample(0, at: start + .seconds(120))
    #expect(rare.perSecond == -10, "only the last stretch counts, and it may fall")
  }
}
