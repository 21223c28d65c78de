extension SyslogParser {
  /// `TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]` (RFC 5424 section 6). Lengths aren't held against the RFC's limits;
  /// an empty field (two spaces) is taken
  /// for the nil value.
  mutating func parseRFC5424(_ bytes: Span<UInt8>, from start: Int, into message: inout SyslogMessage) {
    var position = start
    if bytes.peek(position) == UInt8(ascii: "-"), bytes.peek(position + 1) == UInt8(ascii: " ") {
      position += 2
    } else {
      switch times.rfc3339(bytes, at: position, requiresT: true) {
      case .time(let time, let end) where bytes.endsWord(end):
        message.timestamp = time
        position = end + 1
      case .impossible: return message.fail(.timestampImpossible, byteCount: bytes.count)
      default: return message.fail(.timestampUnreadable, byteCount: bytes.count)
      }
    }
    for field in 0..<4 {
      let end = bytes.wordEnd(from: position)
      guard end < bytes.count else { return message.fail(.headerEndsEarly, byteCount: bytes.count) }
      let isNil = end == position || (end == position + 1 && bytes[position] == UInt8(ascii: "-"))
      if !isNil {
        let range = ByteRange(start: position, end: end)
        switch field {
        case 0: message.hostname = range
        case 1: message.appName = range
        case 2: message.procID = range
        default: message.msgID = range
        }
      }
      position = end + 1
    }
    if bytes.peek(position) == UInt8(ascii: "-") {
      position += 1
    } else {
      if let problem = parseStructuredData(bytes, from: &position) { return message.fail(problem, byteCount: bytes.count) }
      message.hasStructuredData = true
    }
    guard position < bytes.count else { return }
    guard bytes[position] == UInt8(ascii: " ") else { return message.fail(.structuredDataMalformed, byteCount: bytes.count) }
    message.message = ByteRange(start: skippingByteOrderMark(bytes, at: position + 1), end: bytes.count)
  }

  /// One or more `[id name="value" …]` (RFC 5424 section 6.3), into ``entries``. More than one space between parameters and an unescaped
  /// `]` in a value are let pass.
  private mutating func parseStructuredData(_ bytes: Span<UInt8>, from position: inout Int) -> SyslogProblem? {
    entries.removeAll(keepingCapacity: true)
    guard bytes.peek(position) == UInt8(ascii: "[") else { return .structuredDataMalformed }
    while bytes.peek(position) == UInt8(ascii: "[") {
      position += 1
      guard entries.count < Self.maximumEntryCount else { return .structuredDataTooLarge }
      let id = name(bytes, at: position)
      guard id.count > 0 else { return .structuredDataMalformed }
      for entry in entries where entry.isElement && isSame(bytes, entry.name, id) { return .structuredDataRepeatsElement }
      entries.append(Entry(isElement: true, name: id, value: .absent, hasEscapes: false))
      position = id.end
      while true {
        let next = bytes.skippingSpaces(from: position)
        if bytes.peek(next) == UInt8(ascii: "]") {
          position = next + 1
          break
        }
        guard next > position else { return .structuredDataMalformed }
        guard entries.count < Self.maximumEntryCount else { return .structuredDataTooLarge }
        guard let parameter = parameter(bytes, at: next) else { return .structuredDataMalformed }
        entries.append(parameter)
        position = parameter.value.end + 1
      }
    }
    return nil
  }

  /// `name="value"`.
  private func parameter(_ bytes: Span<UInt8>, at start: Int) -> Entry? {
    let name = name(bytes, at: start)
    guard name.count > 0, bytes.peek(name.end) == UInt8(ascii: "="), bytes.peek(name.end + 1) == UInt8(ascii: "\"") else { return nil }
    var index = name.end + 2
    var hasEscapes = false
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        return Entry(isElement: false, name: name, value: ByteRange(start: name.end + 2, end: index), hasEscapes: hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        index += 2
      default: index += 1
      }
    }
    return nil
  }

  /// The characters of an SD-NAME at `start`: printable ASCII but `=`, `]`, `"` and the space.
  private func name(_ bytes: Span<UInt8>, at start: Int) -> ByteRange {
    var end = start
    while end < bytes.count {
      let byte = bytes[end]
      guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "="), byte != UInt8(ascii: "]"), byte != UInt8(ascii: "\"") else { break }
      end += 1
    }
    return ByteRange(start: start, end: end)
  }

  /// Whether two parts have the same bytes.
  func isSame(_ bytes: Span<UInt8>, _ one: ByteRange, _ other: ByteRange) -> Bool {
    guard one.count == other.count else { return false }
    for place in 0..<one.count where bytes[one.start + place] != bytes[other.start + place] { return false }
    return true
  }
}
