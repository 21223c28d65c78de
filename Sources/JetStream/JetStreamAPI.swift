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
      return try facts(in: try call("STREAM.INFO.\(name)", ""))
    } catch {
      if case .refused(JetStreamFailure.Code.streamNotFound, _) = error { return nil }
      throw error
    }
  }

  /// Makes the stream.
  func create(_ settings: StreamSettings) throws(JetStreamFailure) -> StreamFacts {
    try facts(in: try call("STREAM.CREATE.\(settings.name)", settings.creation))
  }

  private func facts(in answer: JSONTree) throws(JetStreamFailure) -> StreamFacts {
    guard let facts = StreamFacts(answer) else { throw .nonsense("\(connection.server): a stream's facts aren't as the protocol says") }
    return facts
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
    let answer: JSONTree
    do throws(JetStreamFailure) {
      answer = try call("STREAM.MSG.GET.\(stream)", "{\"last_by_subj\":\(JSONTree.quoted(subject))}")
    } catch {
      if case .refused(JetStreamFailure.Code.messageNotFound, _) = error { return .none }
      throw error
    }
    guard let message = answer["message"], let sequence = message["seq"]?.integer(UInt64.self) else {
      throw .nonsense("\(connection.server): a stored message isn't as the protocol says")
    }
    let headers = message["hdrs"]?.text.flatMap(Base64.decode).map(Self.headers) ?? [:]
    guard let range = RangeHeader({ headers[$0] }) else { return .foreign(sequence: sequence) }
    return .range(range, sequence: sequence)
  }

  /// The sequence of the first message of `subject` after message `previous`, as the stream's leader knows it; nil when there is none.
  func sequence(of subject: String, in stream: String, after previous: UInt64) throws(JetStreamFailure) -> UInt64? {
    do throws(JetStreamFailure) {
      let answer = try call("STREAM.MSG.GET.\(stream)", "{\"seq\":\(previous + 1),\"next_by_subj\":\(JSONTree.quoted(subject))}")
      guard let sequence = answer["message"]?["seq"]?.integer(UInt64.self) else {
        throw .nonsense("\(connection.server): a stored message isn't as the protocol says")
      }
      return sequence
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
    let answer = try parsed(try connection.request(subject, headers: headers, payload))
    guard let sequence = answer["seq"]?.integer(UInt64.self) else {
      throw .nonsense("\(connection.server): an acknowledgement isn't as the protocol says")
    }
    return sequence
  }

  // MARK: Consumers

  /// Makes a consumer that gives `filter`'s messages from `start` on, in order, without acknowledgements; it ends by itself when nobody asks.
  func createConsumer(_ name: String, on stream: String, filter: String, from start: UInt64) throws(JetStreamFailure) {
    let config =
      "{\"name\":\"\(name)\",\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":\(max(1, start)),\"ack_policy\":\"none\","
      + "\"replay_policy\":\"instant\",\"max_deliver\":1,\"inactive_threshold\":60000000000,\"num_replicas\":1,\"mem_storage\":true"
      + (filter == ">" ? "}" : ",\"filter_subject\":\(JSONTree.quoted(filter))}")
    _ = try call(
      "CONSUMER.CREATE.\(stream).\(name)" + (filter == ">" ? "" : ".\(filter)"),
      "{\"stream_name\":\(JSONTree.quoted(stream)),\"config\":\(config),\"action\":\"create\"}")
  }

  /// Asks a consumer for messages; they, and at the end a status, come to `reply`.
  /// - Parameter waits: how long for them; at least twice ``heartbeat``.
  func pull(_ consumer: String, of stream: String, count: Int, byteCount: Int, waits: Duration, reply: String) throws(JetStreamFailure) {
    let body =
      "{\"batch\":\(count),\"max_bytes\":\(byteCount),\"expires\":\(waits.wholeNanoseconds),\"idle_heartbeat\":\(Self.heartbeat.wholeNanoseconds)}"
    try connection.publish("$JS.API.CONSUMER.MSG.NEXT.\(stream).\(consumer)", reply: reply, body)
  }

  /// How often a consumer that is asked and has nothing says that it is there.
  static let heartbeat = Duration.seconds(1)

  /// Ends a consumer.
  func deleteConsumer(_ name: String, of stream: String) throws(JetStreamFailure) { _ = try call("CONSUMER.DELETE.\(stream).\(name)", "") }

  // MARK: Calls

  private func call(_ name: String, _ body: String) throws(JetStreamFailure) -> JSONTree {
    do throws(JetStreamFailure) {
      return try parsed(try connection.request("$JS.API.\(name)", body))
    } catch {
      guard case .noResponders = error else { throw error }
      throw .noResponders(
        "\(connection.server) doesn't serve JetStream for this account; enable it in the server's configuration (jetstream {…})")
    }
  }

  private func parsed(_ message: NATSMessage) throws(JetStreamFailure) -> JSONTree {
    guard let answer = message.withPayload({ JSONTree($0) }) else {
      throw .nonsense("\(connection.server): an answer isn't JSON; is this a NATS server?")
    }
    guard let error = answer["error"] else { return answer }
    throw .refused(
      code: error["err_code"]?.integer(Int.self) ?? error["code"]?.integer(Int.self) ?? 0,
      "\(connection.server): \(error["description"]?.text ?? "refused")")
  }
}
