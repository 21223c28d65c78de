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
}

extension StreamFacts: Decodable {
  private enum Key: String, CodingKey { case config, state, created }
  private enum StateKey: String, CodingKey { case lastSequence = "last_seq" }
  private enum ConfigKey: String, CodingKey {
    case subjects, retention, storage, discard, sealed, mirror
    case replicas = "num_replicas"
    case maxAge = "max_age"
    case maxBytes = "max_bytes"
    case maxMessages = "max_msgs"
    case maxMessagesPerSubject = "max_msgs_per_subject"
    case maxMessageSize = "max_msg_size"
    case noAcknowledgement = "no_ack"
  }

  /// The facts in an answer to `STREAM.INFO` or `STREAM.CREATE`.
  init(from decoder: any Decoder) throws {
    let answer = try decoder.container(keyedBy: Key.self)
    created = try answer.decode(String.self, forKey: .created)
    lastSequence = try answer.nestedContainer(keyedBy: StateKey.self, forKey: .state).decode(UInt64.self, forKey: .lastSequence)
    let config = try answer.nestedContainer(keyedBy: ConfigKey.self, forKey: .config)
    func value<Value: Decodable>(_ key: ConfigKey, or absent: Value) throws -> Value {
      try config.decodeIfPresent(Value.self, forKey: key) ?? absent
    }
    subjects = try value(.subjects, or: [])
    retention = try value(.retention, or: "")
    storage = try value(.storage, or: "")
    discard = try value(.discard, or: "")
    replicas = try value(.replicas, or: 1)
    maxAge = try value(.maxAge, or: 0)
    maxBytes = try value(.maxBytes, or: -1)
    maxMessages = try value(.maxMessages, or: -1)
    maxMessagesPerSubject = try value(.maxMessagesPerSubject, or: -1)
    maxMessageSize = try value(.maxMessageSize, or: -1)
    givesNoAcknowledgement = try value(.noAcknowledgement, or: false)
    isSealed = try value(.sealed, or: false)
    isMirror = try config.contains(.mirror) && !config.decodeNil(forKey: .mirror)
  }
}
