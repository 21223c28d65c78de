import RecordBlocks
import TestSupport
import Testing

@Suite struct `The small types` {
  @Test func `a queue's identity is 32 hexadecimal digits and read back from nothing else`() {
    var random = SplitMix64(seed: 1)
    for id in [
      QueueID(high: 0, low: 0), QueueID(high: 1, low: 0x10), QueueID(high: .max, low: 0), QueueID(high: random.next(), low: random.next()),
    ] {
      #expect(id.description.count == 32)
      #expect(QueueID(id.description) == id)
    }
    #expect(QueueID(high: 0x0123_4567_89AB_CDEF, low: 0xFE).description == "0123456789abcdef00000000000000fe")
    for text in [
      "", "0", String(repeating: "0", count: 31), String(repeating: "0", count: 33), String(repeating: "g", count: 32),
      "+" + String(repeating: "0", count: 31),
      String(repeating: "0", count: 16) + "-" + String(repeating: "0", count: 15), String(repeating: "A", count: 32),
      String(repeating: "é", count: 16),
    ] {
      #expect(QueueID(text) == nil, "\(text)")
    }
    #expect(QueueID.random() != QueueID.random())
  }

  @Test func `an offset counts`() {
    #expect(Offset(5) + 3 == Offset(8))
    #expect(Offset(8) - Offset(5) == 3)
    #expect(Offset(5) < Offset(8))
    #expect(Offset.zero.description == "0")
    #expect(Offset(.max).description == "18446744073709551615")
  }

  @Test func `each reason of a gap has a word and a number of its own`() {
    #expect(Gap.Reason.allCases.map(\.rawValue) == [1, 2, 3, 4, 5, 6, 7])
    #expect(Set(Gap.Reason.allCases.map(\.name)).count == 7)
    #expect(Gap.Reason.allCases.allSatisfy { $0.name.wholeMatch(of: /[a-z_]+/) != nil })
  }

  @Test func `a reason that a newer version gave is a drop`() throws {
    var random = SplitMix64(seed: 1)
    let gap = Gap(reason: .retention, records: 3, bytes: 4, firstTime: 5, lastTime: 6)
    let block = StoredBlock(lineless: random.header(.gap, records: 3, entries: [.gap(gap)]))
    let found = try decodeHeader(patchHeader(block.member.array) { $0[149] = 200 }).gap
    #expect(found == Gap(reason: .dropped, records: 3, bytes: 4, firstTime: 5, lastTime: 6))
  }

  @Test func `the byte reader gives nothing past the end`() {
    let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7]
    bytes.withUnsafeBytes { buffer in
      var reader = ByteReader(buffer)
      #expect(reader.integer(UInt16.self) == 0x0201)
      #expect(reader.integer(UInt64.self) == nil)
      #expect(reader.part(6) == nil)
      #expect(reader.part(-1) == nil)
      var part = reader.part(2)
      #expect(part?.integer(UInt16.self) == 0x0403)
      #expect(part?.integer(UInt8.self) == nil)
      #expect(part?.isAtEnd == true)
      #expect(Array(reader.rest()) == [5, 6, 7])
      #expect(reader.isAtEnd)
      #expect(Array(reader.rest()) == [])
      #expect(reader.integer(UInt8.self) == nil)
      #expect(reader.part(0) != nil)
    }
    var empty = ByteReader(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(empty.isAtEnd)
    #expect(Array(empty.rest()) == [])
  }

  @Test func `shared bytes are cut without copying`() {
    let bytes = SharedBytes(copying: [1, 2, 3, 4, 5])
    let part = bytes.slice(1..<4)
    #expect(part.array == [2, 3, 4])
    #expect(part.slice(1..<2).array == [3])
    #expect(part.slice(3..<3).array == [])
    let base = bytes.withUnsafeBytes { $0.baseAddress! }
    #expect(part.withUnsafeBytes { $0.baseAddress! } == base + 1)
    #expect(SharedBytes(copying: []).array == [])
  }

  @Test func `a part outside shared bytes traps`() async {
    await #expect(processExitsWith: .failure) { _ = SharedBytes(copying: [1, 2]).slice(0..<2).slice(1..<3) }
    await #expect(processExitsWith: .failure) { _ = SharedBytes(SharedBytes.Storage(capacity: 4), from: 2, count: 3) }
  }
}
