import CLinux
import Foundation
import Glibc
import RecordBlocks
import Testing

@testable import SyslogSource

/// A datagram and what must become of it.
struct MessageCase: Sendable, CustomTestStringConvertible {
  let datagram: [UInt8]
  let expected: [UInt8]

  /// The expected record without `received_at` and `peer`; `structured` is JSON.
  init(
    _ datagram: String, pri: Int? = nil, time: String? = nil, host: String? = nil, app: String? = nil, process: String? = nil,
    id: String? = nil,
    structured: String? = nil, message: String? = nil, base64: String? = nil, error: SyslogProblem? = nil
  ) {
    self.init(
      bytes: Array(datagram.utf8), pri: pri, time: time, host: host, app: app, process: process, id: id, structured: structured,
      message: message,
      base64: base64, error: error)
  }

  init(
    bytes: [UInt8], pri: Int? = nil, time: String? = nil, host: String? = nil, app: String? = nil, process: String? = nil,
    id: String? = nil,
    structured: String? = nil, message: String? = nil, base64: String? = nil, error: SyslogProblem? = nil
  ) {
    datagram = bytes
    var fields: [String: Any] = [:]
    if let pri {
      fields["facility"] = pri / 8
      fields["severity"] = pri % 8
      fields["facility_name"] = Self.facilities[pri / 8]
      fields["severity_name"] = Self.severities[pri % 8]
    }
    fields["timestamp"] = time
    fields["hostname"] = host
    fields["app_name"] = app
    fields["proc_id"] = process
    fields["msg_id"] = id
    if let structured { fields["structured_data"] = try? JSONSerialization.jsonObject(with: Data(structured.utf8)) }
    fields["message"] = message
    fields["message_base64"] = base64
    if let error { fields["parse_error"] = "\(error.text)" }
    expected = (try? Array(JSONSerialization.data(withJSONObject: fields, options: .sortedKeys))) ?? []
  }

  var testDescription: String { String(decoding: datagram.prefix(120), as: UTF8.self).debugDescription }

  private static let facilities = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "console",
    "cron2", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7",
  ]
  private static let severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
}

/// Formats datagrams as the source does, and reads the records back.
final class FormatterFixture {
  static let receivedAt = "2026-09-01T12:00:00Z"
  private var formatter: RecordFormatter
  private let sender: linux_datagram

  init(format: SyslogSource.Format = .json, utcOffsetMinutes: Int = 0, receivedAt: String = receivedAt) {
    formatter = RecordFormatter(format: format, utcOffsetMinutes: utcOffsetMinutes)
    formatter.setTime(Int64((try? Date(receivedAt, strategy: .iso8601))?.timeIntervalSince1970 ?? 0) * 1_000_000_000)
    sender = Self.sender(ipv4: 192, 0, 2, 7)
  }

  var counts: SyslogCounts { formatter.counts }

  static func sender(ipv4 a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> linux_datagram {
    var sender = linux_datagram()
    sender.family = UInt16(AF_INET)
    sender.address.0 = a
    sender.address.1 = b
    sender.address.2 = c
    sender.address.3 = d
    return sender
  }

  /// The record's bytes without its line feed; checks that it is one line within the room that is promised.
  func record(_ datagram: [UInt8], from other: linux_datagram? = nil, isCut: Bool = false) -> [UInt8] {
    var batch = RecordBatch()
    datagram.withUnsafeBytes { formatter.append($0, from: other ?? sender, isCut: isCut, to: &batch) }
    #expect(batch.recordCount == 1)
    #expect(batch.byteCount <= formatter.capacity(for: datagram.count))
    var line = batch.withLines { Array($0) }
    #expect(line.popLast() == 0x0A)
    #expect(!line.contains(0x0A))
    return line
  }

  /// The record as a parsed object.
  func object(_ datagram: [UInt8], from other: linux_datagram? = nil, isCut: Bool = false) throws -> [String: Any] {
    let line = record(datagram, from: other, isCut: isCut)
    #expect(String(validating: line, as: UTF8.self) != nil)
    return try #require(JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
  }

  func object(_ datagram: String) throws -> [String: Any] { try object(Array(datagram.utf8)) }
}
