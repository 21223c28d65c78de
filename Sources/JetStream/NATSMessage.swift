internal import CNATS

/// A message that was received.
final class NATSMessage: @unchecked Sendable {  // libnats's message, which nobody changes after it has arrived
  private let message: OpaquePointer

  /// Takes the message over.
  init(_ message: OpaquePointer) { self.message = message }

  deinit { natsMsg_Destroy(message) }

  /// The subject that it was published on, or, for what a server says of a request, the request's reply subject.
  var subject: String { natsMsg_GetSubject(message).map { String(cString: $0) } ?? "" }
  /// Where an answer would go; JetStream puts the message's place in its stream here.
  var reply: String { natsMsg_GetReply(message).map { String(cString: $0) } ?? "" }

  /// A header's value.
  func header(_ name: String) -> String? {
    var value: UnsafePointer<CChar>?
    guard natsMsgHeader_Get(message, name, &value) == NATS_OK, let value else { return nil }
    return String(cString: value)
  }

  /// A server's word instead of a message: 100, 404, 408, 409 or 503.
  var status: Int? { payloadCount == 0 ? header("Status").flatMap { Int($0) } : nil }
  /// What the server says beside ``status``.
  var statusText: String { header("Description") ?? "" }

  /// Bytes of the payload.
  var payloadCount: Int { Int(natsMsg_GetDataLength(message)) }

  /// The payload; valid only inside `body`.
  func withPayload<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeRawBufferPointer(start: natsMsg_GetData(message), count: payloadCount))
  }

  /// Where it stands, from its reply subject: `$JS.ACK.[domain.account.]stream.consumer.delivered.sequence.consumer sequence.time.pending`
  /// (ADR-15).
  var place: (consumer: String, sequence: UInt64, consumerSequence: UInt64)? {
    let tokens = reply.split(separator: ".", omittingEmptySubsequences: false)
    guard tokens.count >= 9, tokens[0] == "$JS", tokens[1] == "ACK" else { return nil }
    let start = tokens.count == 9 ? 2 : 4
    guard tokens.count >= start + 7, let sequence = UInt64(tokens[start + 3]), let consumerSequence = UInt64(tokens[start + 4]) else {
      return nil
    }
    return (String(tokens[start + 1]), sequence, consumerSequence)
  }
}
