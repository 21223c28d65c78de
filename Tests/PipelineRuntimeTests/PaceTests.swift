import Testing

@testable import PipelineRuntime

@Suite struct PaceTests {
  static let hour: Int64 = 3600

  @Test(arguments: [
    // start, end, hour of the day, seconds until open
    (60, 300, 0.0, 3600), (60, 300, 1.0, 0), (60, 300, 4.99, 0), (60, 300, 5.0, 20 * 3600), (60, 300, 23.5, 5400),
    (1320, 360, 21.0, 3600), (1320, 360, 22.0, 0), (1320, 360, 0.0, 0), (1320, 360, 5.9, 0), (1320, 360, 6.0, 16 * 3600),
    (0, 0, 13.0, 0), (600, 600, 2.0, 0),
  ]) func `a window opens and closes by the minute, also across midnight`(start: Int, end: Int, hour: Double, wait: Int) {
    let window = LocalWindow(startMinute: start, endMinute: end)
    let midnight: Int64 = 20_000 * 86_400
    #expect(window.secondsUntilOpen(at: midnight + Int64(hour * 3600)) == wait)
    #expect(window.secondsUntilOpen(at: -86_400 * 3 + Int64(hour * 3600)) == wait, "also before 1970")
  }

  @Test func `a window is told in the zone's local time, as it is at that moment`() {
    // Two hours ahead until a moment, then one: the end of summer time.
    let change: Int64 = 20_000 * 86_400 + Self.hour
    let window = LocalWindow(startMinute: 120, endMinute: 180) { $0 < change ? 7200 : 3600 }
    #expect(window.secondsUntilOpen(at: change - Self.hour) == 0, "02:00 local")
    #expect(window.secondsUntilOpen(at: change - 1) == 0, "02:59:59 local")
    #expect(window.secondsUntilOpen(at: change) == 0, "02:00 local again")
    #expect(window.secondsUntilOpen(at: change + Self.hour) > 0, "03:00 local")
  }

  @Test func `a rate is kept over any time, whatever the batches are`() {
    let start = ContinuousClock.now
    var now = start
    var bucket = TokenBucket(bytesPerSecond: 1000)
    var taken = 0
    for size in [10, 2500, 1, 999, 4000, 250, 250, 7] {
      if let until = bucket.waits(at: now) { now = until }
      bucket.take(size, at: now)
      taken += size
      #expect(bucket.waits(at: now) != nil, "the next batch waits until this one is paid")
    }
    let paid = bucket.waits(at: now)!
    #expect(abs((paid - start).inSeconds - Double(taken) / 1000) < 1e-9)
  }

  @Test func `a consumer that was idle catches up no more than a tenth of a second`() {
    let start = ContinuousClock.now
    var bucket = TokenBucket(bytesPerSecond: 1000)
    bucket.take(1000, at: start)
    let later = start + .seconds(3600)
    #expect(bucket.waits(at: later) == nil)
    bucket.take(1000, at: later)
    #expect(bucket.waits(at: later) == later + .milliseconds(900))
  }

  @Test func `a batch of a slow consumer is a quarter of a second's worth but not less than a block`() {
    #expect(TokenBucket(bytesPerSecond: 100 << 20).largestBatchBytes == 25 << 20)
    #expect(TokenBucket(bytesPerSecond: 1).largestBatchBytes == 256 << 10)
  }

  @Test(
    arguments: [
      // failures, Retry-After, jitter, seconds
      (1, nil, 1.0, 1.0), (1, nil, 0.0, 0.0), (1, nil, 0.5, 0.5), (2, nil, 1.0, 2.0), (6, nil, 1.0, 32.0), (7, nil, 1.0, 60.0),
      (1000, nil, 1.0, 60.0), (1, 5.0, 1.0, 5.0), (7, 5.0, 1.0, 60.0), (1, 1e6, 0.0, 600.0),
    ] as [(Int, Double?, Double, Double)]) func `backoff doubles up to its bound, with full jitter, and the destination's longer word wins`(
      failures: Int, after: Double?, jitter: Double, seconds: Double
    )
  {
    let policy = RetryPolicy(initial: .seconds(1), max: .seconds(60))
    #expect(policy.delay(after: failures, retryAfter: after.map { .seconds($0) }, jitter: jitter) == .seconds(seconds))
  }
}
