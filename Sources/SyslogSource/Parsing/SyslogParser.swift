/// Finds the parts of a syslog datagram: RFC 5424, RFC 3164, and what real devices make of them.
///
/// It allocates nothing for a message: parts are ranges of the datagram, and the list of structured data is used again for each.
struct SyslogParser: ~Copyable {
  /// An element or a parameter of structured data, in the order of the datagram; an element's parameters follow it.
  struct Entry {
    var isElement: Bool
    var name: ByteRange
    /// A parameter's value, without its quotes, escapes as they stand.
    var value: ByteRange
    var hasEscapes: Bool
  }

  /// More elements and parameters than this make a message unparsed: finding repeated names takes the square of it.
  static let maximumEntryCount = 256

  /// The structured data of the message parsed last, meaningful while ``SyslogMessage/hasStructuredData``.
  var entries: [Entry] = []
  let times: TimestampReader

  /// - Parameter utcOffsetMinutes: the zone of timestamps that name none.
  init(utcOffsetMinutes: Int) {
    times = TimestampReader(defaultOffsetMinutes: utcOffsetMinutes)
    entries.reserveCapacity(Self.maximumEntryCount)
  }

  /// Parses one datagram without its trailing line feeds and NULs.
  mutating func parse(_ bytes: Span<UInt8>, received: ReceiveTime) -> SyslogMessage {
    var message = SyslogMessage()
    guard bytes.count > 0 else {
      message.fail(.empty, byteCount: 0)
      return message
    }
    var position = octetCountEnd(bytes)
    if bytes[position] == UInt8(ascii: "<") {
      let digits = bytes.digitCount(at: position + 1, most: 4)
      guard digits >= 1, digits <= 3, bytes.peek(position + 1 + digits) == UInt8(ascii: ">") else {
        message.fail(.priorityNotNumber, byteCount: bytes.count)
        return message
      }
      let priority = bytes.number(at: position + 1, digits: digits)
      guard priority <= 191 else {
        message.fail(.priorityOutOfRange, byteCount: bytes.count)
        return message
      }
      message.priority = priority
      position += digits + 2
    }
    if let versionDigits = versionDigits(bytes, at: position) {
      if versionDigits == 1, bytes[position] == UInt8(ascii: "1") {
        parseRFC5424(bytes, from: position + 2, into: &message)
      } else {
        message.fail(.unknownVersion, byteCount: bytes.count)
      }
    } else {
      parseRFC3164(bytes, from: position, received: received, into: &message)
    }
    return message
  }

  /// Behind a byte-order mark, which RFC 5424 puts in front of UTF-8 text.
  func skippingByteOrderMark(_ bytes: Span<UInt8>, at index: Int) -> Int {
    bytes.peek(index) == 0xEF && bytes.peek(index + 1) == 0xBB && bytes.peek(index + 2) == 0xBF ? index + 3 : index
  }

  /// Behind the octet count that some senders leave in front of a datagram (RFC 6587's framing for TCP), else 0.
  private func octetCountEnd(_ bytes: Span<UInt8>) -> Int {
    let digits = bytes.digitCount(at: 0, most: 6)
    guard digits > 0, bytes.peek(digits) == UInt8(ascii: " "), bytes.peek(digits + 1) == UInt8(ascii: "<") else { return 0 }
    return digits + 1
  }

  /// How many digits RFC 5424's version has, if it stands here: a small number, and behind it a date or the nil value. RFC 3164 allows a
  /// number there too.
  private func versionDigits(_ bytes: Span<UInt8>, at index: Int) -> Int? {
    let digits = bytes.digitCount(at: index, most: 3)
    guard digits > 0, bytes[index] != UInt8(ascii: "0"), bytes.peek(index + digits) == UInt8(ascii: " ") else { return nil }
    let next = index + digits + 1
    if bytes.peek(next) == UInt8(ascii: "-"), bytes.peek(next + 1) == UInt8(ascii: " ") { return digits }
    return bytes.digitCount(at: next, most: 4) == 4 && bytes.peek(next + 4) == UInt8(ascii: "-") ? digits : nil
  }
}
