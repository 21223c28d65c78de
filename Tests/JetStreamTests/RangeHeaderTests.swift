import RecordBlocks
import Testing

@testable import JetStream

@Suite struct RangeHeaderTests {
  private let queue = QueueID(high: 0x0123_4567_89AB_CDEF, low: 42)

  private func header() -> RangeHeader {
    RangeHeader(queue: queue, first: Offset(100), next: Offset(250), start: Offset(7), writer: 0xFEED)
  }

  private func read(_ header: RangeHeader, changing: [String: String?] = [:]) -> RangeHeader? {
    var fields = Dictionary(uniqueKeysWithValues: header.fields.map { ($0.name, $0.value) })
    for (name, value) in changing { fields[name] = value }
    return RangeHeader { fields[$0] }
  }

  @Test func `headers come back as they were written`() {
    var gap = header()
    gap.gap = Gap(reason: .kernelDrop, records: 150, bytes: 9000, firstTime: -5, lastTime: 1 << 60)
    var piece = header()
    piece.piece = RangeHeader.Piece(number: 2, count: 5)
    for one in [header(), gap, piece] { #expect(read(one) == one) }
  }

  @Test(arguments: [
    ("Sluice-Queue", "0123"), ("Sluice-Queue", nil), ("Sluice-First-Offset", "-1"), ("Sluice-First-Offset", "250"),
    ("Sluice-Next-Offset", "99999999999999999999999"), ("Sluice-Next-Offset", "18446744073709551615"), ("Sluice-Start-Offset", "101"),
    ("Sluice-Writer", "xyz"), ("Sluice-Writer", nil), ("Sluice-Gap", "dropped;1;2;3"), ("Sluice-Gap", "dropped;18446744073709551615;2;3;4"),
    ("Sluice-Piece", "0/2"), ("Sluice-Piece", "3/2"), ("Sluice-Piece", "1/1"), ("Sluice-Piece", "1/20001"), ("Sluice-Piece", "/"),
  ])
  func `headers that make no sense are nobody's`(name: String, value: String?) {
    #expect(read(header(), changing: [name: value]) == nil)
  }

  @Test func `a gap's reason that a later version has is a drop`() {
    #expect(read(header(), changing: ["Sluice-Gap": "eaten_by_mice;1;2;3;4"])?.gap?.reason == .dropped)
  }

  @Test func `a loss of which a part was told before is the rest of it`() {
    let gap = Gap(reason: .retention, records: 150, bytes: 9000, firstTime: 1, lastTime: 2)
    #expect(gap.withoutFirst(0) == gap)
    #expect(gap.withoutFirst(100) == Gap(reason: .retention, records: 50, bytes: 0, firstTime: 1, lastTime: 2))
    #expect(gap.withoutFirst(200).records == 0)
  }

  @Test func `stored headers are read from their block`() {
    let text = "NATS/1.0\r\nSluice-Writer: ff\r\nEmpty:\r\nTwice: a\r\nTwice: b\r\nno colon\r\n\r\n"
    #expect(JetStreamAPI.headers(Array(text.utf8)) == ["Sluice-Writer": "ff", "Empty": "", "Twice": "a"])
  }
}
