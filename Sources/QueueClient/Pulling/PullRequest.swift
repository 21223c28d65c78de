/// What a pull asks for.
public struct PullRequest: Sendable, Hashable {
  /// Whose place says where the batch begins.
  public enum Reader: Sendable, Hashable {
    /// A consumer's cursor, which is moved to `commit` first. Without it the same records are given as long as nothing is committed.
    case consumer(String, commit: WireOffset?)
    /// A place, without any consumer: nothing is remembered, and nothing is kept for it.
    case place(QueuePlace)
  }

  /// In what form a batch's lines are wanted.
  public enum Form: Sendable, Hashable {
    /// Each with its line feed.
    case lines
    /// As one gzip member.
    case gzip
  }

  /// The queue's name.
  public var queue: String
  /// See ``Reader``.
  public var reader: Reader
  /// The most bytes of lines, up to 64 MiB; one record that is longer comes alone.
  public var maxBytes = 1 << 20
  /// The most records.
  public var maxRecords: Int?
  /// What has to be there before the batch is given, as long as there is time to wait.
  public var minBytes: Int?
  /// How long the server may wait for ``minBytes``; at most ``QueueClient/longestWait``.
  public var wait = Duration.zero
  /// See ``Form``.
  public var form = Form.lines

  /// A request with the defaults.
  public init(queue: String, reader: Reader) {
    self.queue = queue
    self.reader = reader
  }

  var query: [(name: String, value: String)] {
    var query: [(name: String, value: String)]
    switch reader {
    case .consumer(let name, let commit):
      query = [("consumer", name)]
      if let commit { query.append(("commit", commit.description)) }
    case .place(let place): query = [("offset", place.description)]
    }
    query.append(("max_bytes", String(maxBytes)))
    if let maxRecords { query.append(("max_records", String(maxRecords))) }
    if let minBytes { query.append(("min_bytes", String(minBytes))) }
    let (seconds, attoseconds) = min(wait, QueueClient.longestWait).components
    let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    if milliseconds > 0 { query.append(("wait", "\(milliseconds)ms")) }
    return query
  }
}
