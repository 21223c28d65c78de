import Foundation
import Testing

@testable import SyslogSource

@Suite("Sample datagrams")
struct SampleDatagramTests {
  /// The samples that are wrong on purpose, and in which way.
  private static let broken: [String: SyslogProblem] = [
    "no-priority": .noHeader, "priority-out-of-range": .priorityOutOfRange, "impossible-date": .timestampImpossible,
    "broken-structured-data": .structuredDataMalformed,
  ]

  @Test func `every sample parses, but for those that are wrong on purpose`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let directory = root.appending(path: "fixtures/syslog")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path(percentEncoded: false)).filter {
      $0.hasSuffix(".datagram")
    }
    #expect(names.count >= 19)
    #expect(Set(Self.broken.keys).isSubset(of: names.map { String($0.dropLast(".datagram".count)) }))
    for name in names {
      let fixture = FormatterFixture()
      let fields = try fixture.object([UInt8](Data(contentsOf: directory.appending(path: name))))
      let expected = Self.broken[String(name.dropLast(".datagram".count))].map { "\($0.text)" }
      #expect(fields["parse_error"] as? String == expected, "\(name)")
      #expect(fields["message"] != nil || name == "rfc5424-nil.datagram", "\(name)")
    }
  }
}
