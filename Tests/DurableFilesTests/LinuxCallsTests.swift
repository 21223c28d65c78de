import CLinux
import TestSupport
import Testing

@Suite struct `Bytes in bulk` {
  @Test func `are counted right at every length and alignment`() {
    var random = SplitMix64(seed: 1)
    let bytes = random.bytes(2000).map { $0 % 3 == 0 ? 0x0A : $0 }
    bytes.withUnsafeBytes { buffer in
      for start in 0..<70 {
        for length in Array(0..<300) + [buffer.count - start] {
          let part = buffer[start..<start + length]
          #expect(linux_count_byte(buffer.baseAddress! + start, length, 0x0A) == part.count { $0 == 0x0A })
        }
      }
    }
  }

  @Test func `are counted right where every one counts`() {
    // 255 rounds of 128 bytes are what a vector of byte-wide counters holds.
    for length in [32_639, 32_640, 32_641, 65_280, 65_281, 100_000] {
      let bytes = [UInt8](repeating: 7, count: length)
      #expect(linux_count_byte(bytes, length, 7) == length)
      #expect(linux_count_byte(bytes, length, 8) == 0)
    }
    #expect(linux_count_byte(nil, 0, 0) == 0)
  }

  @Test func `are searched from the end`() {
    let bytes: [UInt8] = [1, 2, 3, 2, 1]
    bytes.withUnsafeBytes { buffer in
      #expect(linux_memrchr(buffer.baseAddress, 2, 5) == buffer.baseAddress! + 3)
      #expect(linux_memrchr(buffer.baseAddress, 2, 3) == buffer.baseAddress! + 1)
      #expect(linux_memrchr(buffer.baseAddress, 9, 5) == nil)
    }
  }
}
