internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PipelineConfiguration
internal import RecordBlocks
internal import SegmentQueue

/// The operations on a queue's consumers.
enum ConsumerHandlers {
  // MARK: Bodies

  private struct Wish: Decodable {
    var startAt: String?
    var mode: String?
    var hold: String?
    var maxDeliveries: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
      case startAt = "start_at"
      case mode, hold
      case maxDeliveries = "max_deliveries"
    }

    init(from decoder: any Decoder) throws {
      try AnyKey.refuseOthers(than: CodingKeys.allCases.map(\.rawValue), in: decoder)
      let container = try decoder.container(keyedBy: CodingKeys.self)
      startAt = container.contains(.startAt) ? try container.decode(String.self, forKey: .startAt) : nil
      mode = container.contains(.mode) ? try container.decode(String.self, forKey: .mode) : nil
      hold = container.contains(.hold) ? try container.decode(String.self, forKey: .hold) : nil
      maxDeliveries = container.contains(.maxDeliveries) ? try container.decode(Int.self, forKey: .maxDeliveries) : nil
    }
  }

  private struct CommitBody: Decodable {
    var offset: String

    enum CodingKeys: String, CodingKey, CaseIterable { case offset }

    init(from decoder: any Decoder) throws {
      try AnyKey.refuseOthers(than: CodingKeys.allCases.map(\.rawValue), in: decoder)
      offset = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .offset)
    }
  }

  private struct SeekBody: Decodable {
    var to: String

    enum CodingKeys: String, CodingKey, CaseIterable { case to }

    init(from decoder: any Decoder) throws {
      try AnyKey.refuseOthers(than: CodingKeys.allCases.map(\.rawValue), in: decoder)
      to = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .to)
    }
  }

  // MARK: Operations

  static func list(_ call: Call) async throws -> Response {
    struct List: Encodable { var consumers: [ConsumerShape] }
    let served = try call.queue()
    return JSONAnswer.response(List(consumers: try await call.server.pool.run { QueueShape(served).consumers }))
  }

  static func show(_ call: Call) async throws -> Response {
    let (served, name) = (try call.queue(), try call.variable("consumer"))
    return JSONAnswer.response(try await call.server.pool.run { shape(of: try served.consumer(name), served) })
  }

  static func create(_ call: Call) async throws -> Response {
    let (served, name) = (try call.queue(), try call.variable("consumer"))
    guard QueueConsumer.isValid(name: name) else {
      throw Problem(
        .unprocessableContent, "bad_name",
        "a consumer's name has 1 to 64 of a-z, 0-9, '.', '_', '-', begins with a letter or digit, and doesn't end in .files or .tmp")
    }
    let wish = try await call.body(as: Wish.self)
    let kind = try wish.mode.map { mode throws(Problem) -> ConsumerKind in
      switch mode {
      case "cursor": return .pull
      case "lease": return .lease
      default: throw Problem(.unprocessableContent, "unsupported_mode", "mode: expected cursor or lease, got '\(mode.prefix(64))'")
      }
    }
    if let count = wish.maxDeliveries {
      guard 0...1000 ~= count else {
        throw Problem.badBody("max_deliveries: expected a whole number from 1 to 1000, or 0 for no limit, got \(count)")
      }
    }
    let hold = try wish.hold.map { text in
      guard let hold = QuantityText.hold(text) else {
        throw Problem.badBody(
          "hold: expected all, a size such as 2GiB, a share such as 50% or a duration such as 7d, got '\(text.prefix(64))'")
      }
      return hold.hold
    }
    let startAt = wish.startAt ?? "oldest"
    return try await call.server.pool.run {
      let queue = served.queue
      let place = try startAtPlace(startAt, parameter: "start_at", served)
      let isNew = !queue.consumerNames.contains(name)
      if isNew || hold != nil || wish.maxDeliveries != nil, let refusal = call.access.refusal(.admin, queue: served.name) {
        throw Problem(refusal)
      }
      if !isNew {
        let known = try served.clientsConsumer(name)
        let consumer = try known.kind == .lease || kind == .lease ? served.leaseConsumer(name) : known
        if kind == .pull { _ = try served.pullConsumer(name) }
        try checkMode(of: wish, consumer.kind)
        if let hold { try translating(served) { () throws(QueueError) in try consumer.changeHold(to: hold) } }
        if let count = wish.maxDeliveries {
          try translating(served) { () throws(QueueError) in try consumer.changeMaxDeliveries(to: count) }
        }
        return JSONAnswer.response(shape(of: consumer, served))
      }
      try checkMode(of: wish, kind ?? .pull)
      let consumer: QueueConsumer
      do throws(QueueError) {
        consumer = try queue.consumer(name, kind: kind ?? .pull, startAt: place, hold: hold ?? .all, maxDeliveries: wish.maxDeliveries)
      } catch {
        if error.code == .invalidOffset { throw Problem.badBody("start_at: the queue doesn't have that place (any more)") }
        throw Problem(error, of: served.name)
      }
      served.placed(name, at: consumer.cursor)
      return JSONAnswer.response(shape(of: consumer, served), status: .created)
    }
  }

  static func commit(_ call: Call) async throws -> Response {
    let (served, name) = (try call.queue(), try call.variable("consumer"))
    let place = try PullParameters.offset(try await call.body(as: CommitBody.self).offset, parameter: "offset")
    return try await call.server.pool.run {
      let consumer = try served.pullConsumer(name)
      try served.commit(consumer, at: place)
      return JSONAnswer.response(shape(of: consumer, served))
    }
  }

  static func seek(_ call: Call) async throws -> Response {
    let (served, name) = (try call.queue(), try call.variable("consumer"))
    let to = try await call.body(as: SeekBody.self).to
    return try await call.server.pool.run {
      let consumer = try served.clientsConsumer(name)
      let place = try startAtPlace(to, parameter: "to", served)
      do throws(QueueError) { try consumer.seek(to: place) } catch {
        if error.code == .invalidOffset { throw Problem.badBody("to: the queue doesn't have that place (any more)") }
        throw Problem(error, of: served.name)
      }
      served.placed(name, at: consumer.cursor)
      call.server.waits.wake(WaitRoom.Reader(consumer: name, of: served.queue))
      return JSONAnswer.response(shape(of: consumer, served))
    }
  }

  static func delete(_ call: Call) async throws -> Response {
    let (served, name) = (try call.queue(), try call.variable("consumer"))
    return try await call.server.pool.run {
      _ = try served.clientsConsumer(name)
      try translating(served) { () throws(QueueError) in try served.queue.deleteConsumer(name) }
      call.server.waits.wake(WaitRoom.Reader(consumer: name, of: served.queue))
      return Response(status: .noContent)
    }
  }

  // MARK: Parts

  private static func checkMode(of wish: Wish, _ kind: ConsumerKind) throws(Problem) {
    if wish.maxDeliveries != nil, kind != .lease {
      throw Problem(
        .unprocessableContent, "unsupported_mode",
        "max_deliveries: only a consumer of leases counts deliveries; give \"mode\": \"lease\"")
    }
  }

  private static func shape(of consumer: QueueConsumer, _ served: ServedQueue) -> ConsumerShape {
    ConsumerShape(consumer.status(), of: served, served.attachments.forecasts())
  }

  private static func startAtPlace(_ text: String, parameter: String, _ served: ServedQueue) throws -> StartAt {
    switch try PullParameters.place(text, parameter: parameter) {
    case .oldest: return .oldest
    case .newest: return .newest
    case .time(let time):
      do { return .at(try served.queue.offset(appendedAt: time).rawValue) } catch { throw Problem(error, of: served.name) }
    case .at(let place):
      try served.check(place)
      return .at(place.offset.rawValue)
    case .consumer: preconditionFailure("a text names no consumer")
    }
  }

  private static func translating(_ served: ServedQueue, _ body: () throws(QueueError) -> Void) throws {
    do throws(QueueError) { try body() } catch { throw Problem(error, of: served.name) }
  }
}
