import RecordBlocks
import Testing

@testable import JetStream

/// From stored blocks to messages and back to lines.
@Suite struct PackingTests {
  private let queue = QueueID(high: 1, low: 2)

  private func block(_ lines: [String], base: UInt64, flags: BlockHeader.Flags = []) -> StoredBlock {
    let text = Array(lines.map { $0 + "\n" }.joined().utf8)
    let header = BlockHeader(
      kind: .lines, flags: flags, queueID: queue, salt: 9, base: Offset(base), offsetCount: UInt64(lines.count), firstTime: 0, lastTime: 0,
      openAge: 0, epoch: 1, cumulativeRecords: 0, cumulativeBytes: 0, cumulativeLost: 0, durableEnd: .zero,
      entries: [.checkpoint(source: 1, stream: 1, identity: [1, 2, 3], value: [4])])
    return StoredBlock(header, copying: text.withUnsafeBytes { BlockCodec.shared.deflate($0) })
  }

  private func packing(limit: Int) -> MessagePacking {
    MessagePacking(limit: limit, template: RangeHeader(queue: queue, first: .zero, next: Offset(1), start: .zero, writer: 5))
  }

  private func lines(_ message: OutgoingMessage, from: Offset? = nil) throws -> [String] {
    var blocks = ReceivedBlocks(message.payload, claiming: message.header)
    var next = from ?? message.header.first
    var result: [String] = []
    while let lines = try blocks.next(from: next) {
      #expect(lines.range.lowerBound == next)
      next = lines.range.upperBound
      result += String(decoding: lines.bytes.array, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(
        String.init)
    }
    return result
  }

  /// Lines that don't compress.
  private func noise(_ count: Int, _ length: Int) -> [String] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in String((0..<length).map { _ in Character(Unicode.Scalar(UInt8.random(in: 33...126, using: &generator))) })
    }
  }

  @Test func `as many whole blocks as a message takes travel as they are`() throws {
    let blocks = [block(["a", "b"], base: 0), block(["c"], base: 2), block(["d", "", "e"], base: 3)]
    let limit = blocks[0].member.count + blocks[1].member.count
    let messages = try packing(limit: limit).messages(blocks.map { BlockSlice($0) }, from: .zero)
    #expect(messages.map(\.header.first) == [.zero, Offset(3)] && messages.map(\.header.next) == [Offset(3), Offset(6)])
    #expect(messages[0].payload.array == blocks[0].member.array + blocks[1].member.array)
    #expect(try messages.flatMap { try lines($0) } == ["a", "b", "c", "d", "", "e"])
  }

  @Test func `what the stream has already is cut off, within a block too`() throws {
    let slices = [BlockSlice(block(["a", "b"], base: 0)), BlockSlice(block(["c", "d", "e"], base: 2, flags: .lastIsUnended))]
    let messages = try packing(limit: 1 << 20).messages(slices, from: Offset(3))
    #expect(messages.count == 1 && messages[0].header.first == Offset(3) && messages[0].header.next == Offset(5))
    #expect(try lines(messages[0]) == ["d", "e"])
    var blocks = ReceivedBlocks(messages[0].payload, claiming: messages[0].header)
    let found = try blocks.next(from: Offset(4))
    #expect(found?.lastIsUnended == true && found?.firstContinues == false && found?.range == Offset(4)..<Offset(5))
  }

  @Test func `a block that no message takes goes in pieces, its neighbours whole`() throws {
    let large = block(noise(3, 3000), base: 1)
    let slices = [BlockSlice(block(["a"], base: 0)), BlockSlice(large), BlockSlice(block(["z"], base: 4))]
    let messages = try packing(limit: 2000).messages(slices, from: .zero)
    let pieces = messages.filter { $0.header.piece != nil }
    #expect(messages.count == pieces.count + 2 && pieces.count == (large.member.count + 1999) / 2000)
    #expect(pieces.allSatisfy { $0.header.first == Offset(1) && $0.header.next == Offset(4) && $0.payload.count <= 2000 })
    var assembly: PieceAssembly?
    for piece in pieces {
      if assembly == nil {
        assembly = piece.payload.withUnsafeBytes { PieceAssembly(piece.header, sequence: 1, $0) }
      } else {
        #expect(assembly?.isWhole == false)
        #expect(piece.payload.withUnsafeBytes { assembly?.add(piece.header, $0) } == true)
      }
    }
    #expect(assembly?.isWhole == true && assembly?.payload.array == large.member.array)
    #expect(messages.last?.header.first == Offset(4))
  }

  @Test func `pieces out of order, or of another range, make nothing`() {
    var first = packing(limit: 1).template
    first.piece = RangeHeader.Piece(number: 1, count: 3)
    var third = first
    third.piece?.number = 3
    var other = first
    other.piece?.number = 2
    other.next = Offset(9)
    [UInt8(1)].withUnsafeBytes { bytes in
      #expect(PieceAssembly(third, sequence: 1, bytes) == nil)
      var assembly = PieceAssembly(first, sequence: 1, bytes)
      #expect(assembly?.add(third, bytes) == false && assembly?.add(other, bytes) == false)
    }
  }

  @Test func `every flipped byte of a payload is found, or changes nothing`() throws {
    let sound = try packing(limit: 1 << 20).messages(
      [BlockSlice(block(["one", "two"], base: 0)), BlockSlice(block(["three"], base: 2))], from: .zero)[0]
    let expected = try lines(sound)
    for index in 0..<sound.payload.count {
      var bytes = sound.payload.array
      bytes[index] ^= 0x10
      let damaged = OutgoingMessage(header: sound.header, payload: SharedBytes(copying: bytes))
      if let found = try? lines(damaged) { #expect(found == expected, "byte \(index)") }
    }
    for count in 0..<sound.payload.count {
      let cut = OutgoingMessage(header: sound.header, payload: sound.payload.slice(0..<count))
      #expect(throws: BlockDamage.self) { try lines(cut) }
    }
  }

  @Test func `blocks of another queue, or other offsets than the headers say, are refused`() throws {
    let sound = try packing(limit: 1 << 20).messages([BlockSlice(block(["one", "two"], base: 0))], from: .zero)[0]
    for change: (inout RangeHeader) -> Void in [
      { $0.queue.low = 3 }, { $0.next = Offset(1) }, { $0.next = Offset(3) }, { $0.first = Offset(1) },
    ] {
      var lying = sound
      change(&lying.header)
      #expect(throws: BlockDamage.self) { try lines(lying) }
    }
  }
}
