internal import NIOCore
internal import NIOHTTP1
internal import NIOTLS

/// Tells a ``ConnectionWatch`` where requests and responses begin and end. Stands behind the HTTP decoder.
final class RequestWatch: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart

  private let connection: ConnectionWatch

  init(_ connection: ConnectionWatch) { self.connection = connection }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head: connection.requestBegan()
    case .body: break
    case .end: connection.requestEnded()
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let isEnd = if case .end = unwrapOutboundIn(data) { true } else { false }
    // The end's own bytes belong to the response.
    context.write(data, promise: promise)
    if isEnd { connection.responseEnded() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent { connection.handshakeCompleted() }
    context.fireUserInboundEventTriggered(event)
  }
}
