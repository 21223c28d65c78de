import CLinux
import Foundation
import Glibc
import RecordBlocks
import TestSupport
import Testing

@testable import SyslogSource

@Suite("Syslog messages")
struct SyslogMessageTests {
  static let all = MessageCase.rfc5424 + MessageCase.rfc3164 + MessageCase.cisco + MessageCase.unparsed

  @Test(arguments: all)
  func `a datagram becomes exactly these fields`(_ message: MessageCase) throws {
    let fixture = FormatterFixture()
    var fields = try fixture.object(message.datagram)
    #expect(fields.removeValue(forKey: "received_at") as? String == "2026-09-01T12:00:00.000000Z")
    #expect(fields.removeValue(forKey: "peer") as? String == "192.0.2.7")
    let actual = try JSONSerialization.data(withJSONObject: fields, options: .sortedKeys)
    #expect(String(decoding: actual, as: UTF8.self) == String(decoding: message.expected, as: UTF8.self))
    #expect(fixture.counts.unparsed == (fields["parse_error"] == nil ? 0 : 1))
    #expect(fixture.counts.notUTF8 == (fields["message_base64"] == nil ? 0 : 1))
  }

  @Test func `every prefix of every message is one record, and what doesn't parse is kept whole`() throws {
    let fixture = FormatterFixture()
    for message in Self.all {
      for length in 0..<message.datagram.count {
        let prefix = Array(message.datagram[..<length])
        let fields = try fixture.object(prefix)
        guard fields["parse_error"] != nil else { continue }
        var text = prefix
        while let last = text.last, last == 0 || last == 0x0A { text.removeLast(last == 0x0A && text.dropLast().last == 0x0D ? 2 : 1) }
        if let kept = fields["message_base64"] as? String {
          #expect(Data(base64Encoded: kept) == Data(text))
        } else {
          #expect(fields["message"] as? String == String(decoding: text, as: UTF8.self))
        }
      }
    }
  }

  @Test func `random datagrams and damaged messages are each one line of valid JSON`() throws {
    let seed: UInt64 = 0x51A6
    var random = SplitMix64(seed: seed)
    let fixture = FormatterFixture()
    let raw = FormatterFixture(format: .raw)
    let alphabet = Array("<13>1 -[]=\"\\: 0123456789ABCDEFTZabcOctsuh%*.\n\0".utf8) + [0xC3, 0xA9, 0xFF, 0xEF, 0xBB, 0xBF]
    for index in 0..<200_000 {
      var datagram: [UInt8]
      switch index % 4 {
      case 0: datagram = random.bytes(random.int(0..<64))
      case 1:
        datagram = []
        for _ in 0..<random.int(0..<80) { datagram.append(alphabet[random.int(0..<alphabet.count)]) }
      default:
        // A message with a few bytes changed, doubled or gone.
        datagram = Self.all[random.int(0..<Self.all.count)].datagram
        for _ in 0..<random.int(1...4) where !datagram.isEmpty {
          let place = random.int(0..<datagram.count)
          switch random.int(0..<3) {
          case 0: datagram[place] = UInt8(truncatingIfNeeded: random.next())
          case 1: datagram.remove(at: place)
          default: datagram.insert(alphabet[random.int(0..<alphabet.count)], at: place)
          }
        }
      }
      let record = fixture.record(datagram)
      let parsed = try? JSONSerialization.jsonObject(with: Data(record)) as? [String: Any]
      guard String(validating: record, as: UTF8.self) != nil, parsed?["received_at"] != nil else {
        Issue.record("seed \(seed), datagram \(index): \(datagram) became \(record)")
        return
      }
      if index % 8 == 0 { _ = raw.record(datagram) }
    }
  }

  @Test(
    arguments: [
      ("2026-01-01T00:00:05Z", "Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
      ("2025-12-31T23:59:58Z", "Jan  1 00:00:03", "2026-01-01T00:00:03Z"),
      ("2028-03-01T00:00:00Z", "Feb 29 10:00:00", "2028-02-29T10:00:00Z"),
      ("2027-12-31T00:00:00Z", "Feb 29 10:00:00", "2028-02-29T10:00:00Z"),
      ("2026-07-02T12:00:00Z", "Jan  1 00:00:00", "2026-01-01T00:00:00Z"),
      ("2026-07-05T12:00:00Z", "Jan  1 00:00:00", "2027-01-01T00:00:00Z"),
      ("1970-01-01T00:00:00Z", "Jan  1 00:00:00", "1970-01-01T00:00:00Z"),
    ]
  )
  func `a timestamp without a year gets the nearest one`(_ received: String, _ written: String, _ expected: String) throws {
    let fixture = FormatterFixture(receivedAt: received)
    #expect(try fixture.object("<13>\(written) h a: m")["timestamp"] as? String == expected)
  }

  @Test func `a timestamp without a zone takes the configured offset, one with a zone keeps its own`() throws {
    let fixture = FormatterFixture(utcOffsetMinutes: -210)
    #expect(try fixture.object("<13>Aug 31 10:00:00 h a: m")["timestamp"] as? String == "2026-08-31T10:00:00-03:30")
    #expect(try fixture.object("<13>2026-08-31 10:00:00 h a: m")["timestamp"] as? String == "2026-08-31T10:00:00-03:30")
    #expect(try fixture.object("<13>Aug 31 10:00:00 UTC h a: m")["timestamp"] as? String == "2026-08-31T10:00:00Z")
    #expect(try fixture.object("<13>1 2026-08-31T10:00:00+01:00 h a - - - m")["timestamp"] as? String == "2026-08-31T10:00:00+01:00")
  }

  @Test func `the peer is the sender's address, IPv4 also through an IPv6 socket`() throws {
    let fixture = FormatterFixture()
    let datagram = Array("<13>m".utf8)
    var sender = FormatterFixture.sender(ipv4: 10, 20, 30, 255)
    #expect(try fixture.object(datagram, from: sender)["peer"] as? String == "10.20.30.255")
    sender = linux_datagram()
    sender.family = UInt16(AF_INET6)
    for (text, expected) in [
      ("2001:db8::17", "2001:db8::17"), ("::1", "::1"), ("::ffff:10.20.30.254", "10.20.30.254"), ("::", "::"), ("::102:304", "::1.2.3.4"),
    ] {
      let code = withUnsafeMutableBytes(of: &sender.address) { inet_pton(AF_INET6, text, $0.baseAddress) }
      #expect(code == 1)
      #expect(try fixture.object(datagram, from: sender)["peer"] as? String == expected)
    }
    #expect(try fixture.object(datagram)["peer"] as? String == "192.0.2.7")
  }

  @Test func `a datagram that was cut says so`() throws {
    let fixture = FormatterFixture()
    let fields = try fixture.object(Array("<13>Aug 31 10:00:00 h a: begin".utf8), isCut: true)
    #expect(fields["message"] as? String == "begin")
    #expect(fields["parse_error"] as? String == "\(SyslogProblem.cutAtLimit.text)")
    #expect(fixture.counts.cut == 1)
  }

  @Test(
    arguments: [
      ("", ""), ("\n", ""), ("\n\n", "#012"), ("<13>m", "<13>m"), ("<13>m\n", "<13>m"), ("<13>m\n\n", "<13>m#012"),
      ("a\nb\nc\n", "a#012b#012c"), ("m\0", "m\0"),
      ("m\r\n", "m\r"), ("\0\t\u{1B}", "\0\t\u{1B}"),
    ]
  )
  func `a raw record is the datagram, its last line feed removed and others escaped`(_ datagram: String, _ expected: String) {
    let fixture = FormatterFixture(format: .raw)
    #expect(fixture.record(Array(datagram.utf8)) == Array(expected.utf8))
    #expect(fixture.counts.escapedLineFeeds == UInt64(expected.components(separatedBy: "#012").count - 1))
    #expect(fixture.record([0xFF, 0xC3, 0x0A]) == [0xFF, 0xC3])
  }

  @Test func `the worst of the largest datagrams stays within its room`() throws {
    let fixture = FormatterFixture()
    let size = SyslogSource.Configuration.largestDatagramBytes
    let field = [UInt8](repeating: 0x01, count: 30_000)
    for datagram in [
      [UInt8](repeating: 0x01, count: size), [UInt8](repeating: 0xFF, count: size),
      Array("<13>1 - ".utf8) + field + Array(" ".utf8) + field,
      Array("<13>1 - h a - - [x y=\"".utf8) + [UInt8](repeating: 0xFF, count: 60_000) + Array("\"]".utf8),
    ] {
      _ = try fixture.object(datagram)
    }
  }
}
