internal import Hummingbird
internal import NIOCore
internal import NIOHTTPTypes

/// What a handler knows of a request's connection.
struct ServerContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The connection: what watches it finds it by this.
  let connection: ObjectIdentifier
  private let channel: any Channel
  /// The peer's address.
  let peer: SocketAddress?
  /// It came over a Unix socket, whose file's rights say who may.
  let isLocalSocket: Bool

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
    connection = ObjectIdentifier(channel)
    peer = source.channel.remoteAddress
    isLocalSocket = source.channel.localAddress?.protocol == .unix
  }

  /// Returns when all that was written of the answer's body is with the kernel. The body's writer alone doesn't wait for that: what it takes
  /// waits in the event loop, as long as that has not yet found out that the client takes nothing. A task that is cancelled gives the
  /// connection up.
  func untilSent() async throws {
    let sent: EventLoopFuture<Void> = channel.writeAndFlush(HTTPResponsePart.body(ByteBuffer()))
    try await withTaskCancellationHandler {
      try await sent.get()
    } onCancel: { [channel] in
      channel.close(promise: nil)
    }
  }
}
