import RecordBlocks
import SegmentQueue
import Testing

@testable import PipelineRuntime

@Suite struct StatusRateTests {
  @Test func `rates in and out are told from the second look on, and a seek back is none`() async throws {
    let clock = ManualClock()
    var fixture = RunFixture()
    fixture.clock = clock
    let queue = try fixture.open()
    let job = try queue.consumer("job", kind: .pull)
    let runner = fixture.runner(queue, sinks: [])
    let first = runner.status()
    #expect(first.recordsPerSecond == nil && first.bytesPerSecond == nil)
    #expect(first.forecasts.map(\.recordsPerSecond) == [nil])
    try await queue.writer(source: "source").writeDurably((0..<100).map { _ in "123456789" })
    _ = try job.read(from: .zero, limits: BatchLimits(maxBytes: 1 << 20))
    try job.commit(Offset(40))
    clock.advance(by: .seconds(2))
    let second = runner.status()
    #expect(second.recordsPerSecond == 50)
    #expect(second.bytesPerSecond == 500)
    #expect(second.forecasts.map(\.recordsPerSecond) == [20])
    #expect(second.forecasts.map(\.bytesPerSecond) == [200])
    #expect(second.forecasts.map(\.lagBytesPerSecond) == [300])
    try job.seek(to: .oldest)
    clock.advance(by: .seconds(10))
    #expect(runner.status().forecasts.map(\.recordsPerSecond) == [0])
    await queue.close()
  }
}
