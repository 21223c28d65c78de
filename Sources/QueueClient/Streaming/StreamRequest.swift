/// What a stream asks for.
public struct StreamRequest: Sendable, Hashable {
  /// Whose place says where the stream begins.
  public enum Reader: Sendable, Hashable {
    /// A consumer's cursor. Streaming commits nothing: ``QueueClient/commit(_:consumer:of:)`` does, up to the end of what came.
    case consumer(String)
    /// A place, without any consumer: nothing is remembered, and nothing is kept for it.
    case place(QueuePlace)
  }

  /// The queue's name.
  public var queue: String
  /// See ``Reader``.
  public var reader: Reader
  /// Where an earlier stream ended: it goes on there, whatever ``reader`` says of the beginning.
  public var resume: WireOffset?
  /// The most bytes of one event's lines, up to 8 MiB; one record that is longer comes alone.
  public var maxBytes = 256 << 10
  /// How long the server may be silent, 1 s to 60 s.
  public var heartbeat = Duration.seconds(15)

  /// A request with the defaults.
  public init(queue: String, reader: Reader) {
    self.queue = queue
    self.reader = reader
  }

  var query: [(name: String, value: String)] {
    let place =
      switch reader {
      case .consumer(let name): (name: "consumer", value: name)
      case .place(let place): (name: "offset", value: place.description)
      }
    let (seconds, attoseconds) = heartbeat.components
    let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    return [place, ("max_bytes", String(maxBytes)), ("heartbeat", "\(milliseconds)ms")]
  }
}
