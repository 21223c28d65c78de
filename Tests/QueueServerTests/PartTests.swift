import HTTPTypes
import NIOCore
import RecordBlocks
import TestSupport
import Testing

@testable import QueueServer

@Suite("Parts of requests") struct PartTests {
  @Test(
    arguments: [
      ([], false), (["gzip"], true), (["deflate, GZIP"], true), (["gzip;q=0"], false), (["gzip; q=0.0"], false), (["*"], true),
      (["*;q=0", "gzip"], true),
      (["identity"], false), (["br", "x-gzip"], true), (["gzip;q=nonsense"], false),
    ] as [([String], Bool)])
  func `gzip is sent to who takes it`(fields: [String], expected: Bool) { #expect(AcceptedEncodings(fields).hasGzip == expected) }

  @Test(
    arguments: [
      ("bytes=0-9", 0..<10), ("bytes=90-", 90..<100), ("bytes=-10", 90..<100), ("bytes=95-200", 95..<100), ("bytes=-200", 0..<100),
      ("BYTES=1-1", 1..<2),
      ("bytes=100-", nil), ("bytes=-0", nil), ("bytes=9-1", nil), ("bytes=", nil), ("bytes=a-b", nil), ("lines=0-1", nil),
      ("bytes=1-2,4-5", nil),
    ] as [(String, Range<Int64>?)])
  func `one range of bytes`(text: String, expected: Range<Int64>?) { #expect(ByteRange(text)?.resolved(in: 100) == expected) }

  @Test func `lines are cut wherever the pieces of a body end`() throws {
    let body = Array("one\n\nthree is longer\nno line feed".utf8)
    for first in 0...body.count {
      for second in first...body.count {
        var cutter = LineCutter()
        for piece in [Array(body[..<first]), Array(body[first..<second]), Array(body[second...])] {
          try append(piece, to: &cutter)
        }
        cutter.finish()
        let batch = cutter.takeBatch()
        #expect(batch.recordCount == 4)
        #expect(batch.withLines { Array($0) } == body + [10])
      }
    }
  }

  private func append(_ bytes: [UInt8], to cutter: inout LineCutter) throws {
    try bytes.withUnsafeBytes { (bytes) throws in try cutter.append(bytes) }
  }

  @Test func `a line has a bound, in one piece or in many`() {
    let piece = [UInt8](repeating: 0x61, count: 1 << 20)
    #expect(throws: LineCutter.LineTooLong.self) {
      var cutter = LineCutter()
      for _ in 0..<17 { try append(piece, to: &cutter) }
    }
    #expect(throws: LineCutter.LineTooLong.self) {
      var cutter = LineCutter()
      let line = [UInt8](repeating: 0x61, count: LineCutter.longestLine + 1) + [10]
      try append(line, to: &cutter)
    }
  }

  @Test func `a body that inflates beyond its bound is stopped there`() throws {
    let zeros = [UInt8](repeating: 0, count: 4 << 20)
    let parts = zeros.withUnsafeBytes { [BlockCodec.shared.deflate($0)] }
    let bomb = GzipMember(joining: parts).pieces.flatMap(\.array)
    let decoder = BodyDecoder(isGzip: true, limit: 1 << 20)
    decoder.feed(ByteBuffer(bytes: bomb))
    var total = 0
    #expect(throws: BodyDecoder.Failure.tooLarge) { while try decoder.next({ total += $0.count }) {} }
    #expect(total <= 1 << 20)
  }

  @Test func `answers share a bounded memory`() throws {
    let budget = ResponseBudget(total: 64 << 20)
    do {
      let first = try budget.share(of: 64 << 20)
      #expect(first.byteCount == 64 << 20)
      first.resize(to: 40 << 20)
      let second = try budget.share(of: 64 << 20)
      #expect(second.byteCount == 3 << 20)
      #expect(try budget.share(of: 1000).byteCount == 1000)
      second.resize(to: 24 << 20)
      #expect(throws: Problem.self) { try budget.share(of: 1) }
      withExtendedLifetime((first, second)) {}
    }
    #expect(try budget.share(of: 64 << 20).byteCount == 64 << 20)
    #expect(budget.inUse == 0)
  }

  @Test func `times of RFC 3339`() {
    #expect(WireTime.nanoseconds("2026-09-01T12:00:00Z") == 1_788_264_000_000_000_000)
    #expect(WireTime.nanoseconds("2026-09-01T14:00:00+02:00") == 1_788_264_000_000_000_000)
    #expect(WireTime.nanoseconds("2026-09-01T14:00:00 02:00") == 1_788_264_000_000_000_000, "a '+' that a query made a blank of")
    #expect(WireTime.nanoseconds("2026-09-01T12:00:00.5Z").map { $0 / 1_000_000 } == 1_788_264_000_500)
    #expect(WireTime.nanoseconds("2026-09-01") == nil)
    #expect(WireTime.nanoseconds("1-2") == nil)
  }

  @Test func `metrics escape what labels hold`() {
    var text = MetricsText()
    text.add("a_total", .counter, "Help.", [MetricsText.Sample(1.5, ("name", "x\"\\\ny")), MetricsText.Sample(7)])
    text.add("empty", .gauge, "Nothing.", [])
    #expect(text.text == "# HELP a_total Help.\n# TYPE a_total counter\na_total{name=\"x\\\"\\\\\\ny\"} 1.5\na_total 7\n")
  }
}
