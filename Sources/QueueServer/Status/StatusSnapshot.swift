internal import Foundation
internal import NIOCore

/// The status of all queues at one moment, ready to be told to whoever may see some of them.
struct StatusSnapshot: Sendable {
  private struct Head: Encodable {
    var version: String
    var time: String
    var started: String
  }

  /// Text of JSON, without the line feed behind it.
  private struct Queue: Sendable {
    var name: String
    var json: ByteBuffer
  }

  private let head: ByteBuffer
  private let queues: [Queue]

  /// Looks at all queues.
  static func take(of server: ServerCore, at time: Double = Date().timeIntervalSince1970) async throws -> StatusSnapshot {
    var letters: [String: UInt64] = [:]
    for served in server.shelf.main where served.attachments.deadLetterQueue() != nil {
      // What can't be counted now is counted at the next look.
      letters[served.name] = (try? await served.deadLetterFacts())?.reduce(0) { $0 + $1.kept }
    }
    return try await server.pool.run { [letters] in take(of: server, at: time, letters) }
  }

  /// Blocking, but for a short time only.
  private static func take(of server: ServerCore, at time: Double, _ letters: [String: UInt64]) -> StatusSnapshot {
    StatusSnapshot(
      head: line(
        Head(version: server.version, time: WireTime.text(Int64(time * 1e9)), started: WireTime.text(Int64(server.startTime * 1e9)))),
      queues: server.shelf.all.map { Queue(name: $0.name, json: line(QueueStatusShape($0, deadLetters: letters[$0.name] ?? 0))) })
  }

  /// One line of JSON, with those queues that `access` may read.
  func document(for access: Access) -> ByteBuffer {
    let shown = queues.filter { access.allows(.read, queue: $0.name) }
    var text = ByteBuffer()
    text.reserveCapacity(head.readableBytes + shown.reduce(16) { $0 + $1.json.readableBytes + 1 })
    // The head's own members, then one more.
    text.writeImmutableBuffer(head.getSlice(at: head.readerIndex, length: head.readableBytes - 1)!)
    text.writeString(",\"queues\":[")
    for (index, queue) in shown.enumerated() {
      if index > 0 { text.writeString(",") }
      text.writeImmutableBuffer(queue.json)
    }
    text.writeString("]}")
    return text
  }

  private static func line(_ value: some Encodable) -> ByteBuffer {
    let encoded = JSONAnswer.encode(value)
    return encoded.getSlice(at: encoded.readerIndex, length: encoded.readableBytes - 1)!
  }
}
