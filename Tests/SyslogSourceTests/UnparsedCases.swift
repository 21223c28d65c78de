@testable import SyslogSource

extension MessageCase {
  /// What isn't syslog, or isn't any more: the whole text is kept, and the reason said.
  static let unparsed: [MessageCase] = [
    .init("", message: "", error: .empty),
    .init("\n", message: "", error: .empty),
    .init("\0\0", message: "", error: .empty),
    .init("hello", message: "hello", error: .noHeader),
    .init("just some text: really", message: "just some text: really", error: .noHeader),
    .init("12", message: "12", error: .noHeader),
    .init("12 ", message: "12 ", error: .noHeader),
    .init(" <13>leading space", message: " <13>leading space", error: .noHeader),
    .init("GET / HTTP/1.1\r\nHost: x\r\n\r\n", message: "GET / HTTP/1.1\r\nHost: x", error: .noHeader),
    .init("<192>Oct 11 22:14:15 h a: m", message: "<192>Oct 11 22:14:15 h a: m", error: .priorityOutOfRange),
    .init("<999>1 - - - - - - m", message: "<999>1 - - - - - - m", error: .priorityOutOfRange),
    .init("<1000>m", message: "<1000>m", error: .priorityNotNumber),
    .init("<>m", message: "<>m", error: .priorityNotNumber),
    .init("<", message: "<", error: .priorityNotNumber),
    .init("<13", message: "<13", error: .priorityNotNumber),
    .init("<-1>m", message: "<-1>m", error: .priorityNotNumber),
    .init("<1 3>m", message: "<1 3>m", error: .priorityNotNumber),
    .init("<xml/>", message: "<xml/>", error: .priorityNotNumber),
    .init("<13>2 2026-08-30T22:14:15Z h a - - - m", pri: 13, message: "<13>2 2026-08-30T22:14:15Z h a - - - m", error: .unknownVersion),
    .init("<13>12 - h a - - - m", pri: 13, message: "<13>12 - h a - - - m", error: .unknownVersion),
    // Dates that don't exist.
    .init(
      "<13>1 2026-09-31T22:14:15Z h a - - - m", pri: 13, message: "<13>1 2026-09-31T22:14:15Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2018-02-29T22:14:15Z h a - - - m", pri: 13, message: "<13>1 2018-02-29T22:14:15Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 1900-02-29T22:14:15Z h a - - - m", pri: 13, message: "<13>1 1900-02-29T22:14:15Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2026-13-01T22:14:15Z h a - - - m", pri: 13, message: "<13>1 2026-13-01T22:14:15Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2026-00-01T22:14:15Z h a - - - m", pri: 13, message: "<13>1 2026-00-01T22:14:15Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2026-08-00T22:14:15Z h a - - - m", pri: 13, message: "<13>1 2026-08-00T22:14:15Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2026-08-30T24:00:00Z h a - - - m", pri: 13, message: "<13>1 2026-08-30T24:00:00Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2026-08-30T22:60:00Z h a - - - m", pri: 13, message: "<13>1 2026-08-30T22:60:00Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2016-12-31T23:59:60Z h a - - - m", pri: 13, message: "<13>1 2016-12-31T23:59:60Z h a - - - m", error: .timestampImpossible),
    .init(
      "<13>1 2026-08-30T22:14:15+24:00 h a - - - m", pri: 13, message: "<13>1 2026-08-30T22:14:15+24:00 h a - - - m",
      error: .timestampImpossible),
    // Beyond what nanoseconds since 1970 can tell.
    .init("<13>1 9223372036.0 host events x", pri: 13, message: "<13>1 9223372036.0 host events x", error: .timestampImpossible),
    .init("<13>1 9999999999.999999999 h e x", pri: 13, message: "<13>1 9999999999.999999999 h e x", error: .timestampImpossible),
    .init("<13>Sep 31 22:14:15 h a: m", pri: 13, message: "<13>Sep 31 22:14:15 h a: m", error: .timestampImpossible),
    .init("<13>Feb 29 22:14:15 h a: m", pri: 13, message: "<13>Feb 29 22:14:15 h a: m", error: .timestampImpossible),
    .init("<13>Feb 29 2018 22:14:15 h a: m", pri: 13, message: "<13>Feb 29 2018 22:14:15 h a: m", error: .timestampImpossible),
    .init("<13>Aug  0 22:14:15 h a: m", pri: 13, message: "<13>Aug  0 22:14:15 h a: m", error: .timestampImpossible),
    .init("<13>Aug 31 25:14:15 h a: m", pri: 13, message: "<13>Aug 31 25:14:15 h a: m", error: .timestampImpossible),
    .init("<13>2026-09-31T22:14:15Z h a: m", pri: 13, message: "<13>2026-09-31T22:14:15Z h a: m", error: .timestampImpossible),
    .init("Sep 31 22:14:15 h a: m", message: "Sep 31 22:14:15 h a: m", error: .timestampImpossible),
    // Broken RFC 5424. What was read before the break stays.
    .init(
      "<13>1 2026-08-30X22:14:15Z h a - - - m", pri: 13, message: "<13>1 2026-08-30X22:14:15Z h a - - - m", error: .timestampUnreadable),
    .init(
      "<13>1 2026-08-30T22:14:15.Z h a - - - m", pri: 13, message: "<13>1 2026-08-30T22:14:15.Z h a - - - m", error: .timestampUnreadable),
    .init("<13>1 2026-08-30T22:14 h a - - - m", pri: 13, message: "<13>1 2026-08-30T22:14 h a - - - m", error: .timestampUnreadable),
    .init(
      "<13>1 2026-08-30T22:14:15Q h a - - - m", pri: 13, message: "<13>1 2026-08-30T22:14:15Q h a - - - m", error: .timestampUnreadable),
    .init(
      "<13>1 2026-08-30T22:14:15Z h a", pri: 13, time: "2026-08-30T22:14:15Z", host: "h", message: "<13>1 2026-08-30T22:14:15Z h a",
      error: .headerEndsEarly),
    .init("<13>1 - h a 7 id", pri: 13, host: "h", app: "a", process: "7", message: "<13>1 - h a 7 id", error: .headerEndsEarly),
    .init(
      "<13>1 - h a 7 id m without data", pri: 13, host: "h", app: "a", process: "7", id: "id", message: "<13>1 - h a 7 id m without data",
      error: .structuredDataMalformed),
    .init("<13>1 - h a - - ", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - ", error: .structuredDataMalformed),
    .init("<13>1 - h a - - -m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - -m", error: .structuredDataMalformed),
    .init("<13>1 - h a - - [x]m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [x]m", error: .structuredDataMalformed),
    .init("<13>1 - h a - - [] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [] m", error: .structuredDataMalformed),
    .init("<13>1 - h a - - [x y=1] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [x y=1] m", error: .structuredDataMalformed),
    .init(
      "<13>1 - h a - - [x y=\"1] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [x y=\"1] m", error: .structuredDataMalformed),
    .init(
      "<13>1 - h a - - [x y=\"1\"z=\"2\"] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [x y=\"1\"z=\"2\"] m",
      error: .structuredDataMalformed),
    .init(
      "<13>1 - h a - - [x =\"1\"] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [x =\"1\"] m", error: .structuredDataMalformed
    ),
    .init(
      "<13>1 - h a - - [x y=\"\\\"] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [x y=\"\\\"] m",
      error: .structuredDataMalformed),
    .init(
      "<13>1 - h a - - [é y=\"1\"] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [é y=\"1\"] m",
      error: .structuredDataMalformed),
    .init(
      "<13>1 - h a - - [x][y][x] m", pri: 13, host: "h", app: "a", message: "<13>1 - h a - - [x][y][x] m",
      error: .structuredDataRepeatsElement),
    .init(
      "<13>1 - h a - - [x" + String(repeating: " y=\"\"", count: 256) + "] m", pri: 13, host: "h", app: "a",
      message: "<13>1 - h a - - [x" + String(repeating: " y=\"\"", count: 256) + "] m", error: .structuredDataTooLarge),
    // Bytes that aren't UTF-8.
    .init(
      bytes: Array("<13>Aug 31 10:00:00 h a: caf".utf8) + [0xE9], pri: 13, time: "2026-08-31T10:00:00Z", host: "h", app: "a",
      message: "caf\u{FFFD}", base64: "Y2Fm6Q=="),
    .init(
      bytes: Array("<13>1 - h a - - - ".utf8) + [0xC3, 0x28, 0xFF], pri: 13, host: "h", app: "a", message: "\u{FFFD}(\u{FFFD}",
      base64: "wyj/"),
    .init(bytes: [0xFF, 0xFE, 0x00, 0x01], message: "\u{FFFD}\u{FFFD}\0\u{01}", base64: "//4AAQ==", error: .noHeader),
    .init(
      bytes: Array("<13>1 - h".utf8) + [0xE9] + Array(" a - - - m".utf8), pri: 13, message: "<13>1 - h\u{FFFD} a - - - m",
      base64: "PDEzPjEgLSBo6SBhIC0gLSAtIG0=", error: .fieldNotUTF8),
    .init(
      bytes: Array("<13>1 - h a - - [x y=\"".utf8) + [0xE9] + Array("\"] m".utf8), pri: 13, message: "<13>1 - h a - - [x y=\"\u{FFFD}\"] m",
      base64: "PDEzPjEgLSBoIGEgLSAtIFt4IHk9IukiXSBt", error: .fieldNotUTF8),
  ]
}
