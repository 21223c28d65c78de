import RecordBlocks
import Testing

@testable import SyslogSource

@Suite("Kernel drops")
struct DropReconcilerTests {
  /// Values of the kernel's counter in the order in which they are seen, and what must have been counted after each.
  @Test(
    arguments: [
      ([], []), ([0], [0]), ([0, 0, 0], [0, 0, 0]),
      // SO_RXQ_OVFL alone, the same value on every datagram after a loss.
      ([5, 5, 5, 9, 9], [5, 5, 5, 9, 9]),
      // SO_MEMINFO is ahead of what datagrams tell that were taken in before.
      ([7, 5, 5, 7, 7, 8], [7, 7, 7, 7, 7, 8]),
      // A datagram is ahead of nothing, then the timer finds more.
      ([3, 3, 10, 4, 6, 10, 12], [3, 3, 10, 10, 10, 10, 12]),
      // Over the end of 32 bits.
      ([2_000_000_000, 4_000_000_000, 4_294_967_295, 0, 1], [2_000_000_000, 4_000_000_000, 4_294_967_295, 4_294_967_296, 4_294_967_297]),
      (
        [2_000_000_000, 4_000_000_000, 10, 4_000_000_000, 10, 11],
        [2_000_000_000, 4_000_000_000, 4_294_967_306, 4_294_967_306, 4_294_967_306, 4_294_967_307]
      ),
    ] as [([UInt32], [UInt64])]
  )
  func `no drop is counted twice, none is missed`(_ seen: [UInt32], _ expected: [UInt64]) {
    var drops = DropReconciler(openedAt: 0)
    var total: UInt64 = 0
    for (index, value) in seen.enumerated() {
      drops.observe(value, at: Int64(index + 1))
      total += drops.take(at: Int64(index + 1))?.records ?? 0
      #expect(total == expected[index])
    }
  }

  @Test func `taking late adds up, and a gap spans the time since the last look that found nothing`() {
    var drops = DropReconciler(openedAt: 100)
    let early = drops.take(at: 110)
    #expect(early == nil)
    drops.observe(0, at: 200)
    drops.observe(4, at: 300)
    drops.observe(6, at: 400)
    let gap = drops.take(at: 450)
    #expect(gap == Gap(reason: .kernelDrop, records: 6, bytes: 0, firstTime: 200, lastTime: 450))
    let nothing = drops.take(at: 460)
    #expect(nothing == nil)
    drops.observe(7, at: 500)
    let next = drops.take(at: 500)
    #expect(next == Gap(reason: .kernelDrop, records: 1, bytes: 0, firstTime: 400, lastTime: 500))
  }
}
