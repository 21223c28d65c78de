/// Why a datagram couldn't be parsed: what `parse_error` says.
enum SyslogProblem: UInt8, CaseIterable {
  case empty
  case noHeader
  case priorityNotNumber
  case priorityOutOfRange
  case unknownVersion
  case timestampUnreadable
  case timestampImpossible
  case headerEndsEarly
  case structuredDataMalformed
  case structuredDataRepeatsElement
  case structuredDataTooLarge
  case fieldNotUTF8
  case cutAtLimit

  /// The words, which need no escaping in JSON.
  var text: StaticString {
    switch self {
    case .empty: "the datagram is empty"
    case .noHeader: "there is neither a PRI nor a timestamp"
    case .priorityNotNumber: "PRI is not a number of one to three digits between < and >"
    case .priorityOutOfRange: "PRI is above 191"
    case .unknownVersion: "the version is not 1"
    case .timestampUnreadable: "the timestamp is not in the form of RFC 3339"
    case .timestampImpossible: "the timestamp names a date or time that does not exist"
    case .headerEndsEarly: "the RFC 5424 header ends before its structured data"
    case .structuredDataMalformed: "the structured data is malformed"
    case .structuredDataRepeatsElement: "an element occurs twice in the structured data"
    case .structuredDataTooLarge: "the structured data has more than 256 elements and parameters"
    case .fieldNotUTF8: "a field other than the message is not valid UTF-8"
    case .cutAtLimit: "the datagram was longer than the limit and was cut"
    }
  }
}
