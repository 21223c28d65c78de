import Hummingbird
import NIOCore
import RecordBlocks
import Testing

@testable import QueueServer

@Suite struct `An answer's body` {
  /// Takes what a body writes, as slowly as a connection: each buffer is held while the next two are made.
  private final class Collector: ResponseBodyWriter {
    var bytes: [UInt8] = []
    var buffers: [ByteBuffer] = []
    var isFinished = false

    func write(_ buffer: ByteBuffer) async throws {
      buffers.append(buffer)
      if buffers.count > 2 { bytes += Array(buffers.removeFirst().readableBytesView) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
      while !buffers.isEmpty { bytes += Array(buffers.removeFirst().readableBytesView) }
      isFinished = true
    }
  }

  @Test(arguments: [
    [0], [1], [32 << 10], [20 << 10, 12 << 10, 1], [300_000, 1, 0, 500_000], [1 << 20], [700_000, 700_000], [10, 3 << 20, 77],
  ])
  func `is its pieces in order, whatever buffers they go through`(sizes: [Int]) async throws {
    var next: UInt8 = 0
    let pieces = sizes.map { size in
      SharedBytes(
        copying: (0..<size).map { _ in
          next = next &* 31 &+ 7
          return next
        })
    }
    let all = pieces.flatMap { $0.array }
    let budget = ResponseBudget(total: 64 << 20)
    var share: ResponseBudget.Share? = try budget.share(of: all.count)
    share?.resize(to: AnswerBody.memoryByteCount(of: pieces))
    #expect(budget.inUse >= all.count)
    var body: ResponseBody? = AnswerBody.of(pieces, share!)
    share = nil
    #expect(body?.contentLength == all.count)
    let collector = Collector()
    try await body.take()!.write(collector)
    #expect(collector.isFinished)
    #expect(collector.bytes == all)
    #expect(budget.inUse == 0)
  }
}
