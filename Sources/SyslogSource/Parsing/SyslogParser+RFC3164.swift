extension SyslogParser {
  /// `TIMESTAMP HOSTNAME TAG[PID]: CONTENT`, any part of which may be missing (RFC 3164 describes what was seen, it prescribes nothing).
  func parseRFC3164(_ bytes: Span<UInt8>, from start: Int, received: ReceiveTime, into message: inout SyslogMessage) {
    let position = bytes.skippingSpaces(from: start)
    if let content = parseCisco(bytes, from: position, received: received, into: &message) {
      return parseContent(bytes, from: content, into: &message)
    }
    switch timestamp(bytes, at: position, received: received) {
    case .impossible: message.fail(.timestampImpossible, byteCount: bytes.count)
    case .none:
      guard message.priority >= 0 else { return message.fail(.noHeader, byteCount: bytes.count) }
      // Without a time there is no telling a host from a first word, but a tag shows itself.
      parseContent(bytes, from: position, contentStart: start, into: &message)
    case .time(let time, let end):
      message.timestamp = time
      if bytes.peek(end) == UInt8(ascii: ":") {
        return parseContent(bytes, from: bytes.skippingSpaces(from: end + 1), into: &message)
      }
      parseContent(bytes, from: parseHostname(bytes, from: bytes.skippingSpaces(from: end), into: &message), into: &message)
    }
  }

  /// The forms of a time in this place. Cisco Meraki puts `1` and seconds since 1970 there.
  private func timestamp(_ bytes: Span<UInt8>, at position: Int, received: ReceiveTime) -> TimestampReader.Reading {
    let first = bytes.peek(position)
    if isDigit(first) {
      if first == UInt8(ascii: "1"), bytes.peek(position + 1) == UInt8(ascii: " ") { return times.epoch(bytes, at: position + 2) }
      if bytes.peek(position + 4) == UInt8(ascii: "-") { return times.rfc3339(bytes, at: position, requiresT: false) }
      if bytes.peek(position + 4) != UInt8(ascii: " ") { return times.epoch(bytes, at: position) }
    } else if !isLetter(first) {
      return .none
    }
    return times.bsd(bytes, at: position, received: received)
  }

  /// `[NUMBER: ][HOST: ][:][*|.]TIMESTAMP: %FACILITY-SEVERITY-MNEMONIC: …`, as Cisco's systems number and mark their messages. The index
  /// of what follows the
  /// timestamp, or nil (and nothing set) when the datagram isn't of this form.
  private func parseCisco(_ bytes: Span<UInt8>, from start: Int, received: ReceiveTime, into message: inout SyslogMessage) -> Int? {
    var position = start
    var sequence = ByteRange.absent
    let digits = bytes.digitCount(at: position, most: 10)
    if digits > 0, bytes.peek(position + digits) == UInt8(ascii: ":"), bytes.peek(position + digits + 1) == UInt8(ascii: " ") {
      sequence = ByteRange(start: position, end: position + digits)
      position = bytes.skippingSpaces(from: position + digits + 2)
      if bytes.peek(position) == UInt8(ascii: "%") {
        message.sequence = sequence
        return position
      }
    }
    var hostname = ByteRange.absent
    let word = hostnameEnd(bytes, from: position)
    if word > position + 1, bytes[word - 1] == UInt8(ascii: ":"), bytes.peek(word) == UInt8(ascii: " ") {
      hostname = ByteRange(start: position, end: word - 1)
      position = bytes.skippingSpaces(from: word)
    }
    var isMarked = false
    if bytes.peek(position) == UInt8(ascii: ":"), bytes.peek(position + 1) == UInt8(ascii: " ") {
      isMarked = true
      position = bytes.skippingSpaces(from: position + 2)
    }
    // `*`: the clock was never set; `.`: it was, but its source is lost.
    if bytes.peek(position) == UInt8(ascii: "*") || bytes.peek(position) == UInt8(ascii: ".") {
      isMarked = true
      position += 1
    }
    guard isMarked || sequence.isPresent || hostname.isPresent else { return nil }
    guard case .time(let time, let end) = times.bsd(bytes, at: position, received: received) else { return nil }
    let colon = bytes.skippingSpaces(from: end)
    guard bytes.peek(colon) == UInt8(ascii: ":") else { return nil }
    let content = bytes.skippingSpaces(from: colon + 1)
    // A tag in front of a message that begins with a time of its own looks the same up to here.
    guard !hostname.isPresent || sequence.isPresent || bytes.peek(content) == UInt8(ascii: "%") else { return nil }
    message.sequence = sequence
    message.hostname = hostname
    message.timestamp = time
    return content
  }

  /// Takes a host name if one stands here; the index of what follows it.
  private func parseHostname(_ bytes: Span<UInt8>, from start: Int, into message: inout SyslogMessage) -> Int {
    var position = start
    if bytes.hasPrefix("Message forwarded from ", at: position) {
      // AIX: `Message forwarded from HOST: TAG: …`
      let end = bytes.wordEnd(from: position + 23)
      if end > position + 24, bytes[end - 1] == UInt8(ascii: ":") {
        message.hostname = ByteRange(start: position + 23, end: end - 1)
        return bytes.skippingSpaces(from: end)
      }
    }
    if bytes.hasPrefix("last message repeated ", at: position) { return position }
    if tag(bytes, at: position, strict: true) != nil { return position }
    let end = hostnameEnd(bytes, from: position)
    // The only word is rather the message than a host with nothing to say.
    guard end > position, bytes.peek(end) == UInt8(ascii: " ") else { return position }
    message.hostname = ByteRange(start: position, end: end)
    position = bytes.skippingSpaces(from: end)
    if bytes.peek(position) == UInt8(ascii: ":"), bytes.peek(position + 1) == UInt8(ascii: " ") {
      // Cisco ASA: `HOST : %ASA-…`
      position = bytes.skippingSpaces(from: position + 2)
    }
    return position
  }

  /// Takes the tag if one stands here; the rest is the message.
  /// - Parameter contentStart: where the message begins if there is no tag.
  private func parseContent(_ bytes: Span<UInt8>, from start: Int, contentStart: Int? = nil, into message: inout SyslogMessage) {
    var position = contentStart ?? start
    if let tag = tag(bytes, at: start, strict: false) {
      message.appName = tag.name
      message.procID = tag.process
      position = tag.end
    }
    message.message = ByteRange(start: skippingByteOrderMark(bytes, at: position), end: bytes.count)
  }

  /// A tag: a name, then `[process]`, a colon, or both; `end` is where the message begins, behind one space.
  /// - Parameter strict: in a host name's place, where only a colon before a space tells a tag from an IPv6 address.
  private func tag(_ bytes: Span<UInt8>, at start: Int, strict: Bool) -> (name: ByteRange, process: ByteRange, end: Int)? {
    let limit = start + 128
    var end = start
    while end < limit, Self.isTagByte(bytes.peek(end)) { end += 1 }
    guard end > start, end < limit else { return nil }
    let name = ByteRange(start: start, end: end)
    if bytes.peek(end) == UInt8(ascii: "[") {
      var close = end + 1
      while close < end + 128, bytes.peek(close) > 0x20, bytes.peek(close) != UInt8(ascii: "]") { close += 1 }
      guard bytes.peek(close) == UInt8(ascii: "]") else { return nil }
      let process = close > end + 1 ? ByteRange(start: end + 1, end: close) : .absent
      end = close + 1
      if bytes.peek(end) == UInt8(ascii: ":") {
        end += 1
      } else {
        guard bytes.endsWord(end) else { return nil }
      }
      return (name, process, bytes.peek(end) == UInt8(ascii: " ") ? end + 1 : end)
    }
    guard bytes.peek(end) == UInt8(ascii: ":") else { return nil }
    end += 1
    if bytes.endsWord(end) { return (name, .absent, min(end + 1, bytes.count)) }
    // Directly followed: `su:message`, but not `http://`, `C:\`, `a::b`, `12:34`, and not `CEF:0|`, whose readers want it whole.
    let next = bytes[end]
    let isSeparate = next != UInt8(ascii: "/") && next != UInt8(ascii: "\\") && next != UInt8(ascii: ":") && !isDigit(next)
    return !strict && isSeparate && !isDigit(bytes[start]) ? (name, .absent, end) : nil
  }

  /// The end of a host name or an address at `start` (`start` itself when there is none): up to the next space, all of it in the
  /// characters that these have.
  private func hostnameEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var end = start
    var hasColon = false
    var isAddress = true
    while end < bytes.count, bytes[end] != UInt8(ascii: " ") {
      let byte = bytes[end]
      switch byte {
      case UInt8(ascii: ":"): hasColon = true
      case UInt8(ascii: "."), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"): break
      case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "/"), UInt8(ascii: "@"): isAddress = false
      default:
        guard isDigit(byte) || isLetter(byte) else { return start }
        if !isDigit(byte) && (byte | 0x20) > UInt8(ascii: "f") { isAddress = false }
      }
      end += 1
    }
    // A colon belongs to an address (whose scope, behind %, is not looked at) or ends the word.
    if hasColon && !isAddress && bytes.peek(end - 1) != UInt8(ascii: ":") && !hasScope(bytes, start, end) { return start }
    return end
  }

  private func hasScope(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
    for index in start..<end where bytes[index] == UInt8(ascii: "%") { return true }
    return false
  }

  @inline(__always)
  private static func isTagByte(_ byte: UInt8) -> Bool {
    if isLetter(byte) || isDigit(byte) { return true }
    switch byte {
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "%"), UInt8(ascii: "("),
      UInt8(ascii: ")"),
      UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "+"), UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: "$"), UInt8(ascii: "&"),
      UInt8(ascii: "!"), UInt8(ascii: "|"), UInt8(ascii: "\\"):
      return true
    default: return false
    }
  }
}
