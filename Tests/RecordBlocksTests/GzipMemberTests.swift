import RecordBlocks
import TestSupport
import Testing

/// What other programs make of members, one by one, joined, and one after the other.
@Suite struct `Gzip members` {
  static let readers = [
    "gzip -t \"$SOURCE\" && gzip -dc \"$SOURCE\"",
    "zcat \"$SOURCE\"",
    "python3 -c 'import gzip,os,sys; sys.stdout.buffer.write(gzip.open(os.environ[\"SOURCE\"]).read())'",
  ]
  /// Reads one member and no more, and insists that nothing is left.
  static let singleMemberReader = """
    python3 -c 'import os,sys,zlib
    d = zlib.decompressobj(31)
    sys.stdout.buffer.write(d.decompress(open(os.environ["SOURCE"], "rb").read()))
    assert d.eof and not d.unused_data'
    """
  static let wholeBufferReader =
    "python3 -c 'import os,sys,zlib; sys.stdout.buffer.write(zlib.decompress(open(os.environ[\"SOURCE\"],\"rb\").read(), 31))'"

  private func pieces(_ random: inout SplitMix64) -> [[UInt8]] {
    [
      random.logLines(100), [0x0A], random.oddLines(200), random.logLines(262_144), [], random.bytes(10_000) + [0x0A],
      random.logLines(1 << 20),
    ]
  }

  @Test(arguments: CodecChoice.allCases) func `joined from deflated lines are one member`(_ choice: CodecChoice) throws {
    var random = SplitMix64(seed: 1)
    let pieces = pieces(&random)
    // Written by both libraries in turn.
    let member = GzipMember(
      joining: pieces.enumerated().map { index, lines in lines.withUnsafeBytes { (index % 2 == 0 ? choice.codec : .zlib).deflate($0) } })
    #expect(member.byteCount == member.bytes.count)
    let expected = Array(pieces.joined())
    for reader in Self.readers + [Self.singleMemberReader, Self.wholeBufferReader] {
      #expect(try pipe(member.bytes, through: reader) == expected, "\(reader)")
    }
  }

  @Test func `of one piece, and of none, are sound`() throws {
    let one = GzipMember(joining: [Array("a line\n".utf8).withUnsafeBytes { BlockCodec.zlib.deflate($0) }])
    #expect(try pipe(one.bytes, through: Self.wholeBufferReader) == Array("a line\n".utf8))
    let none = GzipMember(joining: [])
    for reader in Self.readers + [Self.singleMemberReader, Self.wholeBufferReader] { #expect(try pipe(none.bytes, through: reader) == []) }
  }

  @Test(arguments: CodecChoice.allCases) func `joined from stored blocks, whole and cut, are one member`(_ choice: CodecChoice) throws {
    var random = SplitMix64(seed: 2)
    let lines = (0..<4).map { _ in random.logLines(50_000) }
    let blocks = lines.enumerated().map { makeBlock($1, base: UInt64($0) * 1_000_000, choice.codec) }
    let slices = blocks.enumerated().map { index, block in
      index == 0 ? BlockSlice(block, block.header.base + 7..<block.header.end) : BlockSlice(block)
    }
    let member = GzipMember(joining: try slices.map { try $0.deflated(choice.codec) })
    let expected = try slices.flatMap { try $0.lines().array }
    #expect(expected.count < lines.joined().count)
    #expect(try pipe(member.bytes, through: Self.singleMemberReader) == expected)
  }

  @Test(arguments: CodecChoice.allCases) func `one after the other are a gzip file, line-less ones among them`(_ choice: CodecChoice) throws
  {
    var random = SplitMix64(seed: 3)
    var file: [UInt8] = StoredBlock(lineless: random.header(.snapshot, entries: [random.entry()])).member.array
    var expected: [UInt8] = []
    for piece in pieces(&random) where !piece.isEmpty {
      file +=
        makeBlock(
          piece, random.header(.lines, records: piece.count { $0 == 0x0A }, entries: [random.entry(), random.entry()]), choice.codec
        ).member.array
      file += StoredBlock(lineless: random.header(.mark, entries: [random.entry()])).member.array
      expected += piece
    }
    for reader in Self.readers { #expect(try pipe(file, through: reader) == expected, "\(reader)") }
    #expect(
      try pipe(file, through: "zgrep -ac '' \"$SOURCE\"")
        == Array("\(expected.count { $0 == 0x0A })\n".utf8))
  }

  @Test(arguments: CodecChoice.allCases) func `of a block hold nothing but what the page on the format says`(_ choice: CodecChoice) throws {
    let block = makeBlock(Array("x\n".utf8), choice.codec)
    let member = block.member.array
    #expect(Array(member.suffix(10).prefix(2)) == [3, 0])
    #expect(Array(member.prefix(4)) == [0x1F, 0x8B, 8, 4])
    #expect(block.deflated.data.array == Array(member[block.header.byteCount..<member.count - 10]))
    #expect(block.deflated.checksum == Array("x\n".utf8).withUnsafeBytes { BlockCodec.checksum($0) })
  }
}
