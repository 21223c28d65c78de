internal import Glibc
internal import PipelineCore

/// Writes one message as a JSON object and its line feed, straight into a batch's free bytes.
///
/// It trusts that there is room: ``capacity(for:)`` bytes hold whatever a datagram of that length can become.
struct JSONRecordWriter {
  /// The most that fixed parts take: the beginning, names of fields, the timestamp, the error, the ending.
  private static let fixedByteCount = 1024

  /// The room for a datagram of `count` bytes: its header escaped, its whole text escaped (as the message of one that doesn't parse), and
  /// that once more in base64.
  static func capacity(for count: Int) -> Int {
    2 * JSONText.capacity(forEscaping: count) + JSONText.capacity(forBase64: count) + fixedByteCount
  }

  private let datagram: UnsafeRawBufferPointer
  private let start: UnsafeMutableRawPointer
  private var next: UnsafeMutableRawPointer
  /// A part other than the message wasn't valid UTF-8, so its bytes would be lost.
  private(set) var replacedField = false
  /// The message wasn't valid UTF-8; its bytes stand in `message_base64`.
  private(set) var replacedMessage = false

  init(_ datagram: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) {
    self.datagram = datagram
    start = output
    next = output
  }

  /// How many bytes were written.
  var count: Int { next - start }

  mutating func write(
    _ message: borrowing SyslogMessage, parser: borrowing SyslogParser, priorities: borrowing PriorityTexts, ending: borrowing RecordEnding
  ) {
    if message.priority >= 0 {
      next += priorities.write(message.priority, into: next)
    } else {
      put("{")
    }
    if message.timestamp.kind != .absent { put(message.timestamp) }
    put("\"hostname\":\"", message.hostname)
    put("\"app_name\":\"", message.appName)
    put("\"proc_id\":\"", message.procID)
    put("\"msg_id\":\"", message.msgID)
    if message.hasStructuredData {
      putStructuredData(parser)
    } else if message.sequence.isPresent {
      put("\"structured_data\":{\"meta\":{\"sequenceId\":\"")
      replacedField = putEscaped(message.sequence) || replacedField
      put("\"}},")
    }
    if message.message.isPresent {
      put("\"message\":\"")
      replacedMessage = putEscaped(message.message)
      put("\",")
      if replacedMessage {
        put("\"message_base64\":\"")
        next += JSONText.base64(bytes(message.message), into: next)
        put("\",")
      }
    }
    if let problem = message.problem {
      put("\"parse_error\":\"")
      put(problem.text)
      put("\",")
    }
    next += ending.write(into: next)
  }

  // MARK: Parts

  private mutating func put(_ timestamp: SyslogTimestamp) {
    put("\"timestamp\":\"")
    if timestamp.kind == .epoch {
      JSONText.timestamp(timestamp.nanoseconds, into: next)
      next += JSONText.timestampByteCount
    } else {
      putTwoDigits(timestamp.year / 100)
      putTwoDigits(timestamp.year % 100)
      put(UInt8(ascii: "-"))
      putTwoDigits(timestamp.month)
      put(UInt8(ascii: "-"))
      putTwoDigits(timestamp.day)
      put(UInt8(ascii: "T"))
      putTwoDigits(timestamp.hour)
      put(UInt8(ascii: ":"))
      putTwoDigits(timestamp.minute)
      put(UInt8(ascii: ":"))
      putTwoDigits(timestamp.second)
      if timestamp.fraction.isPresent {
        put(UInt8(ascii: "."))
        let digits = bytes(timestamp.fraction)
        if let source = digits.baseAddress { next.copyMemory(from: source, byteCount: digits.count) }
        next += digits.count
      }
      if timestamp.offsetMinutes == 0 {
        put(UInt8(ascii: "Z"))
      } else {
        put(timestamp.offsetMinutes < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        putTwoDigits(abs(timestamp.offsetMinutes) / 60)
        put(UInt8(ascii: ":"))
        putTwoDigits(abs(timestamp.offsetMinutes) % 60)
      }
    }
    put("\",")
  }

  /// Element → parameter → value. A parameter that an element has more than once (`ip` in RFC 5424's `origin` may) becomes an array of
  /// its values.
  private mutating func putStructuredData(_ parser: borrowing SyslogParser) {
    put("\"structured_data\":{")
    var index = 0
    while index < parser.entries.count {
      if index > 0 { put(UInt8(ascii: ",")) }
      put(UInt8(ascii: "\""))
      replacedField = putEscaped(parser.entries[index].name) || replacedField
      put("\":{")
      var end = index + 1
      while end < parser.entries.count, !parser.entries[end].isElement { end += 1 }
      putParameters(parser, index + 1..<end)
      put(UInt8(ascii: "}"))
      index = end
    }
    put("},")
  }

  private mutating func putParameters(_ parser: borrowing SyslogParser, _ range: Range<Int>) {
    var isFirst = true
    for index in range {
      let name = parser.entries[index].name
      guard !hasName(name, in: parser, range.lowerBound..<index) else { continue }
      if !isFirst { put(UInt8(ascii: ",")) }
      isFirst = false
      put(UInt8(ascii: "\""))
      replacedField = putEscaped(name) || replacedField
      put("\":")
      let isRepeated = hasName(name, in: parser, index + 1..<range.upperBound)
      if isRepeated { put(UInt8(ascii: "[")) }
      putValue(parser.entries[index])
      if isRepeated {
        for other in index + 1..<range.upperBound where isSame(parser.entries[other].name, name) {
          put(UInt8(ascii: ","))
          putValue(parser.entries[other])
        }
        put(UInt8(ascii: "]"))
      }
    }
  }

  /// A value without its escapes: RFC 5424 has three (`\"`, `\\`, `\]`); any other backslash stands for itself.
  private mutating func putValue(_ entry: SyslogParser.Entry) {
    put(UInt8(ascii: "\""))
    if entry.hasEscapes {
      var from = entry.value.start
      var index = from
      while index < entry.value.end {
        guard datagram[index] == UInt8(ascii: "\\"), index + 1 < entry.value.end else {
          index += 1
          continue
        }
        let escaped = datagram[index + 1]
        if escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") || escaped == UInt8(ascii: "]") {
          replacedField = putEscaped(ByteRange(start: from, end: index)) || replacedField
          from = index + 1
        }
        index += 2
      }
      replacedField = putEscaped(ByteRange(start: from, end: entry.value.end)) || replacedField
    } else {
      replacedField = putEscaped(entry.value) || replacedField
    }
    put(UInt8(ascii: "\""))
  }

  private func hasName(_ name: ByteRange, in parser: borrowing SyslogParser, _ range: Range<Int>) -> Bool {
    for index in range where isSame(parser.entries[index].name, name) { return true }
    return false
  }

  private func isSame(_ one: ByteRange, _ other: ByteRange) -> Bool {
    guard one.count == other.count, let base = datagram.baseAddress else { return false }
    return memcmp(base + one.start, base + other.start, one.count) == 0
  }

  // MARK: Bytes

  private mutating func put(_ opening: StaticString, _ range: ByteRange) {
    guard range.isPresent else { return }
    put(opening)
    replacedField = putEscaped(range) || replacedField
    put("\",")
  }

  private mutating func putEscaped(_ range: ByteRange) -> Bool {
    let (count, replaced) = JSONText.escape(bytes(range), into: next)
    next += count
    return replaced
  }

  private func bytes(_ range: ByteRange) -> UnsafeRawBufferPointer {
    precondition(range.start >= 0 && range.start <= range.end && range.end <= datagram.count, "a part lies outside its datagram")
    return UnsafeRawBufferPointer(rebasing: datagram[range.start..<range.end])
  }

  @inline(__always)
  private mutating func put(_ text: StaticString) {
    next.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    next += text.utf8CodeUnitCount
  }

  @inline(__always)
  private mutating func put(_ byte: UInt8) {
    next.storeBytes(of: byte, as: UInt8.self)
    next += 1
  }

  @inline(__always)
  private mutating func putTwoDigits(_ value: Int) {
    put(UInt8(truncatingIfNeeded: 0x30 + value / 10 % 10))
    put(UInt8(truncatingIfNeeded: 0x30 + value % 10))
  }
}
