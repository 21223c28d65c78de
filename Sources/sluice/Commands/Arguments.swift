internal import ArgumentParser
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue

/// A place in a queue, as the command line names it.
enum OffsetArgument: ExpressibleByArgument, Equatable {
  case oldest
  case newest
  case at(Offset)
  /// As a server tells it, with its epoch.
  case told(WireOffset)
  /// The first record appended at or after a time (RFC 3339).
  case time(String)

  init?(argument: String) {
    switch argument {
    case "oldest": self = .oldest
    case "newest": self = .newest
    default:
      if let number = UInt64(argument) {
        self = .at(Offset(number))
      } else if let offset = WireOffset(argument) {
        self = .told(offset)
      } else if Self.isTime(argument) {
        self = .time(argument)
      } else {
        return nil
      }
    }
  }

  var defaultValueDescription: String {
    switch self {
    case .oldest: "oldest"
    case .newest: "newest"
    case .at(let offset): offset.description
    case .told(let offset): offset.description
    case .time(let text): text
    }
  }

  /// The same for a consumer of a directory's queue.
  func startAt() throws(CommandFailure) -> StartAt {
    switch self {
    case .oldest: .oldest
    case .newest: .newest
    case .at(let offset): .at(offset.rawValue)
    case .told(let offset): .at(offset.offset)
    case .time(let text): throw Self.noTime(text)
    }
  }

  /// The same for a queue at a server, whose epoch a bare number is taken for.
  func place(epoch: UInt32) -> QueuePlace {
    switch self {
    case .oldest: .oldest
    case .newest: .newest
    case .at(let offset): .at(WireOffset(epoch: epoch, offset: offset.rawValue))
    case .told(let offset): .at(offset)
    case .time(let text): .time(text)
    }
  }

  /// `2026-09-01T08:30:00Z`, roughly: the server reads it closely.
  private static func isTime(_ text: String) -> Bool {
    let digits = text.prefix(4)
    return digits.count == 4 && digits.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } && text.dropFirst(4).hasPrefix("-")
      && text.contains("T") && text.utf8.count <= 40
  }

  private static func noTime(_ text: String) -> CommandFailure {
    CommandFailure(.usage, "'\(text)': a time is looked up by a server only; give oldest, newest or an offset")
  }

  /// The offset that it means in a queue that keeps `kept`. An earlier one is fine (reading begins with the gap); a later one is an error.
  func resolved(in kept: Range<Offset>, of queue: String) throws(CommandFailure) -> Offset {
    let offset: Offset
    switch self {
    case .oldest: return kept.lowerBound
    case .newest: return kept.upperBound
    case .time(let text): throw Self.noTime(text)
    case .at(let number): offset = number
    case .told(let told): offset = Offset(told.offset)
    }
    guard offset <= kept.upperBound else {
      throw CommandFailure(.usage, "offset \(offset) is after the end of \(queue), which keeps \(kept.lowerBound)..<\(kept.upperBound)")
    }
    return offset
  }
}

/// A time with its unit: `20s`, `500ms`, `1h`.
struct DurationArgument: ExpressibleByArgument, Equatable {
  var duration: Duration

  init?(argument: String) {
    guard let (number, unit) = Quantity.split(argument), let scale = Self.units[unit] else { return nil }
    let milliseconds = number * scale
    guard milliseconds <= 1e14 else { return nil }
    duration = .milliseconds(Int64(milliseconds))
  }

  var defaultValueDescription: String { HumanText.duration(duration) }

  private static let units: [String: Double] = ["ms": 1, "s": 1e3, "m": 6e4, "min": 6e4, "h": 3.6e6, "d": 8.64e7]
}

/// What `--drain` asks for.
struct DrainArgument: ExpressibleByArgument, Equatable {
  /// The value that a bare `--drain` stands for.
  static let everything = "everything"

  /// How long at most; nil for as long as it takes.
  var timeout: Duration?

  init?(argument: String) {
    if argument == Self.everything { return }
    guard let duration = DurationArgument(argument: argument)?.duration else { return nil }
    timeout = duration
  }
}

/// A size with its unit: `1MiB`, `500kB`; a bare number is bytes.
struct SizeArgument: ExpressibleByArgument, Equatable {
  var bytes: Int

  init?(argument: String) {
    guard let (number, unit) = Quantity.split(argument), let scale = Self.units[unit] else { return nil }
    guard number * scale >= 1, number * scale <= 1e15 else { return nil }
    bytes = Int(number * scale)
  }

  private static let units: [String: Double] = [
    "": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1024, "MiB": 1_048_576, "GiB": 1_073_741_824,
  ]
}

enum Quantity {
  /// A number that isn't negative, and the unit after it.
  static func split(_ text: String) -> (number: Double, unit: String)? {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard !digits.isEmpty, digits.first != ".", digits.last != ".", let number = Double(digits) else { return nil }
    return (number: number, unit: text.dropFirst(digits.count).trimmingPrefix(" ").description)
  }
}
