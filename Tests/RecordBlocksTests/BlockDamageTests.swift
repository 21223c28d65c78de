import RecordBlocks
import TestSupport
import Testing

@Suite struct `Damage to a block` {
  private let lines = Array("first line\nsecond line\n\nfourth\n".utf8)

  private func block() -> StoredBlock {
    var random = SplitMix64(seed: 1)
    return makeBlock(lines, random.header(.lines, records: 4, entries: [random.entry(), .forget(source: 1, stream: 2)]))
  }

  @Test func `is noticed for every bit`() throws {
    let member = block().member.array
    #expect(try readBlock(member).lines == lines)
    for position in member.indices {
      for bit in 0..<8 {
        var damaged = member
        damaged[position] ^= 1 << UInt8(bit)
        #expect(throws: BlockDamage.self, "bit \(bit) of byte \(position)") { try readBlock(damaged) }
      }
    }
  }

  @Test func `is noticed for every value of every byte before anything is inflated, but for checksums made to fit`() throws {
    let member = block().member.array
    for position in member.indices {
      for value in UInt8.min ... .max where value != member[position] {
        var damaged = member
        damaged[position] = value
        let error = #expect(throws: BlockDamage.self) { try readBlock(damaged) }
        #expect(error != .inflate)
      }
    }
  }

  @Test func `by truncation is told as such at every length`() throws {
    let member = block().member.array
    for length in 0..<member.count {
      #expect(throws: BlockDamage.truncated, "\(length) bytes") { try readBlock(Array(member.prefix(length))) }
    }
  }

  @Test func `by a burst is noticed`() throws {
    var random = SplitMix64(seed: 5)
    let member = makeBlock(random.logLines(3000)).member.array
    for _ in 0..<2000 {
      var damaged = member
      let start = random.int(0..<member.count)
      let burst = random.bytes(random.int(1...min(600, member.count - start)))
      damaged.replaceSubrange(start..<start + burst.count, with: burst)
      if damaged != member { #expect(throws: BlockDamage.self) { try readBlock(damaged) } }
    }
  }

  @Test func `by a sector of zeros is noticed`() throws {
    var random = SplitMix64(seed: 6)
    let member = makeBlock(random.logLines(20_000)).member.array
    for sector in stride(from: 0, to: member.count, by: 512) {
      var damaged = member
      for i in sector..<min(sector + 512, member.count) { damaged[i] = 0 }
      #expect(throws: BlockDamage.self) { try readBlock(damaged) }
    }
  }

  @Test func `doesn't reach past the block's end`() throws {
    let member = block().member.array
    #expect(try readBlock(member + [1, 2, 3]).lines == lines)
  }

  @Test func `is what bytes that were never a block are`() {
    #expect(throws: BlockDamage.noBlock) { try decodeHeader([UInt8](repeating: 0, count: 1000)) }
    #expect(throws: BlockDamage.noBlock) { try decodeHeader([0x1F, 0x8B, 8, 0] + [UInt8](repeating: 0, count: 1000)) }
    #expect(throws: BlockDamage.truncated) { try decodeHeader([]) }
  }

  /// The outer checksum is right, what it covers isn't: another program's bug, or someone's intent.
  @Test(arguments: CodecChoice.allCases) func `under right checksums is found when the lines are asked for`(_ choice: CodecChoice) throws {
    let member = block().member.array
    let start = block().header.byteCount
    for position in start..<member.count {
      for mask in [UInt8(0x01), 0x10, 0xFF] {
        let forged = forge(member) { $0[position] ^= mask }
        do {
          // Bits that pad deflate data to a byte mean nothing.
          #expect(try readBlock(forged, choice.codec).lines == lines, "\(position)")
          #expect(position < member.count - 14, "\(position)")
        } catch { #expect(error == .inflate, "\(position)") }
      }
    }
    // Data that inflates to more or fewer bytes than the header says.
    for claimed in [lines.count - 1, lines.count + 1, 10, 5000] {
      let forged = forge(patchHeader(member) { $0.replaceSubrange(64..<68, with: littleEndian(UInt32(claimed))) }) {
        $0.replaceSubrange(member.count - 4..<member.count, with: littleEndian(UInt32(claimed)))
      }
      #expect(throws: BlockDamage.inflate) { try readBlock(forged, choice.codec) }
    }
  }

  private func littleEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

  /// Changes a member and makes both checksums of its header right again.
  private func forge(_ member: [UInt8], _ change: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes = member
    change(&bytes)
    let start = 16 + Int(bytes[14]) + Int(bytes[15]) << 8
    let checksum = bytes.withUnsafeBytes { BlockCodec.checksum(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    return patchHeader(bytes) { $0.replaceSubrange(100..<104, with: littleEndian(checksum)) }
  }
}
