internal import Hummingbird
internal import NIOCore

/// What a handler knows of a request's connection.
struct ServerContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The connection: what watches it finds it by this.
  let connection: ObjectIdentifier
  /// The peer's address.
  let peer: SocketAddress?
  /// It came over a Unix socket, whose file's rights say who may.
  let isLocalSocket: Bool

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    connection = ObjectIdentifier(source.channel)
    peer = source.channel.remoteAddress
    isLocalSocket = source.channel.localAddress?.protocol == .unix
  }
}
