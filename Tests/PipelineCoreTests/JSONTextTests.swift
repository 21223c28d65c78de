import Foundation
import PipelineCore
import Testing

@Suite("JSON text")
struct JSONTextTests {
  @Test func `every byte alone, quoted, parses back to itself or to U+FFFD`() throws {
    for byte in UInt8.min...UInt8.max {
      let (text, replaced) = escape([byte])
      #expect(replaced == (byte >= 0x80))
      #expect(try parse(text) == String(decoding: [byte], as: UTF8.self))
    }
  }

  @Test func `control characters take their short forms, others six bytes`() {
    #expect(String(decoding: escape([0x08, 0x09, 0x0A, 0x0C, 0x0D]).text, as: UTF8.self) == "\\b\\t\\n\\f\\r")
    #expect(String(decoding: escape([0x00, 0x1B, 0x1F, 0x22, 0x5C, 0x7F]).text, as: UTF8.self) == "\\u0000\\u001b\\u001f\\\"\\\\\u{7F}")
  }

  @Test(
    arguments: [
      [0xC0, 0x80], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x92], [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80],
      [0xF8, 0x88, 0x80, 0x80, 0x80], [0x80, 0xBF], [0x41, 0xFF, 0x42], [0xE0, 0x9F, 0xBF], [0xC2], [0xF1, 0x80, 0x80, 0x41],
      [0xE2, 0x82, 0xAC, 0xE2],
    ] as [[UInt8]]
  )
  func `ill-formed sequences become the same replacement characters as in the standard library`(_ bytes: [UInt8]) throws {
    let (text, replaced) = escape(bytes)
    #expect(replaced)
    #expect(try parse(text) == String(decoding: bytes, as: UTF8.self))
  }

  @Test func `well-formed text of every length of sequence passes unchanged`() throws {
    let text = "é€😀\u{2028}\u{2029}\u{FFFF}\u{10FFFF}\u{800}\u{80} plain ASCII text that is longer than a word"
    let (escaped, replaced) = escape(Array(text.utf8))
    #expect(!replaced)
    #expect(escaped == Array(text.utf8))
  }

  @Test func `random bytes always give valid JSON with the standard library's reading`() throws {
    var random = Seeded(state: 0x5EED)
    for _ in 0..<20_000 {
      let length = Int(random.next() % 40)
      let bytes = (0..<length).map { _ in
        // A mix that makes long runs, quotes and torn sequences all likely.
        [UInt8(truncatingIfNeeded: random.next()), 0x61, 0x22, 0xE2, 0x82, 0xAC][Int(random.next() % 6)]
      }
      let (text, replaced) = escape(bytes)
      let expected = String(decoding: bytes, as: UTF8.self)
      #expect(try parse(text) == expected)
      #expect(replaced == (Array(expected.utf8) != bytes))
    }
  }

  @Test func `base64 equals Foundation's for every length of tail`() {
    for length in 0..<70 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 200) }
      let output = UnsafeMutableRawBufferPointer.allocate(byteCount: JSONText.capacity(forBase64: length) + 1, alignment: 1)
      defer { output.deallocate() }
      let count = bytes.withUnsafeBytes { JSONText.base64($0, into: output.baseAddress!) }
      #expect(count == JSONText.capacity(forBase64: length))
      #expect(Data(output[..<count]) == Data(bytes).base64EncodedData())
    }
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
      (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999999Z"), (1_709_251_200_000_001_000, "2024-03-01T00:00:00.000001Z"),
      (4_107_542_399_000_000_000, "2100-02-28T23:59:59.000000Z"), (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z"),
      (Int64.max, "2262-04-11T23:47:16.854775Z"), (Int64.min, "1677-09-21T00:12:43.145224Z"),
    ] as [(Int64, String)]
  )
  func `a wall time is written in UTC with microseconds`(_ nanoseconds: Int64, _ expected: String) {
    var bytes = [UInt8](repeating: 0, count: JSONText.timestampByteCount)
    bytes.withUnsafeMutableBytes { JSONText.timestamp(nanoseconds, into: $0.baseAddress!) }
    #expect(String(decoding: bytes, as: UTF8.self) == expected)
  }

  private func escape(_ bytes: [UInt8]) -> (text: [UInt8], replaced: Bool) {
    // Guard bytes show a write past the bound that the type promises.
    let capacity = JSONText.capacity(forEscaping: bytes.count)
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity + 16, alignment: 1)
    defer { output.deallocate() }
    for index in output.indices { output[index] = 0xA5 }
    let (count, replaced) = bytes.withUnsafeBytes { JSONText.escape($0, into: output.baseAddress!) }
    #expect(output[capacity...].allSatisfy { $0 == 0xA5 })
    return (Array(output[..<count]), replaced)
  }

  private func parse(_ text: [UInt8]) throws -> String? {
    let value = try JSONSerialization.jsonObject(with: Data([0x22] + text + [0x22]), options: .fragmentsAllowed)
    return value as? String
  }

  private struct Seeded {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }
}
