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

  @Test func `a disk with less room than the queue's bound is what fills`() throws {
    var small = forecast([reader(pinned: 100, growth: 10)], stored: 100 * mega, inflow: 10 * mega)
    #expect(small.untilFull?.time == .seconds(450))
    // 300 MB at 2 MB/s.
    small.diskRoom = 300 * mega
    #expect(small.untilFull?.time == .seconds(150))
    small.diskRoom = 10_000 * mega
    #expect(small.untilFull?.time == .seconds(450))
    small.diskRoom = 0
    #expect(small.untilFull?.time == .zero)
    // A hold beyond what the disk has is no bound, and with drop_oldest the disk decides when the oldest goes.
    let bounded = reader("b", .bytes(500_000_000), pinned: 100, growth: 10)
    var held = forecast([bounded], stored: 100 * mega, inflow: 10 * mega)
    #expect(held.untilFull == nil)
    held.diskRoom = 300 * mega
    #expect(held.untilFull?.time == .seconds(150))
    let all = reader(pinned: 100, growth: 10)
    var dropping = forecast([all], stored: 100 * mega, inflow: 10 * mega) { $0.overflow = .dropOldest }
    dropping.diskRoom = 300 * mega
    #expect(dropping.untilLoss(all) == QueueForecast.Loss(time: .seconds(150), cause: .dropOldest))
  }

  @Test func `a full queue is full now, and names who it is`() throws {
    var now = forecast([reader()])
    now.isFull = true
    now.fullBecauseOf = "a"
    let full = try #require(now.untilFull)
    #expect(full.time == .zero)
    #expect(full.because == "a")
  }

  /// Until 100 MB that grow by 2 MB/s are a queue of 1 GB but for a segment.
  private let space = Duration.seconds(416.445568)

  @Test func `a reader beyond its hold loses records when the queue is full and nothing older is left to go`() {
    // 200 MB of the hold are used up in 100 s, but what others have read goes first, however full the queue is.
    let bounded = reader("b", .bytes(300_000_000), pinned: 100, growth: 10)
    #expect(forecast([bounded], stored: 900 * mega, inflow: 10 * mega).untilLoss(bounded)?.time == space)
    #expect(forecast([bounded], stored: 100 * mega, inflow: 10 * mega).untilLoss(bounded)?.time == space)
    // Smaller segments leave less to swing by: 800 MB at 2 MB/s.
    let small = forecast([bounded], stored: 900 * mega, inflow: 10 * mega) { $0.segmentSize = 100_000_000 }
    #expect(small.untilLoss(bounded)?.time == .seconds(400))
    let steady = reader("b", .bytes(300_000_000), pinned: 100, growth: 0)
    #expect(forecast([steady], stored: 1000 * mega, inflow: 10 * mega).untilLoss(steady)?.time == nil)
    let beyond = reader("b", .share(percent: 5), pinned: 100, growth: 0)
    #expect(forecast([beyond], stored: 1000 * mega, inflow: 10 * mega).untilLoss(beyond)?.time == nil, "it lags no further")
    let oldest = reader("b", .share(percent: 5), pinned: 950, growth: 0)
    #expect(forecast([oldest], stored: 1000 * mega, inflow: 10 * mega).untilLoss(oldest)?.time == .zero)
    #expect(forecast([oldest], stored: 1000 * mega, inflow: 0).untilLoss(oldest)?.time == nil, "nothing comes that it would have to go for")
    // As long as all is held for one that is as far behind, nothing goes: the sources wait.
    let holder = reader("a", pinned: 960, growth: 0)
    #expect(forecast([holder, oldest], stored: 1000 * mega, inflow: 10 * mega).untilLoss(oldest)?.time == nil)
    #expect(
      forecast([holder, oldest], stored: 1000 * mega, inflow: 10 * mega) { $0.overflow = .dropOldest }.untilLoss(oldest)?.time == .zero)
    var job = holder
    job.kind = .pull
    #expect(forecast([job, oldest], stored: 1000 * mega, inflow: 10 * mega).untilLoss(oldest)?.time == .seconds(7 * 86_400))
  }

  @Test func `a reader that holds all loses only by age, by silence or when the oldest goes`() {
    let all = reader(pinned: 100, growth: 10)
    #expect(forecast([all], stored: 999 * mega, inflow: 10 * mega).untilLoss(all)?.time == nil)
    #expect(forecast([all], stored: 999 * mega, inflow: 10 * mega) { $0.overflow = .dropOldest }.untilLoss(all)?.time == .seconds(450))
    // 500 MB of lag came in at 10 MB/s: the oldest is 50 s old.
    #expect(forecast([all], inflow: 10 * mega) { $0.maxAge = .seconds(80) }.untilLoss(all)?.time == .seconds(30))
    #expect(forecast([all], inflow: 10 * mega) { $0.maxAge = .seconds(20) }.untilLoss(all)?.time == .zero)
    var job = all
    job.kind = .pull
    job.silence = .seconds(6 * 86_400)
    #expect(forecast([job], stored: 999 * mega, inflow: 10 * mega).untilLoss(job)?.time == .seconds(86_400))
  }

  @Test func `a loss is told with the rule that brings it`() {
    func loss(_ reader: QueueForecast.Reader, stored: Double = 999, _ change: (inout QueueOptions) -> Void = { _ in })
      -> QueueForecast.Loss?
    {
      forecast([reader], stored: stored * mega, inflow: 10 * mega, change).untilLoss(reader)
    }
    let all = reader(pinned: 100, growth: 10)
    #expect(loss(all) { $0.maxAge = .seconds(80) } == QueueForecast.Loss(time: .seconds(30), cause: .maxAge))
    #expect(loss(all) { $0.overflow = .dropOldest } == QueueForecast.Loss(time: .seconds(450), cause: .dropOldest))
    #expect(loss(reader("b", .share(percent: 30), growth: 10)) == QueueForecast.Loss(time: space, cause: .hold))
    #expect(loss(reader("b", .age(.seconds(60)), growth: 10)) == QueueForecast.Loss(time: space, cause: .hold))
    var job = all
    job.kind = .pull
    job.silence = .seconds(8 * 86_400)
    #expect(loss(job) == QueueForecast.Loss(time: space, cause: .consumerExpiry))
    #expect(loss(reader("b", .share(percent: 100), growth: 10)) == nil, "a share of all holds all")
  }

  @Test func `one of three offline fills the queue, or loses by its own bounds, and the others are in no forecast`() throws {
    let readers = [reader("a", pinned: 0, growth: 0), reader("away", pinned: 100, growth: 10), reader("c", pinned: 0, growth: 0)]
    let unbounded = forecast(readers, stored: 100 * mega, inflow: 10 * mega)
    let full = try #require(unbounded.untilFull)
    #expect(full.time == .seconds(450) && full.because == "away")
    for reader in readers { #expect(unbounded.untilLoss(reader) == nil) }
    var bounded = readers
    bounded[1].hold = .bytes(200_000_000)
    let other = forecast(bounded, stored: 900 * mega, inflow: 10 * mega)
    #expect(other.untilFull == nil)
    #expect(bounded.map { other.untilLoss($0)?.cause } == [nil, .hold, nil])
  }

  @Test func `when all are offline, who holds most is named, and who is bounded loses`() throws {
    var job = reader("job", pinned: 200, growth: 10)
    job.kind = .pull
    job.silence = .seconds(6 * 86_400)
    let readers = [reader("sink", pinned: 150, growth: 10), job, reader("half", .share(percent: 50), pinned: 400, growth: 10)]
    let all = forecast(readers, stored: 400 * mega, inflow: 10 * mega)
    let full = try #require(all.untilFull)
    #expect(full.because == "job" && full.time == .seconds(400))
    #expect(readers.map { all.untilLoss($0)?.cause } == [nil, .consumerExpiry, .hold])
  }

  @Test func `a consumer that will have been silent for too long by then doesn't fill the queue`() throws {
    var job = reader("job", pinned: 100, growth: 10)
    job.kind = .pull
    job.silence = .seconds(7 * 86_400 - 60)
    let fate = forecast([job], stored: 100 * mega, inflow: 10 * mega)
    #expect(fate.untilFull == nil, "its hold ends in a minute, the queue would be full in 450 s")
    let loss = try #require(fate.untilLoss(job))
    #expect(loss.cause == .consumerExpiry)
    // From 100 MB at 2 MB/s to a segment below the queue's size.
    #expect(loss.time > .seconds(416) && loss.time < .seconds(417), "its records go when space is needed, not before")
    job.kind = .sink
    #expect(forecast([job], inflow: 10 * mega).untilFull?.because == "job", "a sink of a running pipeline is never silent")
  }

  @Test func `a hold by age fills the queue only if as much comes in within it`() {
    // 2 MB/s on the disk against 1 GB: 500 s.
    #expect(forecast([reader("a", .age(.seconds(400)), growth: 10)], inflow: 10 * mega).untilFull == nil)
    #expect(forecast([reader("a", .age(.seconds(600)), growth: 10)], inflow: 10 * mega).untilFull?.because == "a")
  }

  @Test func `with nobody registered nothing is forecast: the oldest goes for what comes`() {
    let none = forecast([], stored: 1000 * mega, inflow: 10 * mega) { $0.maxAge = .seconds(60) }
    #expect(none.untilFull == nil)
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
