import RecordBlocks
import TestSupport
import Testing

@Suite struct `A slice of a block` {
  @Test(arguments: CodecChoice.allCases) func `has just its records, stored or in memory`(_ choice: CodecChoice) throws {
    var random = SplitMix64(seed: 1)
    let records = (0..<20).map { _ in Array(random.oddLines(1)) }
    let fresh = makeBlock(Array(records.joined()), base: 100, choice.codec)
    for block in [fresh, fresh.compressedOnly] {
      for from in 0..<20 {
        for to in from + 1...20 {
          let slice = BlockSlice(block, Offset(100 + UInt64(from))..<Offset(100 + UInt64(to)))
          let expected = Array(records[from..<to].joined())
          #expect(slice.recordCount == to - from)
          #expect(slice.isWhole == (from == 0 && to == 20))
          #expect(try slice.lines(choice.codec).array == expected)
          #expect(try choice.codec.inflate(slice.deflated(choice.codec)).array == expected)
        }
      }
    }
  }

  @Test func `that is whole is sent as it is stored`() throws {
    var random = SplitMix64(seed: 2)
    let block = makeBlock(random.logLines(10_000)).compressedOnly
    #expect(try BlockSlice(block).deflated().data.array == Array(block.member.array[block.header.byteCount..<block.member.count - 10]))
  }

  @Test func `knows of unended and continued records only at the ends that have them`() {
    var random = SplitMix64(seed: 3)
    var header = random.header(.lines, records: 3)
    header.base = .zero
    header.flags = [.lastIsUnended, .firstContinues]
    let block = makeBlock(Array("a\nb\nc\n".utf8), header)
    func flags(_ from: UInt64, _ to: UInt64) -> [Bool] {
      let slice = BlockSlice(block, Offset(from)..<Offset(to))
      return [slice.firstContinues, slice.lastIsUnended]
    }
    #expect(flags(0, 3) == [true, true])
    #expect(flags(0, 2) == [true, false])
    #expect(flags(1, 3) == [false, true])
    #expect(flags(1, 2) == [false, false])
    #expect(BlockSlice(makeBlock([0x0A])).firstContinues == false)
  }

  @Test func `of lines that are fewer than the header says is damage`() throws {
    var random = SplitMix64(seed: 4)
    var header = random.header(.lines, records: 4)
    header.base = .zero
    let block = makeBlock(Array("a\nb\ncc\n".utf8), header)
    #expect(try BlockSlice(block, Offset(0)..<Offset(3)).lines().array == Array("a\nb\ncc\n".utf8))
    #expect(throws: BlockDamage.inflate) { try BlockSlice(block, Offset(1)..<Offset(4)).lines() }
  }

  @Test func `outside its block, or of nothing, traps`() async {
    await #expect(processExitsWith: .failure) { _ = BlockSlice(makeBlock([0x0A], base: 5), Offset(5)..<Offset(7)) }
    await #expect(processExitsWith: .failure) { _ = BlockSlice(makeBlock([0x0A], base: 5), Offset(4)..<Offset(6)) }
    await #expect(processExitsWith: .failure) { _ = BlockSlice(makeBlock([0x0A], base: 5), Offset(5)..<Offset(5)) }
  }
}
