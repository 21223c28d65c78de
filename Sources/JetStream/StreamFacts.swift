/// What a server says of a stream.
struct StreamFacts {
  var subjects: [String]
  var retention: String
  var storage: String
  var discard: String
  var replicas: Int
  /// Nanoseconds; 0 for none.
  var maxAge: Int64
  /// -1 for none.
  var maxBytes: Int64
  var maxMessages: Int64
  var maxMessagesPerSubject: Int64
  var maxMessageSize: Int
  var givesNoAcknowledgement: Bool
  var isSealed: Bool
  var isMirror: Bool
  /// When it was made: a stream of the same name that was made later begins its sequences again.
  var created: String
  /// The highest sequence that it has given.
  var lastSequence: UInt64

  /// The facts in an answer to `STREAM.INFO` or `STREAM.CREATE`.
  init?(_ answer: JSONTree) {
    guard let config = answer["config"], let state = answer["state"], let created = answer["created"]?.text,
      let lastSequence = state["last_seq"]?.integer(UInt64.self)
    else { return nil }
    subjects = config["subjects"]?.texts ?? []
    retention = config["retention"]?.text ?? ""
    storage = config["storage"]?.text ?? ""
    discard = config["discard"]?.text ?? ""
    replicas = config["num_replicas"]?.integer(Int.self) ?? 1
    maxAge = config["max_age"]?.integer(Int64.self) ?? 0
    maxBytes = config["max_bytes"]?.integer(Int64.self) ?? -1
    maxMessages = config["max_msgs"]?.integer(Int64.self) ?? -1
    maxMessagesPerSubject = config["max_msgs_per_subject"]?.integer(Int64.self) ?? -1
    maxMessageSize = config["max_msg_size"]?.integer(Int.self) ?? -1
    givesNoAcknowledgement = config["no_ack"]?.isTrue ?? false
    isSealed = config["sealed"]?.isTrue ?? false
    if case .object? = config["mirror"] { isMirror = true } else { isMirror = false }
    self.created = created
    self.lastSequence = lastSequence
  }
}
