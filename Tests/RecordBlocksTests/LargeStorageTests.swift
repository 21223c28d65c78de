import Testing

@testable import RecordBlocks

@Suite struct `Memory of large buffers` {
  @Test(
    arguments: [
      (1, nil), (16 << 10, nil), ((16 << 10) + 1, 20 << 10), (50_000, 56 << 10), (64 << 10, 64 << 10), ((64 << 10) + 1, 80 << 10),
      ((256 << 10) + 300, 320 << 10), (1 << 20, 1 << 20), ((1 << 20) + 1, nil),
    ] as [(Int, Int?)])
  func `has one of four sizes for each power of two, from 16 KiB to 1 MiB`(byteCount: Int, size: Int?) {
    #expect(LargeStorages.size(for: byteCount) == size)
  }

  @Test func `goes to who asks for as much next, and no more than a bound is kept`() {
    let storages = LargeStorages(maximumIdleByteCount: 1 << 20)
    let first = storages.take(512 << 10)
    storages.give(first, 512 << 10)
    #expect(storages.take(512 << 10) == first)
    let others = (0..<4).map { _ in storages.take(512 << 10) }
    storages.give(first, 512 << 10)
    for other in others { storages.give(other, 512 << 10) }
    #expect(storages.idleByteCount == 1 << 20)
    // Another size finds nothing of it.
    let small = storages.take(128 << 10)
    #expect(storages.idleByteCount == 1 << 20)
    storages.give(small, 128 << 10)
    #expect(storages.idleByteCount == 1 << 20)
  }

  @Test func `holds the bytes of its owner alone`() {
    let one = SharedBytes(copying: [UInt8](repeating: 1, count: 200_000))
    let two = SharedBytes(copying: [UInt8](repeating: 2, count: 200_000))
    #expect(one.array == [UInt8](repeating: 1, count: 200_000))
    #expect(two.array == [UInt8](repeating: 2, count: 200_000))
  }
}
