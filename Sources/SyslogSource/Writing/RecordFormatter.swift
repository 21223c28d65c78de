internal import CLinux
internal import Glibc
internal import RecordBlocks

/// Turns datagrams into records of a batch, one each.
struct RecordFormatter: ~Copyable {
  private let format: SyslogSource.Format
  private var parser: SyslogParser
  private let priorities = PriorityTexts()
  private var ending = RecordEnding()
  private var received = ReceiveTime(nanoseconds: 0)
  /// What happened since these were taken; see ``SyslogCounts``.
  var counts = SyslogCounts()

  init(format: SyslogSource.Format, utcOffsetMinutes: Int) {
    self.format = format
    parser = SyslogParser(utcOffsetMinutes: utcOffsetMinutes)
  }

  /// Sets the time at which the datagrams that follow were received, in nanoseconds since 1970.
  mutating func setTime(_ nanoseconds: Int64) {
    received = ReceiveTime(nanoseconds: nanoseconds)
    ending.setTime(nanoseconds)
  }

  /// The most bytes that ``append(_:from:isCut:to:)`` adds for a datagram of `count` bytes.
  func capacity(for count: Int) -> Int {
    switch format {
    case .json: JSONRecordWriter.capacity(for: count)
    case .raw: 4 * count + 1
    }
  }

  /// Appends the record of a datagram.
  /// - Parameter isCut: the datagram was longer than `datagram`.
  mutating func append(_ datagram: UnsafeRawBufferPointer, from sender: linux_datagram, isCut: Bool, to batch: inout RecordBatch) {
    if isCut { counts.cut += 1 }
    switch format {
    case .json: appendJSON(datagram, from: sender, isCut: isCut, to: &batch)
    case .raw: appendRaw(datagram, to: &batch)
    }
  }

  private mutating func appendJSON(
    _ datagram: UnsafeRawBufferPointer, from sender: linux_datagram, isCut: Bool, to batch: inout RecordBatch
  ) {
    let text = Self.withoutTerminators(datagram)
    let bytes = text.bindMemory(to: UInt8.self).span
    var message = parser.parse(bytes, received: received)
    if isCut && message.problem == nil { message.problem = .cutAtLimit }
    ending.setPeer(of: sender)
    batch.appendInPlace(capacity: JSONRecordWriter.capacity(for: text.count)) { output in
      guard let base = output.baseAddress else { return (0, 0) }
      var writer = JSONRecordWriter(text, into: base)
      writer.write(message, parser: parser, priorities: priorities, ending: ending)
      if writer.replacedField {
        // Only a message has its bytes kept beside it, so the whole text becomes one.
        message.failWhole(.fieldNotUTF8, byteCount: text.count)
        writer = JSONRecordWriter(text, into: base)
        writer.write(message, parser: parser, priorities: priorities, ending: ending)
      }
      if writer.replacedMessage { counts.notUTF8 += 1 }
      return (writer.count, 1)
    }
    if message.problem != nil { counts.unparsed += 1 }
  }

  /// The datagram, one trailing line feed removed, the others as `#012` (a line feed's octal number, as rsyslog escapes it).
  private mutating func appendRaw(_ datagram: UnsafeRawBufferPointer, to batch: inout RecordBatch) {
    var text = datagram
    if text.last == 0x0A { text = UnsafeRawBufferPointer(rebasing: text[..<(text.count - 1)]) }
    let lineFeeds = linux_count_byte(text.baseAddress, text.count, 0x0A)
    guard lineFeeds > 0 else { return batch.append(text) }
    counts.escapedLineFeeds += UInt64(lineFeeds)
    batch.appendInPlace(capacity: text.count + 3 * lineFeeds + 1) { output in
      var count = 0
      for byte in text {
        if byte == 0x0A {
          output[count] = UInt8(ascii: "#")
          output[count + 1] = UInt8(ascii: "0")
          output[count + 2] = UInt8(ascii: "1")
          output[count + 3] = UInt8(ascii: "2")
          count += 4
        } else {
          output[count] = byte
          count += 1
        }
      }
      output[count] = 0x0A
      return (count + 1, 1)
    }
  }

  /// Without the line feeds (with their carriage returns) and NULs that senders put behind a message to end it.
  private static func withoutTerminators(_ datagram: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var end = datagram.count
    while end > 0, datagram[end - 1] == 0 || datagram[end - 1] == 0x0A {
      end -= datagram[end - 1] == 0x0A && end > 1 && datagram[end - 2] == 0x0D ? 2 : 1
    }
    return UnsafeRawBufferPointer(rebasing: datagram[..<end])
  }
}
