internal import Foundation

/// What JetStream is asked and answers, as JSON (NATS's ADR-1, ADR-2, ADR-13), as far as it is needed here.
enum Asked {
  struct LastMessage: Encodable {
    /// May have wildcards.
    var subject: String

    enum CodingKeys: String, CodingKey { case subject = "last_by_subj" }
  }

  struct NextMessage: Encodable {
    var sequence: UInt64
    var subject: String

    enum CodingKeys: String, CodingKey {
      case sequence = "seq"
      case subject = "next_by_subj"
    }
  }

  struct Messages: Encodable {
    var batch: Int
    var maxBytes: Int
    /// Nanoseconds.
    var expires: Int64
    /// Nanoseconds.
    var idleHeartbeat: Int64
  }

  struct Consumer: Encodable {
    struct Config: Encodable {
      var name: String
      var deliverPolicy = "by_start_sequence"
      var optStartSeq: UInt64
      var ackPolicy = "none"
      var replayPolicy = "instant"
      var maxDeliver = 1
      /// Nanoseconds.
      var inactiveThreshold: Int64 = 60_000_000_000
      var numReplicas = 1
      var memStorage = true
      /// Nil for all subjects.
      var filterSubject: String?
    }

    var streamName: String
    var config: Config
    var action = "create"
  }

  struct Stream: Encodable {
    var name: String
    var subjects: [String]
    var retention = "limits"
    var storage = "file"
    var numReplicas: Int
    var discard: String
    /// Nanoseconds; 0 for none.
    var maxAge: Int64
    /// -1 for none, here and below.
    var maxBytes: Int
    var maxMsgs = -1
    var maxConsumers = -1
    var maxMsgsPerSubject = -1
    var maxMsgSize = -1
    /// Nanoseconds.
    var duplicateWindow: Int64?
  }

  static func text(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { preconditionFailure("texts and numbers are always JSON") }
    return String(decoding: data, as: UTF8.self)
  }
}

/// See ``Asked``.
enum Answered {
  /// Every answer may be one.
  struct Refusal: Decodable {
    struct Reason: Decodable {
      var code: Int?
      var errorCode: Int?
      var description: String?

      enum CodingKeys: String, CodingKey {
        case code, description
        case errorCode = "err_code"
      }
    }

    var error: Reason?
  }

  struct Published: Decodable {
    var seq: UInt64
  }

  struct Stored: Decodable {
    struct Message: Decodable {
      var seq: UInt64
      /// Base64.
      var hdrs: Data?
    }

    var message: Message
  }

  /// Something, which isn't looked at.
  struct Done: Decodable {}

  static func value<Value: Decodable>(_ type: Value.Type, in bytes: UnsafeRawBufferPointer) -> Value? {
    try? JSONDecoder().decode(type, from: Data(bytes))
  }
}
