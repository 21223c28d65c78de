internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import RecordBlocks
internal import SegmentQueue

/// `GET …/stream`: records as they become durable, in one answer that ends with the client, the consumer or the server.
///
/// Of a stream at most one event is in memory beside what NIO and the kernel have taken: the next is read when the client has taken the last.
/// While nothing comes it is a waiter like a pull's: no thread, no buffer.
struct StreamHandler: Sendable {
  /// Larger events go out in copied pieces, so that what NIO has of them doesn't hold the rest; smaller ones as they are, for all streams.
  private static let pieceBytes = 32 << 10

  private let call: Call
  private let served: ServedQueue
  private let parameters: StreamParameters
  private let server: ServerCore
  private var queue: SegmentQueue { served.queue }

  init(_ call: Call) throws {
    self.call = call
    served = try call.queue()
    parameters = try StreamParameters(call.query, call.request.headers)
    server = call.server
  }

  /// Looks once before it answers: what is wrong with the request is told by a status.
  func respond() async throws -> Response {
    let open = try OpenStream(of: served, server)
    let wakes = server.waits.wakes
    let (source, place, look) = try await server.pool.run { [served, parameters, server] in
      let source = try StreamSource(served, parameters, server)
      let place = try source.start()
      return (source, place, try source.look(at: place))
    }
    let headers: HTTPFields = [.contentType: parameters.form.contentType, .accelBuffering: "no", .vary: "Accept"]
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody { writer in
        try await send(source, from: place, (look, wakes), in: open, to: &writer)
        try await writer.finish(nil)
      })
  }

  /// Sends events until there is a reason to end, which is the last event.
  @concurrent private func send(
    _ source: StreamSource, from start: RecordBlocks.Offset, _ first: (look: StreamSource.Look, wakes: UInt64), in open: OpenStream,
    to writer: inout any ResponseBodyWriter
  ) async throws {
    var place = start
    var found: (look: StreamSource.Look, wakes: UInt64)? = first
    // Nothing yet: who begins where nothing is gets to know at once where that is.
    var sentAt: ContinuousClock.Instant?
    do {
      sending: while !server.waits.isStopping {
        let wakes = found?.wakes ?? server.waits.wakes
        let look: StreamSource.Look
        if let known = found?.look ?? source.glance(at: place) {
          look = known
        } else {
          look = try await server.pool.run { [place] in try source.look(at: place) }
        }
        found = nil
        // A token may have been taken back meanwhile.
        if let refusal = (call.presentAccess ?? .unknownToken).refusal(.read, queue: served.name) { throw Problem(refusal) }
        switch look {
        case .event(let event):
          try await write(event, to: &writer)
          server.metrics.delivered(records: event.recordCount, bytes: event.byteCount, of: served.name)
          (place, sentAt) = (event.next, .now)
          // Only then the next is read. Until then this one counts in the memory of answers.
          try await call.context.untilSent()
          withExtendedLifetime(event) {}
        case .nothing(let here, let end):
          place = here
          if queue.isClosing { break sending }
          let now = ContinuousClock.now
          let isDue = sentAt.map { now >= $0 + parameters.heartbeat } ?? true
          if isDue { try await write(.heartbeat(at: place, of: queue), to: &writer) }
          let quietSince = isDue ? now : sentAt ?? now
          sentAt = quietSince
          switch try await server.waits.wait(
            for: queue, beyond: end, until: quietSince + parameters.heartbeat, connection: call.context.connection, in: open.seat,
            as: source.reader, since: wakes)
          {
          case .clientGone:
            // Who has only closed the sending half still reads this.
            try await write(.end("client_closed", "the client closed its side", at: place, of: queue), to: &writer)
            return
          case .stopping: break sending
          case .recordsOrTime: break
          }
        }
      }
      try await write(stopping(at: place), to: &writer)
    } catch let problem as Problem {
      try await write(problem.code == Problem.stopping.code ? stopping(at: place) : .error(problem, at: place), to: &writer)
    }
  }

  private func stopping(at place: RecordBlocks.Offset) -> StreamEvent {
    .end("stopping", "the server is stopping; open the stream again in a moment, at 'next'", at: place, of: queue)
  }

  @concurrent private func write(_ event: StreamEvent, to writer: inout any ResponseBodyWriter) async throws {
    var rest = event.bytes(in: parameters.form)
    guard rest.readableBytes > Self.pieceBytes else { return try await writer.write(rest) }
    while let piece = rest.readSlice(length: min(rest.readableBytes, Self.pieceBytes)), piece.readableBytes > 0 {
      try await writer.write(ByteBuffer(bytes: piece.readableBytesView))
    }
  }
}
