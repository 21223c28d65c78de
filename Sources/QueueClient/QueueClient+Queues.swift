internal import AsyncHTTPClient
internal import NIOHTTP1

extension QueueClient {
  private struct Queues: Codable, Sendable { var queues: [RemoteQueue] }
  private struct Consumers: Codable, Sendable { var consumers: [RemoteConsumer] }
  private struct Segments: Codable, Sendable { var segments: [RemoteSegment] }
  private struct Creation: Codable, Sendable {
    var start_at: String?
    var mode = "cursor"
    var hold: String?
    var max_deliveries: Int?
  }
  private struct Place: Codable, Sendable {
    var offset: String?
    var to: String?
  }
  private struct PutBack: Codable, Sendable {
    var sink: String
    var records: UInt64?
  }

  /// All queues that the server shows.
  public func queues() async throws(QueueClientError) -> [RemoteQueue] {
    try await persist { _ throws(QueueClientError) in try await self.ask(self.request(.GET, "/v1/queues"), for: Queues.self).queues }
  }

  /// One queue.
  public func queue(_ name: String) async throws(QueueClientError) -> RemoteQueue {
    try await persist { _ throws(QueueClientError) in try await self.ask(self.request(.GET, self.path(name)), for: RemoteQueue.self) }
  }

  /// Makes the active segment final.
  public func seal(_ queue: String) async throws(QueueClientError) -> RemoteQueue {
    try await persist { _ throws(QueueClientError) in
      try await self.ask(self.request(.POST, self.path(queue, "seal")), for: RemoteQueue.self)
    }
  }

  /// A queue's consumers.
  public func consumers(of queue: String) async throws(QueueClientError) -> [RemoteConsumer] {
    try await persist { _ throws(QueueClientError) in
      try await self.ask(self.request(.GET, self.path(queue, "consumers")), for: Consumers.self).consumers
    }
  }

  /// One consumer.
  public func consumer(_ name: String, of queue: String) async throws(QueueClientError) -> RemoteConsumer {
    try await persist { _ throws(QueueClientError) in
      try await self.ask(self.request(.GET, self.path(queue, "consumers", name)), for: RemoteConsumer.self)
    }
  }

  /// Makes a consumer, durably; one that is there stays where it is, and gets `hold` where that is given.
  /// - Parameters:
  ///   - start: where a new one begins.
  ///   - hold: what its unread records pin, as in a pipeline file; the server's default is `all`.
  /// - Returns: the consumer, and whether it was made by this.
  public func createConsumer(_ name: String, of queue: String, startAt start: QueuePlace = .oldest, hold: String? = nil)
    async throws(QueueClientError) -> (consumer: RemoteConsumer, isNew: Bool)
  {
    try await create(name, of: queue, Creation(start_at: start.description, hold: hold))
  }

  /// The same for a consumer whose workers have leases.
  /// - Parameter maxDeliveries: records that were lent so often without being acknowledged become dead letters; 0 for never, nil leaves it.
  public func createLeaseConsumer(
    _ name: String, of queue: String, startAt start: QueuePlace = .oldest, hold: String? = nil, maxDeliveries: Int? = nil
  ) async throws(QueueClientError) -> (consumer: RemoteConsumer, isNew: Bool) {
    try await create(name, of: queue, Creation(start_at: start.description, mode: "lease", hold: hold, max_deliveries: maxDeliveries))
  }

  private func create(_ name: String, of queue: String, _ wish: Creation) async throws(QueueClientError) -> (
    consumer: RemoteConsumer, isNew: Bool
  ) {
    let made = try await persist { _ throws(QueueClientError) in
      var request = self.request(.PUT, self.path(queue, "consumers", name))
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = self.json(wish)
      return try await self.askWithStatus(request, for: RemoteConsumer.self)
    }
    return (consumer: made.answer, isNew: made.status == 201)
  }

  /// Moves a consumer's cursor to the end of what it was given, durably.
  public func commit(_ offset: WireOffset, consumer: String, of queue: String) async throws(QueueClientError) -> RemoteConsumer {
    try await post(Place(offset: offset.description), to: path(queue, "consumers", consumer, "commit"))
  }

  /// Moves a consumer's cursor anywhere, durably.
  public func seek(to place: QueuePlace, consumer: String, of queue: String) async throws(QueueClientError) -> RemoteConsumer {
    try await post(Place(to: place.description), to: path(queue, "consumers", consumer, "seek"))
  }

  /// Removes a consumer and its place, durably; what it held may go.
  public func deleteConsumer(_ name: String, of queue: String) async throws(QueueClientError) {
    try await persist { earlier throws(QueueClientError) in
      do throws(QueueClientError) {
        try await self.tell(self.request(.DELETE, self.path(queue, "consumers", name)))
      } catch {
        // An earlier try did it, and its answer was lost.
        guard error.problem?.code == "unknown_consumer", earlier?.leavesOutcomeOpen ?? false else { throw error }
      }
    }
  }

  /// A queue's segments.
  public func segments(of queue: String) async throws(QueueClientError) -> [RemoteSegment] {
    try await persist { _ throws(QueueClientError) in
      try await self.ask(self.request(.GET, self.path(queue, "segments")), for: Segments.self).segments
    }
  }

  /// A queue's dead letters.
  public func deadLetters(of queue: String) async throws(QueueClientError) -> RemoteDeadLetters {
    try await persist { _ throws(QueueClientError) in
      try await self.ask(self.request(.GET, self.path(queue, "dead-letters")), for: RemoteDeadLetters.self)
    }
  }

  /// Gives a sink its dead letters again. Sent once: when the answer is lost, ``deadLetters(of:)`` tells whether it was done.
  /// - Returns: how many there are.
  public func putBackDeadLetters(of queue: String, sink: String) async throws(QueueClientError) -> UInt64 {
    var request = request(.POST, path(queue, "dead-letters", "put-back"))
    request.headers.add(name: "Content-Type", value: "application/json")
    request.body = json(PutBack(sink: sink))
    return try await ask(request, for: PutBack.self).records ?? 0
  }

  private func post(_ body: Place, to path: String) async throws(QueueClientError) -> RemoteConsumer {
    try await persist { _ throws(QueueClientError) in
      var request = self.request(.POST, path)
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = self.json(body)
      return try await self.ask(request, for: RemoteConsumer.self)
    }
  }
}
