/// The stream that a sink publishes to: made when it isn't there, else compared, never changed.
public struct StreamSettings: Sendable {
  /// What a stream does at its `max_bytes`.
  public enum Overflow: String, Sendable, Hashable, CaseIterable {
    /// It takes no more until `max_age` has made room: records wait in the queue.
    case wait
    /// It deletes its oldest messages; who had not read them gets a gap.
    case dropOldest = "drop_oldest"

    var discard: String { self == .wait ? "new" : "old" }
  }

  /// The stream's name.
  public var name: String
  /// The subject that the sink publishes on.
  public var subject: String
  /// On how many servers each message stands.
  public var replicas: Int
  /// Messages older than this go; nil: for ever in a stream that is made, whatever it has in one that is there.
  public var maxAge: Duration?
  /// The most bytes; nil: no bound, or whatever the stream has.
  public var maxBytes: Int?
  /// What happens at ``maxBytes``; nil: `wait`, or whatever the stream has.
  public var overflow: Overflow?

  /// A stream.
  public init(name: String, subject: String, replicas: Int = 3, maxAge: Duration? = nil, maxBytes: Int? = nil, overflow: Overflow? = nil) {
    self.name = name
    self.subject = subject
    self.replicas = replicas
    self.maxAge = maxAge
    self.maxBytes = maxBytes
    self.overflow = overflow
  }

  /// The subjects of a stream that is made: all below the first token, so that the sinks of other hosts find it ready.
  var wildcard: String {
    let tokens = subject.split(separator: ".", maxSplits: 1)
    return tokens.count == 2 ? "\(tokens[0]).>" : subject
  }

  /// The body of `STREAM.CREATE`.
  var creation: Asked.Stream {
    Asked.Stream(
      name: name, subjects: [wildcard], numReplicas: replicas, discard: (overflow ?? .wait).discard, maxAge: maxAge?.wholeNanoseconds ?? 0,
      maxBytes: maxBytes ?? -1, duplicateWindow: maxAge.map { min($0.wholeNanoseconds, 120_000_000_000) })
  }

  /// How the stream that is there differs, each by itself and with both values; empty: it can be used.
  func differences(from facts: StreamFacts) -> [String] {
    var found: [String] = []
    if facts.isMirror { found.append("it is a mirror, which takes no messages") }
    if facts.isSealed { found.append("it is sealed, and takes no messages") }
    if !facts.subjects.contains(where: { SubjectPattern($0).matches(subject) }) {
      found.append("its subjects (\(facts.subjects.joined(separator: ", "))) don't take '\(subject)'")
    }
    if facts.retention != "limits" {
      found.append("its retention is '\(facts.retention)' and must be 'limits', or messages go when one reader has had them")
    }
    if facts.storage != "file" { found.append("its storage is '\(facts.storage)' and must be 'file'") }
    if facts.givesNoAcknowledgement { found.append("it has 'no_ack', and so acknowledges nothing") }
    if facts.replicas != replicas { found.append("it has replicas \(facts.replicas), 'replicas' asks for \(replicas)") }
    if let maxAge, facts.maxAge != maxAge.wholeNanoseconds {
      found.append(
        "it has max_age \(Self.text(nanoseconds: facts.maxAge)), 'max_age' asks for \(Self.text(nanoseconds: maxAge.wholeNanoseconds))")
    }
    if let maxBytes, facts.maxBytes != Int64(maxBytes) {
      found.append("it has max_bytes \(facts.maxBytes < 0 ? "none" : "\(facts.maxBytes)"), 'max_bytes' asks for \(maxBytes)")
    }
    if let overflow, facts.discard != overflow.discard {
      found.append("it has discard '\(facts.discard)', 'overflow: \(overflow.rawValue)' asks for '\(overflow.discard)'")
    }
    if facts.maxMessagesPerSubject > 0 {
      found.append("it keeps \(facts.maxMessagesPerSubject) messages a subject (max_msgs_per_subject), and must keep all")
    }
    if facts.maxMessages > 0 { found.append("it keeps \(facts.maxMessages) messages (max_msgs), and must be bounded by bytes or age only") }
    if facts.maxMessageSize > 0, facts.maxMessageSize < Self.leastMessageBytes {
      found.append("its messages may have \(facts.maxMessageSize) bytes (max_msg_size), and must have \(Self.leastMessageBytes) at least")
    }
    return found
  }

  /// A message with less than this has no room for more than its headers.
  static let leastMessageBytes = 2 * RangeHeader.mostBytes

  private static func text(nanoseconds: Int64) -> String {
    if nanoseconds == 0 { return "none" }
    return nanoseconds % 1_000_000_000 == 0 ? "\(nanoseconds / 1_000_000_000)s" : "\(nanoseconds / 1_000_000)ms"
  }
}

/// A subject with NATS's wildcards: `*` for one token, `>` for one or more at the end.
struct SubjectPattern: Sendable, Hashable {
  private let tokens: [Substring]

  init(_ text: String) { tokens = text.split(separator: ".", omittingEmptySubsequences: false) }

  /// Whether it takes `subject`, which has no wildcards.
  func matches(_ subject: String) -> Bool {
    let parts = subject.split(separator: ".", omittingEmptySubsequences: false)
    for (index, token) in tokens.enumerated() {
      if token == ">" { return parts.count > index }
      guard index < parts.count, token == "*" || token == parts[index] else { return false }
    }
    return parts.count == tokens.count
  }
}
