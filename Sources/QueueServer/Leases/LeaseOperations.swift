internal import Hummingbird
internal import PipelineConfiguration
internal import PipelineRuntime
internal import SegmentQueue

/// What a worker does with its lease: `POST …/leases/{lease}/acknowledge`, `extend`, `release`.
enum LeaseOperations {
  private struct Done: Encodable {
    var lease: String
    /// The consumer's cursor: everything before it is dealt with.
    var cursor: String
  }

  static func acknowledge(_ call: Call) async throws -> Response {
    try await change(call) { consumer, lease throws(QueueError) in
      try consumer.acknowledge(lease)
    } letters: {
      (letters, lease, name) throws(QueueError) in
      try letters.acknowledge(lease, of: name)
    }
  }

  static func release(_ call: Call) async throws -> Response {
    try await change(call) { consumer, lease throws(QueueError) in
      try consumer.release(lease)
    } letters: {
      (letters, lease, name) throws(QueueError) in
      try letters.release(lease, of: name)
    }
  }

  static func extend(_ call: Call) async throws -> Response {
    let duration = try LeaseHandler.duration(call.query)
    return try await change(call) { consumer, lease throws(QueueError) in
      try consumer.extend(lease, for: duration)
    } letters: {
      (letters, lease, name) throws(QueueError) in
      try letters.started(lease, of: name, for: duration)
    }
  }

  private static func change(
    _ call: Call, _ body: @escaping @Sendable (QueueConsumer, LeaseID) throws(QueueError) -> Void,
    letters bodyOfLetters: @escaping @Sendable (LeaseLetters, String, String) throws(QueueError) -> Void
  ) async throws -> Response {
    let (served, name, text) = (try call.queue(), try call.variable("consumer"), try call.variable("lease"))
    return try await call.server.pool.run {
      let consumer = try served.leaseConsumer(name)
      do throws(QueueError) {
        if let lease = LeaseID(text) {
          try body(consumer, lease)
        } else if LeaseLetters.isOne(text), let letters = served.attachments.leaseLetters {
          try bodyOfLetters(letters, text, name)
          consumer.wakeWaiting()
        } else {
          throw QueueError(.leaseLost, "'\(text.prefix(96))' is no lease as Sluice-Lease gives one")
        }
      } catch {
        throw Problem(error, of: served.name)
      }
      return JSONAnswer.response(Done(lease: text, cursor: "\(served.queue.place(consumer.cursor))"))
    }
  }
}
