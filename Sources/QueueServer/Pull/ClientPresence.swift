internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes
internal import Synchronization

/// Tells when a client has gone (or said that it sends nothing more) while its request waits.
final class ClientPresence: Sendable {
  private struct Connection {
    var isClosed = false
    var whenClosed: (@Sendable () -> Void)?
  }

  private let connections = Mutex<[ObjectIdentifier: Connection]>([:])

  /// Calls `body` once when the connection closes; false when it has already.
  func whenClosed(_ connection: ObjectIdentifier, _ body: @escaping @Sendable () -> Void) -> Bool {
    connections.withLock { connections in
      guard let known = connections[connection], !known.isClosed else { return false }
      connections[connection]?.whenClosed = body
      return true
    }
  }

  /// Nobody waits on this connection any more; false when it has closed.
  func forgetClosing(_ connection: ObjectIdentifier) -> Bool {
    connections.withLock { connections in
      guard let known = connections[connection], !known.isClosed else { return false }
      connections[connection]?.whenClosed = nil
      return true
    }
  }

  /// The handler for a new connection, behind its HTTP codec.
  func makeHandler() -> any RemovableChannelHandler & Sendable { PresenceHandler(self) }

  fileprivate func opened(_ channel: any Channel) { connections.withLock { $0[ObjectIdentifier(channel)] = Connection() } }

  fileprivate func closed(_ channel: any Channel, isGone: Bool) {
    let id = ObjectIdentifier(channel)
    let body = connections.withLock { connections in
      let body = connections[id]?.whenClosed
      if isGone { connections[id] = nil } else if connections[id] != nil { connections[id] = Connection(isClosed: true) }
      return body
    }
    body?()
  }
}

/// Sees a connection's end, and tells a client that asked first (`Expect: 100-continue`) to go on.
private final class PresenceHandler: ChannelDuplexHandler, RemovableChannelHandler, @unchecked Sendable {  // its event loop's alone
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let presence: ClientPresence
  private var unanswered = 0

  init(_ presence: ClientPresence) { self.presence = presence }

  func handlerAdded(context: ChannelHandlerContext) { presence.opened(context.channel) }
  func handlerRemoved(context: ChannelHandlerContext) { presence.closed(context.channel, isGone: true) }

  func channelInactive(context: ChannelHandlerContext) {
    presence.closed(context.channel, isGone: true)
    context.fireChannelInactive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event { presence.closed(context.channel, isGone: false) }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .head(let head) = unwrapInboundIn(data) {
      // Not among the bytes of an earlier request's answer.
      if unanswered == 0, head.headerFields[.expect]?.lowercased() == "100-continue" {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
      unanswered += 1
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) { unanswered -= 1 }
    context.write(data, promise: promise)
  }
}
