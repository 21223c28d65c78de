internal import Hummingbird
internal import NIOCore
internal import RecordBlocks
internal import SegmentQueue

/// The operations on queues as such, and on what their sinks have set aside.
enum QueueHandlers {
  static func list(_ call: Call) async throws -> Response {
    struct List: Encodable { var queues: [QueueShape] }
    let access = call.access
    return JSONAnswer.response(
      List(
        queues: try await call.server.pool.run { [shelf = call.server.shelf] in
          shelf.all.filter { access.allows(.read, queue: $0.name) }.map { QueueShape($0) }
        }))
  }

  static func show(_ call: Call) async throws -> Response {
    let served = try call.queue()
    return JSONAnswer.response(try await call.server.pool.run { QueueShape(served) })
  }

  static func seal(_ call: Call) async throws -> Response {
    let served = try call.queue()
    do { try await served.queue.seal() } catch let error as QueueError { throw Problem(error, of: served.name) }
    return try await show(call)
  }

  static func deadLetters(_ call: Call) async throws -> Response {
    struct Sink: Encodable {
      var sink: String
      var records: UInt64
      var pending: UInt64
    }
    struct Letters: Encodable {
      var queue: String
      var records: UInt64
      var sinks: [Sink]
    }
    let served = try call.queue()
    let facts = try await served.deadLetterFacts()
    return JSONAnswer.response(
      Letters(
        queue: served.name + QueueShelf.deadLetterSuffix, records: facts.reduce(0) { $0 + $1.kept },
        sinks: facts.map { Sink(sink: $0.sink, records: $0.kept, pending: $0.pending) }))
  }

  static func putBack(_ call: Call) async throws -> Response {
    struct Wish: Decodable {
      var sink: String

      enum CodingKeys: String, CodingKey, CaseIterable { case sink }

      init(from decoder: any Decoder) throws {
        try AnyKey.refuseOthers(than: CodingKeys.allCases.map(\.rawValue), in: decoder)
        sink = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .sink)
      }
    }
    struct Done: Encodable {
      var sink: String
      var records: Int
    }
    let served = try call.queue()
    let sink = try await call.body(as: Wish.self).sink
    let known = try await served.deadLetterFacts().map(\.sink)
    guard known.contains(sink), let putBack = served.attachments.putBack else {
      throw Problem(
        .notFound, "unknown_sink",
        "no sink '\(sink.prefix(64))' of the queue '\(served.name)' has set anything aside"
          + (known.isEmpty ? "" : "; these have: \(known.joined(separator: ", "))"))
    }
    do {
      let records = try await putBack(sink)
      if let consumer = try? served.queue.knownConsumer(sink), consumer.kind == .lease { consumer.wakeWaiting() }
      return JSONAnswer.response(Done(sink: sink, records: records), status: .accepted)
    } catch let error as QueueError {
      throw Problem(error, of: served.name)
    }
  }
}
