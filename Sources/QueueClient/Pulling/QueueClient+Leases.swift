internal import AsyncHTTPClient
internal import NIOHTTP1

/// What a worker asks for.
public struct LeaseRequest: Sendable, Hashable {
  /// The queue's name.
  public var queue: String
  /// The consumer whose records the workers share.
  public var consumer: String
  /// How long the records are lent, from 1 s to 12 h.
  public var duration: Duration
  /// The most bytes of lines, up to 64 MiB; one record that is longer comes alone.
  public var maxBytes = 1 << 20
  /// The most records.
  public var maxRecords: Int?
  /// How long the server may wait for something to lend; at most ``QueueClient/longestWait``.
  public var wait = Duration.zero

  /// A request with the defaults.
  public init(queue: String, consumer: String, duration: Duration = .seconds(30)) {
    self.queue = queue
    self.consumer = consumer
    self.duration = duration
  }
}

/// Records on loan: whole and checked. They come again, to this worker or another, unless they are acknowledged in time.
public struct LeasedRecords: Sendable {
  /// What they are acknowledged, extended or released by.
  public var lease: String
  /// How often they were lent, this time included.
  public var deliveries: Int
  /// The records, each with its line feed, and what was lost before them.
  public var batch: PulledBatch
  /// The queue whose offsets the batch has when they are dead letters that were put back.
  public var deadLetterQueue: String?
}

extension QueueClient {
  /// Borrows the next records that nobody has; nil when there are none, or as many are on loan as may be.
  ///
  /// An answer that is lost or damaged leaves a lease that nobody has: it ends by itself.
  public func lease(_ lease: LeaseRequest) async throws(QueueClientError) -> LeasedRecords? {
    try await persist { _ throws(QueueClientError) in
      var query = [("duration", Self.milliseconds(lease.duration)), ("max_bytes", String(lease.maxBytes))]
      if let maxRecords = lease.maxRecords { query.append(("max_records", String(maxRecords))) }
      if lease.wait > .zero { query.append(("wait", Self.milliseconds(min(lease.wait, Self.longestWait)))) }
      var request = self.request(
        .POST, self.path(lease.queue, "consumers", lease.consumer, "leases"), query: query.map { (name: $0.0, value: $0.1) })
      request.headers.add(name: "Accept-Encoding", value: "gzip")
      let response = try await self.send(request)
      if response.status == .noContent { return nil }
      guard let id = response.headers.first(name: "Sluice-Lease"),
        let deliveries = response.headers.first(name: "Sluice-Deliveries").flatMap({ Int($0) })
      else { throw self.notSluice("an answer with a lease has not the headers Sluice-Lease and Sluice-Deliveries that it must have") }
      let batch = try await self.batch(of: response, maxBytes: lease.maxBytes, form: .lines)
      return LeasedRecords(
        lease: id, deliveries: deliveries, batch: batch, deadLetterQueue: response.headers.first(name: "Sluice-Dead-Letters"))
    }
  }

  /// Says that the records are dealt with; that is durable on return. May be said again.
  /// - Throws: ``QueueClientError`` with the problem `lease_lost` when they were lent again in the meantime.
  public func acknowledge(_ lease: String, consumer: String, of queue: String) async throws(QueueClientError) {
    try await change(lease, consumer, queue, "acknowledge")
  }

  /// Borrows them for so long from now on.
  /// - Throws: as ``acknowledge(_:consumer:of:)``.
  public func extend(_ lease: String, consumer: String, of queue: String, for duration: Duration) async throws(QueueClientError) {
    try await change(lease, consumer, queue, "extend", [(name: "duration", value: Self.milliseconds(duration))])
  }

  /// Gives them back: they are lent again at once.
  /// - Throws: as ``acknowledge(_:consumer:of:)``.
  public func release(_ lease: String, consumer: String, of queue: String) async throws(QueueClientError) {
    try await change(lease, consumer, queue, "release")
  }

  private func change(
    _ lease: String, _ consumer: String, _ queue: String, _ word: String, _ query: [(name: String, value: String)] = []
  ) async throws(QueueClientError) {
    try await persist { _ throws(QueueClientError) in
      try await self.tell(self.request(.POST, self.path(queue, "consumers", consumer, "leases", lease, word), query: query))
    }
  }

  private static func milliseconds(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms"
  }
}
