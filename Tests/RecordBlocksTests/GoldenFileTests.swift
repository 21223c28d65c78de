import Foundation
import RecordBlocks
import TestSupport
import Testing

/// The page on the format against files that were written once and are never written again.
@Suite struct `The golden file` {
  private let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  private let second: Int64 = 1_000_000_000
  private let start: Int64 = 1_767_225_600_000_000_000
  private let queueID = QueueID("00112233445566778899aabbccddeeff")!

  private static let names = ["format-1", "format-1-keys"]

  private func golden(_ name: String = "format-1") throws -> [UInt8] {
    Array(try Data(contentsOf: package.appendingPathComponent("Tests/RecordBlocksTests/Golden/\(name).gz")))
  }

  @Test func `is the page's example, byte for byte`() throws {
    let page = try String(
      contentsOf: package.appendingPathComponent("Sources/RecordBlocks/Documentation.docc/BlockFormat.md"), encoding: .utf8)
    var dumped: [[UInt8]] = []
    for line in page.split(separator: "\n") where line.wholeMatch(of: /[0-9a-f]{8}  [0-9a-f]{2}( [0-9a-f]{2}){0,15}/) != nil {
      if Int(line.prefix(8), radix: 16) == 0 { dumped.append([]) }
      let last = try #require(dumped.indices.last)
      #expect(Int(line.prefix(8), radix: 16) == dumped[last].count)
      dumped[last] += line.dropFirst(10).split(separator: " ").map { UInt8($0, radix: 16)! }
    }
    #expect(try Self.names.map { try golden($0) } == dumped)
  }

  @Test func `is read as what the page says`() throws {
    var bytes = try golden()
    var blocks: [(header: BlockHeader, lines: [UInt8])] = []
    while !bytes.isEmpty {
      blocks.append(try readBlock(bytes))
      bytes.removeFirst(blocks.last!.header.memberByteCount)
    }
    #expect(blocks.map(\.header.kind) == [.snapshot, .lines, .gap, .lines, .mark])
    #expect(blocks.map(\.header.flags) == [.snapshotComplete, [], [], .lastIsUnended, []])
    #expect(blocks.map(\.lines) == ["", "first record\n\nthird record\n", "", "no line feed\n", ""].map { Array($0.utf8) })
    #expect(blocks.map(\.header.base.rawValue) == [0, 0, 3, 4, 5])
    #expect(blocks.map(\.header.end.rawValue) == [0, 3, 4, 5, 5])
    #expect(blocks.map(\.header.recordCount) == [0, 3, 0, 1, 0])
    #expect(blocks.map(\.header.lineByteCount) == [0, 27, 0, 13, 0])
    #expect(blocks.map(\.header.byteCount) == [203, 167, 186, 180, 165])
    #expect(blocks.map(\.header.memberByteCount) == [213, 204, 196, 209, 175])
    #expect(blocks.allSatisfy { $0.header.queueID == queueID && $0.header.salt == 0x5EED_CAFE })
    #expect(blocks.map(\.header.source) == [0, 1, 1, 1, 0])
    #expect(blocks.map { ($0.header.firstTime - start) / second } == [0, 1, 4, 5, 6])
    #expect(blocks.map { ($0.header.lastTime - start) / second } == [0, 3, 4, 5, 6])
    #expect(blocks.map { $0.header.openAge / UInt64(second) } == [0, 3, 4, 5, 6])
    #expect(blocks.map(\.header.epoch) == [1, 1, 1, 1, 2])
    #expect(blocks.map(\.header.cumulativeRecords) == [0, 0, 3, 3, 4])
    #expect(blocks.map(\.header.cumulativeBytes) == [0, 0, 27, 27, 40])
    #expect(blocks.map(\.header.cumulativeLost) == [0, 0, 0, 17, 17])
    #expect(blocks.map(\.header.durableEnd.rawValue) == [0, 0, 3, 4, 5])
    let gap = Gap(reason: .kernelDrop, records: 17, bytes: 3400, firstTime: start + 3 * second, lastTime: start + 4 * second)
    #expect(
      blocks.map(\.header.entries) == [
        [
          .source(id: 1, name: "app"), .epoch(number: 1, first: .zero),
          .checkpoint(source: 1, stream: 7, identity: Array("inode 12".utf8), value: Array("0".utf8)),
        ],
        [.checkpoint(source: 1, stream: 7, identity: nil, value: Array("27".utf8))], [.gap(gap)],
        [.checkpoint(source: 1, stream: 7, identity: nil, value: Array("39".utf8)), .forget(source: 1, stream: 7)],
        [.epoch(number: 2, first: Offset(5))],
      ])
  }

  @Test func `with keys is read as what the page says`() throws {
    var bytes = try golden("format-1-keys")
    let snapshot = try readBlock(bytes)
    bytes.removeFirst(snapshot.header.memberByteCount)
    let block = try readBlock(bytes)
    #expect(bytes.count == block.header.memberByteCount)
    let age = UInt64(second)
    #expect(snapshot.header.kind == .snapshot && snapshot.header.flags == .snapshotComplete && snapshot.header.base == Offset(9))
    #expect(
      snapshot.header.entries == [
        .source(id: 1, name: "push"), .epoch(number: 3, first: Offset(7)),
        .key(KeyedBody(key: "order-17", hash: [0xA1, 0xB2, 0xC3, 0xD4], first: Offset(7), recordCount: 2, openAge: 5 * age)),
      ])
    #expect(block.lines == Array("one\ntwo\n".utf8) && block.header.base == Offset(9) && block.header.end == Offset(11))
    #expect(block.header.entries == [.key(KeyedBody(key: "order-18", hash: [], first: Offset(9), recordCount: 2, openAge: 11 * age))])
    #expect(block.header.keyedBody?.key == "order-18" && snapshot.header.keyedBody == nil, "a snapshot's keys are of other blocks")
  }

  @Test(arguments: CodecChoice.allCases, names) func `is what is written from its own facts, whichever library inflates it`(
    _ choice: CodecChoice, _ name: String
  ) throws {
    let bytes = try golden(name)
    var written: [UInt8] = []
    var rest = bytes
    while !rest.isEmpty {
      let header = try decodeHeader(rest)
      let stored = try StoredBlock(header, member: SharedBytes(copying: Array(rest.prefix(header.memberByteCount))))
      #expect(try choice.codec.inflate(stored.deflated).array == readBlock(rest).lines)
      written += StoredBlock(header, copying: stored.deflated).member.array
      rest.removeFirst(header.memberByteCount)
    }
    #expect(written == bytes)
  }

  @Test func `is lines to zcat`() throws {
    #expect(try pipe(golden(), through: "zcat \"$SOURCE\"") == Array("first record\n\nthird record\nno line feed\n".utf8))
  }
}
