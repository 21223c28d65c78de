internal import HTTPTypes
internal import RecordBlocks
internal import SegmentQueue

/// What a request for a stream asks for.
struct StreamParameters: Sendable {
  /// How events are written.
  enum Form: String, Sendable, CaseIterable {
    /// Server-Sent Events, as browsers read them.
    case sse
    /// One JSON object a line.
    case ndjson
  }

  static let maxBytesRange = 1...(8 << 20)
  static let heartbeatRange = Duration.seconds(1)...Duration.seconds(60)

  /// Where it begins when nothing is gone on with.
  var place: PullParameters.Place
  /// The client had everything before this: an earlier stream of it ended here.
  var resume: EpochOffset?
  /// Bytes of one event's lines.
  var maxBytes: Int
  /// How long nothing may be sent.
  var heartbeat: Duration
  var form: Form

  init(_ query: Query, _ headers: HTTPFields) throws {
    resume = try headers[.lastEventID].map { try PullParameters.offset($0, parameter: "Last-Event-ID") }
    switch (query["consumer"], query["offset"]) {
    case (let name?, nil): place = .consumer(name)
    case (nil, let text?): place = try PullParameters.place(text, parameter: "offset")
    case (nil, nil):
      guard let resume else {
        throw Problem.badParameter("give consumer=NAME, or offset=oldest, newest, E-N or a time such as 2026-09-01T12:00:00Z")
      }
      place = .at(resume)
    case (_?, _?): throw Problem.badParameter("give consumer or offset, not both: a consumer has its own place")
    }
    maxBytes = try query.size("max_bytes", in: Self.maxBytesRange) ?? 256 << 10
    heartbeat = try query.duration("heartbeat", upTo: Self.heartbeatRange.upperBound) ?? .seconds(15)
    guard heartbeat >= Self.heartbeatRange.lowerBound else { throw Problem.badParameter("heartbeat: expected a duration from 1s to 60s") }
    if let text = query["format"] {
      guard let known = Form(rawValue: text) else {
        throw Problem.badParameter("format: expected \(Form.allCases.map(\.rawValue).joined(separator: " or ")), got '\(text.prefix(64))'")
      }
      form = known
    } else {
      form = headers[values: .accept].contains { $0.lowercased().contains("text/event-stream") } ? .sse : .ndjson
    }
  }
}

extension StreamParameters.Form {
  var contentType: String {
    switch self {
    case .sse: "text/event-stream"
    case .ndjson: "application/x-ndjson"
    }
  }
}

extension HTTPField.Name {
  static let lastEventID = HTTPField.Name("Last-Event-ID")!
  /// Tells nginx to pass a stream on as it comes.
  static let accelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
