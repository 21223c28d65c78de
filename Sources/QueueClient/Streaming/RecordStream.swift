/// A queue's records as they become durable; see ``QueueClient/stream(_:)``. Each iteration is a stream of its own.
public struct RecordStream: AsyncSequence, Sendable {
  /// What it gives.
  public typealias Element = StreamEvent
  /// What ends it.
  public typealias Failure = QueueClientError

  let client: QueueClient
  let request: StreamRequest

  /// Begins; connects when the first event is asked for.
  public func makeAsyncIterator() -> Iterator { Iterator(follower: StreamFollower(client, request)) }

  /// Gives the events in order. The connection closes when it goes away.
  public struct Iterator: AsyncIteratorProtocol {
    let follower: StreamFollower

    /// The next event, waiting for it as long as it takes; nil once an error was thrown.
    public mutating func next() async throws(QueueClientError) -> StreamEvent? { try await follower.next() }

    /// The same, for whoever is isolated.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws(QueueClientError) -> StreamEvent? {
      try await follower.next()
    }
  }
}

extension QueueClient {
  /// Records as they become durable, over one answer that goes on, with gaps in their places and heartbeats between.
  ///
  /// When the connection breaks, the server stops or restarts, it connects again as ``Configuration/retry`` says and goes on behind the last
  /// event: none is missing, none comes twice. Only one event is read ahead: who takes them slowly is sent them slowly. Ends with an
  /// error only: what lasts, or has outlasted the policy; a consumer that was set to another place (`consumer_moved`) is one that lasts,
  /// and the next stream of it begins there.
  ///
  /// A record's bytes that are no UTF-8 come replaced; ``pull(_:)`` gives them as they are.
  public func stream(_ request: StreamRequest) -> RecordStream { RecordStream(client: self, request: request) }
}
