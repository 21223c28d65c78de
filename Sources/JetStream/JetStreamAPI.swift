internal import Foundation
internal import RecordBlocks

/// JetStream's own requests over a connection (NATS's ADR-1, ADR-2, ADR-13), as far as they are needed here.
///
/// By JSON rather than libnats's structs: those (3.4.1) know one filter subject a consumer only, their waits can't be cancelled, and what a
/// stream has that they don't know would be lost.
struct JetStreamAPI {
  let connection: NATSConnection

  // MARK: Streams

  /// A stream's facts; nil when there is none of that name.
  func stream(_ name: String) throws(JetStreamFailure) -> StreamFacts? {
    do throws(JetStreamFailure) {
      return try call("STREAM.INFO.\(name)", for: StreamFacts.self, named: "a stream's facts aren't")
    } catch {
      if case .refused(JetStreamFailure.Code.streamNotFound, _) = error { return nil }
      throw error
    }
  }

  /// Makes the stream.
  func create(_ settings: StreamSettings) throws(JetStreamFailure) -> StreamFacts {
    try call("STREAM.CREATE.\(settings.name)", Asked.text(settings.creation), for: StreamFacts.self, named: "a stream's facts aren't")
  }

  // MARK: Messages

  /// What a subject's last message is, as the stream's leader knows it.
  enum LastMessage {
    /// The subject has none.
    case none
    /// One of a sink of ours.
    case range(RangeHeader, sequence: UInt64)
    /// Somebody else's.
    case foreign(sequence: UInt64)
  }

  /// Asks the stream's leader for the last message of `subject`, which may have wildcards; a follower might lag.
  func lastMessage(of subject: String, in stream: String) throws(JetStreamFailure) -> LastMessage {
    guard let message = try stored(in: stream, Asked.LastMessage(subject: subject)) else { return .none }
    let sequence = message.seq
    let headers = message.hdrs.map { Self.headers(Array($0)) } ?? [:]
    guard let range = RangeHeader({ headers[$0] }) else { return .foreign(sequence: sequence) }
    return .range(range, sequence: sequence)
  }

  /// The sequence of the first message of `subject` after message `previous`, as the stream's leader knows it; nil when there is none.
  func sequence(of subject: String, in stream: String, after previous: UInt64) throws(JetStreamFailure) -> UInt64? {
    try stored(in: stream, Asked.NextMessage(sequence: previous + 1, subject: subject))?.seq
  }

  private func stored(in stream: String, _ wish: some Encodable) throws(JetStreamFailure) -> Answered.Stored.Message? {
    do throws(JetStreamFailure) {
      return try call("STREAM.MSG.GET.\(stream)", Asked.text(wish), for: Answered.Stored.self, named: "a stored message isn't").message
    } catch {
      if case .refused(JetStreamFailure.Code.messageNotFound, _) = error { return nil }
      throw error
    }
  }

  /// The fields of a stored header block: `NATS/1.0`, then `Name: value` a line.
  static func headers(_ bytes: [UInt8]) -> [String: String] {
    var result: [String: String] = [:]
    for line in bytes.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }).dropFirst() {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let name = String(decoding: line[..<colon], as: UTF8.self)
      let value = String(decoding: line[line.index(after: colon)...].drop { $0 == 0x20 }, as: UTF8.self)
      if result[name] == nil { result[name] = value }
    }
    return result
  }

  /// Publishes a message that must follow message `previous` of its subject (0: be its first); returns its sequence once it is stored on a
  /// majority of its servers.
  func publish(
    _ range: RangeHeader, _ payload: UnsafeRawBufferPointer, to subject: String, of stream: String, after previous: UInt64
  ) throws(JetStreamFailure) -> UInt64 {
    let headers =
      range.fields + [
        (name: "Nats-Expected-Stream", value: stream), (name: "Nats-Expected-Last-Subject-Sequence", value: "\(previous)"),
      ]
    return try parsed(
      try connection.request(subject, headers: headers, payload), Answered.Published.self, named: "an acknowledgement isn't"
    ).seq
  }

  // MARK: Consumers

  /// Makes a consumer that gives `filter`'s messages from `start` on, in order, without acknowledgements; it ends by itself when nobody asks.
  func createConsumer(_ name: String, on stream: String, filter: String, from start: UInt64) throws(JetStreamFailure) {
    let config = Asked.Consumer.Config(name: name, optStartSeq: max(1, start), filterSubject: filter == ">" ? nil : filter)
    _ = try call(
      "CONSUMER.CREATE.\(stream).\(name)" + (filter == ">" ? "" : ".\(filter)"),
      Asked.text(Asked.Consumer(streamName: stream, config: config)), for: Answered.Done.self, named: "a consumer's facts aren't")
  }

  /// Asks a consumer for messages; they, and at the end a status, come to `reply`.
  /// - Parameter waits: how long for them; at least twice ``heartbeat``.
  func pull(_ consumer: String, of stream: String, count: Int, byteCount: Int, waits: Duration, reply: String) throws(JetStreamFailure) {
    let wish = Asked.Messages(
      batch: count, maxBytes: byteCount, expires: waits.wholeNanoseconds, idleHeartbeat: Self.heartbeat.wholeNanoseconds)
    try connection.publish("$JS.API.CONSUMER.MSG.NEXT.\(stream).\(consumer)", reply: reply, Asked.text(wish))
  }

  /// How often a consumer that is asked and has nothing says that it is there.
  static let heartbeat = Duration.seconds(1)

  /// Ends a consumer.
  func deleteConsumer(_ name: String, of stream: String) throws(JetStreamFailure) {
    _ = try call("CONSUMER.DELETE.\(stream).\(name)", for: Answered.Done.self, named: "an answer isn't")
  }

  // MARK: Calls

  /// - Parameter named: the beginning of what is said of an answer that isn't one.
  private func call<Answer: Decodable>(_ name: String, _ body: String = "", for type: Answer.Type, named: String)
    throws(JetStreamFailure) -> Answer
  {
    do throws(JetStreamFailure) {
      return try parsed(try connection.request("$JS.API.\(name)", body), type, named: named)
    } catch {
      guard case .noResponders = error else { throw error }
      throw .noResponders(
        "\(connection.server) doesn't serve JetStream for this account; enable it in the server's configuration (jetstream {…})")
    }
  }

  private func parsed<Answer: Decodable>(_ message: NATSMessage, _ type: Answer.Type, named: String) throws(JetStreamFailure) -> Answer {
    guard let refusal = message.withPayload({ Answered.value(Answered.Refusal.self, in: $0) }) else {
      throw .nonsense("\(connection.server): an answer isn't JSON; is this a NATS server?")
    }
    if let error = refusal.error {
      throw .refused(code: error.errorCode ?? error.code ?? 0, "\(connection.server): \(error.description ?? "refused")")
    }
    guard let answer = message.withPayload({ Answered.value(type, in: $0) }) else {
      throw .nonsense("\(connection.server): \(named) as the protocol says")
    }
    return answer
  }
}
