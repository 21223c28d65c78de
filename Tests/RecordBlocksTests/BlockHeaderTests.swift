import RecordBlocks
import TestSupport
import Testing

@Suite struct `A block's header` {
  @Test(arguments: 0..<200) func `is read back as it was written`(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let lines = random.oddLines(random.int(1..<50))
    var entries = (0..<random.int(0..<20)).map { _ in random.entry() }
    let written: StoredBlock
    switch random.int(0..<4) {
    case 0: written = makeBlock(lines, random.header(.lines, records: lines.count { $0 == 0x0A }, entries: entries))
    case 1: written = StoredBlock(lineless: random.header(.mark, entries: entries))
    case 2: written = StoredBlock(lineless: random.header(.snapshot, entries: entries))
    default:
      entries.append(
        .gap(
          Gap(
            reason: .allCases[random.int(0..<7)], records: random.next(), bytes: random.next(), firstTime: -1,
            lastTime: Int64(random.next() >> 1))))
      written = StoredBlock(lineless: random.header(.gap, records: random.int(1..<1000), entries: entries))
    }
    let member = written.member.array
    let header = try decodeHeader(member)
    #expect(header == written.header)
    #expect(header.memberByteCount == member.count)
    #expect(header.entries == entries)
    #expect(try readBlock(member).lines == (header.kind == .lines ? lines : []))
    #expect(header.recordCount == (header.kind == .lines ? lines.count { $0 == 0x0A } : 0))
    #expect(header.end.rawValue == header.base.rawValue + header.offsetCount)
  }

  @Test func `tells the gap it stands for`() throws {
    var random = SplitMix64(seed: 1)
    let gap = Gap(reason: .kernelDrop, records: 17, bytes: 1700, firstTime: 1, lastTime: 2)
    let block = StoredBlock(lineless: random.header(.gap, records: 1, entries: [.epoch(number: 1, first: .zero), .gap(gap)]))
    #expect(try decodeHeader(block.member.array).gap == gap)
    #expect(makeBlock([0x0A]).header.gap == nil)
  }

  @Test func `holds entries up to gzip's limit`() throws {
    var random = SplitMix64(seed: 2)
    let room = BlockHeader.maximumEntryBytes - 5 - 12
    let entry = BlockEntry.checkpoint(source: 1, stream: 2, identity: nil, value: random.bytes(room))
    #expect(entry.encodedByteCount == BlockHeader.maximumEntryBytes)
    let lines = random.logLines(1000)
    let block = makeBlock(lines, random.header(.lines, records: lines.count { $0 == 0x0A }, entries: [entry]))
    let (header, found) = try readBlock(block.member.array)
    #expect(header.entries == [entry])
    #expect(found == lines)
    #expect(try pipe(block.member.array, through: "zcat \"$SOURCE\"") == lines)
  }

  @Test func `traps when its entries exceed gzip's limit`() async {
    await #expect(processExitsWith: .failure) {
      var random = SplitMix64(seed: 2)
      let entry = BlockEntry.checkpoint(source: 1, stream: 2, identity: nil, value: random.bytes(BlockHeader.maximumEntryBytes - 16))
      _ = StoredBlock(lineless: random.header(.mark, entries: [entry]))
    }
  }

  @Test func `skips entries of a type it doesn't know`() throws {
    var random = SplitMix64(seed: 3)
    let known = BlockEntry.forget(source: 7, stream: 8)
    let block = StoredBlock(lineless: random.header(.mark, entries: [.forget(source: 1, stream: 2), known]))
    let member = patchHeader(block.member.array) { $0[144] = 99 }
    #expect(try decodeHeader(member).entries == [known])
  }

  @Test func `takes a known entry that has grown at its end`() throws {
    var random = SplitMix64(seed: 3)
    // A forget entry's eight bytes and four more: written as a checkpoint without value, then given the other type.
    let block = StoredBlock(lineless: random.header(.mark, entries: [.checkpoint(source: 1, stream: 2, identity: nil, value: [])]))
    let member = patchHeader(block.member.array) { $0[144] = 3 }
    #expect(try decodeHeader(member).entries == [.forget(source: 1, stream: 2)])
  }

  @Test func `has no name that isn't UTF-8, which would grow when it is written again`() throws {
    var random = SplitMix64(seed: 3)
    let block = StoredBlock(lineless: random.header(.mark, entries: [.source(id: 1, name: "app")]))
    #expect(throws: BlockDamage.headerChecksum) { try decodeHeader(patchHeader(block.member.array) { $0[153] = 0xFF }) }
  }

  @Test func `of a newer format is told from damage`() throws {
    let member = makeBlock(Array("a\n".utf8)).member.array
    for (place, value) in [(16, UInt8(2)), (17, 4), (20, 1), (21, 0x80)] {
      let newer = patchHeader(member) { $0[place] = value }
      #expect(throws: BlockDamage.newerFormat) { try decodeHeader(newer) }
    }
  }

  @Test func `ignores compatible flags and reserved bytes that it doesn't know`() throws {
    let member = makeBlock(Array("a\n".utf8)).member.array
    for place in [19, 22, 23, 136, 143] {
      let other = patchHeader(member) { $0[place] = 0xFF }
      #expect(try readBlock(other).lines == Array("a\n".utf8))
    }
  }

  /// Facts that no writer of ours puts together, under a right checksum.
  @Test func `with a right checksum but senseless facts is damage`() throws {
    let member = makeBlock(Array("ab\ncd\n".utf8)).member.array
    var random = SplitMix64(seed: 1)
    let mark = StoredBlock(lineless: random.header(.mark)).member.array
    let gap = StoredBlock(
      lineless: random.header(.gap, records: 1, entries: [.gap(Gap(reason: .dropped, records: 1, bytes: 1, firstTime: 0, lastTime: 0))])
    ).member.array
    let keyed = StoredBlock(lineless: random.header(.mark, entries: [.key(KeyedBody(key: "abc", hash: [1]))])).member.array
    let cases: [(String, [UInt8])] = [
      ("no records in a block of lines", patchHeader(member) { $0[56] = 0 }),
      ("more records than bytes", patchHeader(member) { $0[56] = 7 }),
      ("a member shorter than its header", patchHeader(member) { $0.replaceSubrange(44..<48, with: [157, 0, 0, 0]) }),
      ("a member longer than its lines can make it", patchHeader(member) { $0[46] = 0x10 }),
      ("more bytes of lines than a block may have", patchHeader(member) { $0[67] = 0x05 }),
      ("an offset near the end of numbers", patchHeader(member) { $0[55] = 0x80 }),
      ("lines in a mark", patchHeader(mark) { $0[64] = 1 }),
      ("offsets in a mark", patchHeader(mark) { $0[56] = 1 }),
      ("a gap without offsets", patchHeader(gap) { $0[56] = 0 }),
      ("a gap that doesn't say what was lost", patchHeader(gap) { $0[144] = 99 }),
      ("an entry longer than the header", patchHeader(gap) { $0[145] = 34 }),
      ("a gap entry cut short", patchHeader(gap) { $0[145] = 32 }),
      ("a key without bytes", patchHeader(keyed) { $0[173] = 0 }),
      ("a key with a space", patchHeader(keyed) { $0[175] = 0x20 }),
      ("a key that isn't ASCII", patchHeader(keyed) { $0[176] = 0xC3 }),
      ("a key longer than its entry", patchHeader(keyed) { $0[173] = 6 }),
      ("a hash longer than its entry", patchHeader(keyed) { $0[177] = 2 }),
      ("a keyed offset near the end of numbers", patchHeader(keyed) { $0[156] = 0x80 }),
      ("more keyed records than there are numbers", patchHeader(keyed) { $0[164] = 0x80 }),
    ]
    for (what, bytes) in cases { #expect(throws: BlockDamage.headerChecksum, "\(what)") { try decodeHeader(bytes) } }
  }

  @Test func `is found by its first ten bytes`() throws {
    var random = SplitMix64(seed: 4)
    let member = makeBlock(random.logLines(500)).member.array
    let magic = Array(member.prefix(10))
    func candidate(_ bytes: [UInt8], from start: Int = 0) -> Int? {
      bytes.withUnsafeBytes { BlockHeader.firstCandidate(in: $0, from: start) }
    }
    #expect(candidate([]) == nil)
    #expect(candidate(Array(magic.dropLast())) == nil)
    #expect(candidate(magic) == 0)
    #expect(candidate(magic, from: 1) == nil)
    #expect(candidate(magic, from: 11) == nil)
    #expect(candidate([0x1F, 0x1F, 0x8B, 0x1F, 0x8B, 8, 4] + magic) == 7)
    #expect(candidate(member + member) == 0)
    #expect(candidate(member + member, from: 1) == member.count)
    #expect(candidate([UInt8](repeating: 0x1F, count: 1000) + magic) == 1000)
    #expect(candidate(GzipMember.header) == nil)
  }
}
