import Testing

@testable import QueueClient

@Suite struct `Bodies of batches` {
  private static let lines = (1...5000).map { "line \($0) \($0 &* 2_654_435_761 % 1_000_003)\n" }.joined()
  private static let text = Array(lines.utf8)

  /// Reads `body` in pieces of `size` bytes.
  private func read(
    _ body: [UInt8], isCompressed: Bool, form: PullRequest.Form = .lines, records: Int = 5000, byteCount: Int = text.count, pieces size: Int
  ) throws(BodyReader.Damage) -> [UInt8] {
    let reader = BodyReader(form: form, isCompressed: isCompressed, records: records, byteCount: byteCount)
    var position = 0
    while position < body.count {
      let end = min(body.count, position + size)
      var damage: BodyReader.Damage?
      Array(body[position..<end]).withUnsafeBytes { bytes in
        do throws(BodyReader.Damage) { try reader.take(bytes) } catch { damage = error }
      }
      if let damage { throw damage }
      position = end
    }
    return try reader.finish()
  }

  @Test(arguments: [1, 7, 1000, 1 << 20])
  func `a whole body gives its lines, whatever pieces it comes in`(size: Int) throws {
    #expect(try read(zip(Self.text), isCompressed: true, pieces: size) == Self.text)
    #expect(try read(Self.text, isCompressed: false, pieces: size) == Self.text)
  }

  @Test func `what is kept compressed is what came, and what came plain is compressed`() throws {
    let zipped = zip(Self.text)
    #expect(try read(zipped, isCompressed: true, form: .gzip, pieces: 1000) == zipped)
    let own = try read(Self.text, isCompressed: false, form: .gzip, pieces: 1000)
    #expect(own.count < Self.text.count)
    #expect(try read(own, isCompressed: true, pieces: 1000) == Self.text)
  }

  @Test func `a body that breaks off anywhere is an error and never a short batch`() {
    let zipped = zip(Self.text)
    for length in stride(from: 0, to: zipped.count, by: 97) + [zipped.count - 8, zipped.count - 1] {
      #expect(throws: BodyReader.Damage.self) { try read(Array(zipped[..<length]), isCompressed: true, pieces: 4096) }
      #expect(throws: BodyReader.Damage.self) { try read(Array(zipped[..<length]), isCompressed: true, form: .gzip, pieces: 4096) }
    }
    for length in stride(from: 0, to: Self.text.count, by: 997) {
      #expect(throws: BodyReader.Damage.self) { try read(Array(Self.text[..<length]), isCompressed: false, pieces: 4096) }
    }
  }

  @Test func `a changed byte behind the gzip header is an error`() {
    let zipped = zip(Self.text)
    for position in stride(from: 10, to: zipped.count, by: 61) {
      var wounded = zipped
      wounded[position] ^= 0x10
      #expect(throws: BodyReader.Damage.self, "position \(position)") { try read(wounded, isCompressed: true, pieces: 4096) }
    }
  }

  @Test func `a second member, or anything behind the first, is an error`() {
    let zipped = zip(Self.text)
    for tail in [zip(Array("more\n".utf8)), zip([]), [0]] {
      #expect(throws: BodyReader.Damage.self) { try read(zipped + tail, isCompressed: true, pieces: 1 << 20) }
      #expect(throws: BodyReader.Damage.self) { try read(zipped + tail, isCompressed: true, pieces: 1) }
    }
  }

  @Test func `other counts than were announced are an error, and no more is inflated than was announced`() {
    let zipped = zip(Self.text)
    #expect(throws: BodyReader.Damage.self) { try read(zipped, isCompressed: true, records: 4999, pieces: 4096) }
    #expect(throws: BodyReader.Damage.self) { try read(zipped, isCompressed: true, byteCount: Self.text.count + 1, pieces: 4096) }
    #expect(throws: BodyReader.Damage.self) { try read(zipped, isCompressed: true, byteCount: Self.text.count - 1, pieces: 4096) }
    let bomb = zip([UInt8](repeating: 0x0A, count: 64 << 20))
    #expect(throws: BodyReader.Damage.self) { try read(bomb, isCompressed: true, records: 1000, byteCount: 1000, pieces: 1 << 20) }
    #expect(throws: BodyReader.Damage.self) {
      try read([UInt8](repeating: 0, count: 1 << 20), isCompressed: true, form: .gzip, records: 1, byteCount: 10, pieces: 4096)
    }
  }

  @Test func `a last line without a line feed is a record`() throws {
    let text = Array("one\ntwo".utf8)
    #expect(try read(text, isCompressed: false, records: 2, byteCount: 7, pieces: 3) == text)
  }

  @Test func `nothing is nothing, compressed or not`() throws {
    #expect(try read([], isCompressed: false, records: 0, byteCount: 0, pieces: 1) == [])
    #expect(try read(zip([]), isCompressed: true, records: 0, byteCount: 0, pieces: 1) == [])
    #expect(try read(zip([]), isCompressed: true, form: .gzip, records: 0, byteCount: 0, pieces: 1) == [])
  }
}
