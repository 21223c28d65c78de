// A datagram from anyone, through parser and writer.
import CLinux
import Foundation
import RecordBlocks

@testable import SyslogSource

private let received: Int64 = 1_790_000_000_123_456_789

/// The first byte chooses: 1 for the raw format, 2 says that the datagram was cut, 4 and 8 set the zone.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count > 0 else { return 0 }
  let choice = start[0]
  let datagram = Array(UnsafeBufferPointer(start: start + 1, count: min(count - 1, 65_536)))
  let offset = choice & 4 != 0 ? 330 : choice & 8 != 0 ? -210 : 0
  var formatter = RecordFormatter(format: choice & 1 != 0 ? .raw : .json, utcOffsetMinutes: offset)
  formatter.setTime(received)
  var batch = RecordBatch(minimumCapacity: 1)
  var sender = linux_datagram()
  sender.family = 2
  datagram.withUnsafeBytes { formatter.append($0, from: sender, isCut: choice & 2 != 0, to: &batch) }
  let line = batch.withLines { Array($0) }
  precondition(batch.recordCount == 1 && line.last == 0x0A && line.count { $0 == 0x0A } == 1, "a datagram is one line")
  precondition(line.count <= formatter.capacity(for: datagram.count), "more was written than room was asked for")
  if choice & 1 != 0 {
    var expected = datagram
    if expected.last == 0x0A { expected.removeLast() }
    precondition(Array(line.dropLast()) == expected.flatMap { $0 == 0x0A ? Array("#012".utf8) : [$0] }, "raw bytes changed")
  } else {
    checkJSON(line, datagram, offset: offset)
  }
  return 0
}

private func checkJSON(_ line: [UInt8], _ datagram: [UInt8], offset: Int) {
  // Foundation drops a byte-order mark that follows an escape, so it gets each as an escape itself: the same text.
  var ascii: [UInt8] = []
  for byte in line {
    ascii.append(byte)
    if byte == 0xBF, ascii.suffix(3) == [0xEF, 0xBB, 0xBF] { ascii.replaceSubrange((ascii.count - 3)..., with: "\\ufeff".utf8) }
  }
  guard let object = try? JSONSerialization.jsonObject(with: Data(ascii)) as? [String: Any] else {
    preconditionFailure("what was written is no JSON")
  }
  var text = datagram
  while let last = text.last, last == 0 || last == 0x0A {
    text.removeLast()
    if last == 0x0A, text.last == 0x0D { text.removeLast() }
  }
  var message = (object["message"] as? String).map { Array($0.utf8) } ?? []
  if let base64 = object["message_base64"] as? String, let decoded = Data(base64Encoded: base64) { message = Array(decoded) }
  if let problem = object["parse_error"] as? String, problem != "\(SyslogProblem.cutAtLimit.text)" {
    precondition(message == text, "an unparsed datagram isn't kept whole")
    return
  }
  precondition(text.suffix(message.count) == message[...], "the message isn't the datagram's end")
  checkParts(object, text, offset: offset)
}

/// All but spaces, a bounded header and a fixed phrase is in some field.
private func checkParts(_ object: [String: Any], _ text: [UInt8], offset: Int) {
  var parser = SyslogParser(utcOffsetMinutes: offset)
  let parsed = parser.parse(text.span, received: ReceiveTime(nanoseconds: received))
  var isKept = text.map { $0 == 0x20 }
  func keep(_ range: ByteRange, _ name: String) {
    guard range.isPresent else { return }
    for index in range.start..<range.end { isKept[index] = true }
    precondition(object[name] as? String == String(decoding: text[range.start..<range.end], as: UTF8.self), "the field \(name) changed")
  }
  keep(parsed.hostname, "hostname")
  keep(parsed.appName, "app_name")
  keep(parsed.procID, "proc_id")
  keep(parsed.msgID, "msg_id")
  if parsed.message.isPresent { for index in parsed.message.start..<parsed.message.end { isKept[index] = true } }
  if parsed.hasStructuredData {
    var element: [String: Any] = [:]
    for entry in parser.entries {
      let name = String(decoding: text[entry.name.start..<entry.name.end], as: UTF8.self)
      for index in entry.name.start..<max(entry.name.end, entry.value.end) { isKept[index] = true }
      if entry.isElement {
        element = (object["structured_data"] as? [String: Any])?[name] as? [String: Any] ?? [:]
        continue
      }
      let value = unescaped(text[entry.value.start..<entry.value.end])
      let values = element[name] as? [String] ?? (element[name] as? String).map { [$0] } ?? []
      precondition(values.contains(value), "a parameter of the structured data is missing")
    }
    // Brackets, quotes and equals signs.
    precondition(isKept.count { !$0 } <= 200 + 4 * parser.entries.count, "bytes of the datagram are in no field")
  } else {
    precondition(isKept.count { !$0 } <= 200, "bytes of the datagram are in no field")
  }
}

private func unescaped(_ value: ArraySlice<UInt8>) -> String {
  var bytes: [UInt8] = []
  var rest = value
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "\\"), let next = rest.first {
      rest.removeFirst()
      if !"\"\\]".utf8.contains(next) { bytes.append(byte) }
      bytes.append(next)
    } else {
      bytes.append(byte)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
