import RecordBlocks
import TestSupport
import Testing

@Suite struct `The block codec` {
  static let sizes = [
    0, 1, 2, 3, 15, 16, 17, 255, 256, 1000, 4095, 4096, 16_384, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 262_143, 262_144, 1 << 20,
  ]

  private func check(_ lines: [UInt8], _ writer: BlockCodec, _ readers: [BlockCodec] = [.zlib, .fast]) throws {
    let deflated = lines.withUnsafeBytes { writer.deflate($0) }
    #expect(deflated.lineByteCount == lines.count)
    #expect(deflated.checksum == lines.withUnsafeBytes { BlockCodec.checksum($0) })
    if !lines.isEmpty { #expect(deflated.data.array.suffix(4) == [0, 0, 0xFF, 0xFF]) }
    for reader in readers { #expect(try reader.inflate(deflated).array == lines, "\(writer) to \(reader), \(lines.count) bytes") }
  }

  @Test(arguments: CodecChoice.allCases) func `gives back what it was given, read by either library`(_ choice: CodecChoice) throws {
    var random = SplitMix64(seed: 1)
    for size in Self.sizes {
      let lines = random.logLines(size).prefix(size)
      try check(Array(lines), choice.codec)
      try check([UInt8](repeating: 0x0A, count: size), choice.codec)
      try check(random.bytes(size), choice.codec)
    }
  }

  @Test(arguments: CodecChoice.allCases) func `takes five megabytes, compressible or not`(_ choice: CodecChoice) throws {
    var random = SplitMix64(seed: 2)
    try check(random.logLines(5 << 20), choice.codec)
    try check(random.bytes(5 << 20), choice.codec)
    try check([UInt8](repeating: 0x61, count: 5 << 20), choice.codec)
  }

  @Test(arguments: CodecChoice.allCases) func `is used again and again with pieces of all sizes and kinds`(_ choice: CodecChoice) throws {
    var random = SplitMix64(seed: 3)
    for _ in 0..<300 {
      let size = random.int(0..<(1 << random.int(1..<17)))
      switch random.int(0..<4) {
      case 0: try check(random.bytes(size), choice.codec)
      case 1: try check(Array(random.logLines(size).prefix(size)), choice.codec)
      case 2:
        // Few different bytes: Huffman codes at their worst.
        let few = random.bytes(random.int(1..<8))
        try check((0..<size).map { _ in few[random.int(0..<few.count)] }, choice.codec)
      default:
        // Incompressible and repeating stretches in turn.
        var mixed: [UInt8] = []
        while mixed.count < size {
          mixed += random.chance(1, in: 2) ? random.bytes(random.int(1..<3000)) : [UInt8](repeating: 1, count: random.int(1..<3000))
        }
        try check(mixed, choice.codec)
      }
    }
  }

  @Test func `is used by several threads at once`() async throws {
    for codec in [BlockCodec.zlib, .fast] {
      await withTaskGroup { group in
        for worker in UInt64(0)..<8 {
          group.addTask {
            var random = SplitMix64(seed: worker)
            for _ in 0..<20 {
              let lines = random.logLines(random.int(1..<40_000))
              let deflated = lines.withUnsafeBytes { codec.deflate($0) }
              #expect((try? codec.inflate(deflated))?.array == lines)
            }
          }
        }
      }
    }
  }

  @Test(arguments: CodecChoice.allCases) func `notices data that was cut, lengthened or followed by something`(_ choice: CodecChoice) throws
  {
    var random = SplitMix64(seed: 4)
    for size in [1, 10, 1000, 100_000] {
      let lines = random.logLines(size)
      let deflated = lines.withUnsafeBytes { choice.codec.deflate($0) }
      let data = deflated.data.array
      func expectDamage(_ data: [UInt8], _ count: Int, _ location: SourceLocation = #_sourceLocation) {
        let altered = DeflatedLines(data: SharedBytes(copying: data), checksum: deflated.checksum, lineByteCount: count)
        #expect(throws: BlockDamage.inflate, sourceLocation: location) { try choice.codec.inflate(altered) }
      }
      for cut in [1, 2, 4, 5, 6, data.count / 2, data.count] where cut <= data.count {
        expectDamage(Array(data.dropLast(cut)), lines.count)
      }
      for count in [0, lines.count - 1, lines.count + 1, lines.count * 2] { expectDamage(data, count) }
      for length in 1...20 {
        expectDamage([3, 0] + data, lines.count)
        expectDamage(data + [3, 0] + random.bytes(length), lines.count)
        expectDamage(data + [3, 0] + [UInt8](repeating: 0, count: length), lines.count)
      }
      let other = DeflatedLines(data: deflated.data, checksum: deflated.checksum ^ 1, lineByteCount: lines.count)
      #expect(throws: BlockDamage.inflate) { try choice.codec.inflate(other) }
      // After damage the same states do sound work.
      #expect(try choice.codec.inflate(deflated).array == lines)
    }
  }

  @Test(arguments: CodecChoice.allCases) func `survives any bytes`(_ choice: CodecChoice) {
    var random = SplitMix64(seed: 5)
    for _ in 0..<3000 {
      let data = random.bytes(random.int(0..<200))
      let claimed = random.int(0..<1000)
      let made = DeflatedLines(data: SharedBytes(copying: data), checksum: 1, lineByteCount: claimed)
      #expect(throws: BlockDamage.inflate) { try choice.codec.inflate(made) }
    }
  }

  @Test func `sums as gzip does, in one go, in parts and over nothing`() throws {
    var random = SplitMix64(seed: 6)
    #expect(Array("123456789".utf8).withUnsafeBytes { BlockCodec.checksum($0) } == 0xCBF4_3926)
    #expect(BlockCodec.checksum(UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
    for _ in 0..<100 {
      let bytes = random.bytes(random.int(0..<5000))
      let cut = random.int(0...bytes.count)
      let whole = bytes.withUnsafeBytes { BlockCodec.checksum($0) }
      let first = bytes[..<cut].withUnsafeBytes { BlockCodec.checksum($0) }
      #expect(bytes[cut...].withUnsafeBytes { BlockCodec.checksum($0, continuing: first) } == whole)
      #expect(BlockCodec.checksum(UnsafeRawBufferPointer(start: nil, count: 0), continuing: whole) == whole)
    }
  }

  @Test func `says which library does the work`() {
    #expect(BlockCodec.zlib.kind == .zlib)
    #expect(BlockCodec.zlib.description.wholeMatch(of: /zlib \d+\.\d+(\.\d+)*.*/) != nil)
    #expect(BlockCodec.fast.description.hasPrefix(BlockCodec.fast.kind.rawValue + " "))
    #expect(BlockCodec.shared.kind == BlockCodec.fast.kind || BlockCodec.shared.kind == .zlib)
  }
}
