internal import HTTPTypes
internal import RecordBlocks
internal import SegmentQueue

/// What a request for records asks for.
struct PullParameters: Sendable {
  /// Whose place it reads from.
  enum Place: Sendable {
    case consumer(String)
    case oldest
    case newest
    case at(EpochOffset)
    /// Nanoseconds since 1970.
    case time(Int64)
  }

  enum Format: String, Sendable, CaseIterable {
    case lines
    case jsonArray = "json_array"
  }

  static let maxBytesRange = 1...(64 << 20)
  static let longestWait = Duration.seconds(55)

  var place: Place
  var commit: EpochOffset?
  var limits: BatchLimits
  var minBytes: Int
  var wait: Duration
  var format: Format
  var acceptsGzip: Bool

  init(_ query: Query, _ headers: HTTPFields) throws {
    switch (query["consumer"], query["offset"]) {
    case (let name?, nil): place = .consumer(name)
    case (nil, let text?): place = try Self.place(text, parameter: "offset")
    case (nil, nil):
      throw Problem.badParameter("give consumer=NAME, or offset=oldest, newest, E-N or a time such as 2026-09-01T12:00:00Z")
    case (_?, _?): throw Problem.badParameter("give consumer or offset, not both: a consumer has its own place")
    }
    if let text = query["commit"] {
      guard case .consumer = place else {
        throw Problem.badParameter("commit: only a consumer's place can be committed; give consumer=NAME")
      }
      commit = try Self.offset(text, parameter: "commit")
    }
    limits = try Self.limits(query)
    minBytes = min(try query.size("min_bytes", in: 1...Self.maxBytesRange.upperBound) ?? 1, limits.maxBytes)
    wait = try query.duration("wait", upTo: Self.longestWait) ?? .zero
    format = try Self.format(query)
    acceptsGzip = AcceptedEncodings(headers[values: .acceptEncoding]).hasGzip
  }

  /// How much one answer may have.
  static func limits(_ query: Query) throws -> BatchLimits {
    BatchLimits(
      maxRecords: try query.count("max_records", in: 1...Int.max / 2) ?? .max,
      maxBytes: try query.size("max_bytes", in: maxBytesRange) ?? 1 << 20)
  }

  /// How records are written.
  static func format(_ query: Query) throws -> Format {
    guard let text = query["format"] else { return .lines }
    guard let known = Format(rawValue: text) else {
      throw Problem.badParameter(
        "format: expected \(Format.allCases.map(\.rawValue).joined(separator: " or ")), got '\(text.prefix(64))'")
    }
    return known
  }

  /// A place as a client gives it.
  static func place(_ text: String, parameter: String) throws -> Place {
    switch text {
    case "oldest": return .oldest
    case "newest": return .newest
    default:
      if let time = WireTime.nanoseconds(text) { return .time(time) }
      return .at(try offset(text, parameter: parameter))
    }
  }

  /// An offset as this server gave it out.
  static func offset(_ text: String, parameter: String) throws -> EpochOffset {
    guard let offset = EpochOffset(text) else {
      throw Problem.badParameter(
        "\(parameter): expected an offset as Sluice-Next-Offset gives it, such as 3-120045, got '\(text.prefix(64))'")
    }
    return offset
  }
}

/// A request's `Accept-Encoding` (RFC 9110, section 12.5.3).
struct AcceptedEncodings {
  /// The client takes gzip.
  let hasGzip: Bool

  init(_ fields: [String]) {
    var weights: [String: Double] = [:]
    for part in fields.flatMap({ $0.split(separator: ",") }) {
      let pieces = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      guard let name = pieces.first else { continue }
      weights[name] = pieces.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
    }
    hasGzip = (weights["gzip"] ?? weights["x-gzip"] ?? weights["*"] ?? 0) > 0
  }
}
