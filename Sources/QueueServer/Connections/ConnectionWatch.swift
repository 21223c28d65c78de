internal import Logging
internal import NIOCore

/// Closes a connection that makes no progress. Stands at the socket, before TLS, so that closing asks nobody; ``RequestWatch`` behind the
/// HTTP decoder tells it of requests.
final class ConnectionWatch: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = IOData

  private let isSecure: Bool
  private let counts: ConnectionCounts
  private let logger: Logger
  /// How often a connection of which something is asked is looked at, at least. No deadline that is set in the meantime is nearer, so the
  /// timer never has to be moved.
  private let interval: TimeAmount
  private var progress: ConnectionProgress
  private var context: ChannelHandlerContext?
  private var timer: Scheduled<Void>?
  private var isCounted = false

  init(limits: ConnectionLimits, isSecure: Bool, counts: ConnectionCounts, logger: Logger) {
    self.isSecure = isSecure
    self.counts = counts
    self.logger = logger
    interval = limits.shortestTimeout
    progress = ConnectionProgress(limits: limits)
  }

  // MARK: - From RequestWatch

  func handshakeCompleted() { update { $0.handshakeCompleted(now: $1) } }
  func requestBegan() { update { $0.requestBegan(now: $1) } }
  func requestEnded() { update { $0.requestEnded(now: $1) } }
  func responseEnded() { update { $0.responseEnded(now: $1) } }

  // MARK: - From the socket

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { begin() }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin()
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    end()
    self.context = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let byteCount = unwrapInboundIn(data).readableBytes
    update { $0.received(byteCount: byteCount, now: $1) }
    context.fireChannelRead(data)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    update { $0.readOnce(now: $1) }
    context.fireChannelReadComplete()
  }

  func read(context: ChannelHandlerContext) {
    update { $0.wantsToRead(now: $1) }
    context.read()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let byteCount = unwrapOutboundIn(data).readableBytes
    let bufferedBytes = bufferedBytes(context)
    update { $0.willWrite(byteCount: byteCount, bufferedBytes: bufferedBytes, now: $1) }
    context.write(data, promise: promise)
  }

  // MARK: - Time

  private func begin() {
    guard !isCounted else { return }
    isCounted = true
    counts.opened()
    update { [isSecure] in $0.connected(isSecure: isSecure, now: $1) }
  }

  private func end() {
    timer?.cancel()
    timer = nil
    guard isCounted else { return }
    isCounted = false
    counts.closed()
  }

  private func update(_ change: (inout ConnectionProgress, NIODeadline) -> Void) {
    guard let context else { return }
    change(&progress, context.eventLoop.now)
    schedule(context)
  }

  private func schedule(_ context: ChannelHandlerContext) {
    guard isCounted, timer == nil, let deadline = progress.deadline else { return }
    timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: min(deadline, context.eventLoop.now + interval)) { self.look() }
  }

  private func look() {
    timer = nil
    guard isCounted, let context else { return }
    if let stall = progress.stall(bufferedBytes: bufferedBytes(context), now: context.eventLoop.now) {
      counts.stalled(stall)
      logger.debug(
        "a connection without progress was closed",
        metadata: ["stall": "\(stall.rawValue)", "peer": "\(context.remoteAddress?.description ?? "unix")"])
      context.close(promise: nil)
    } else {
      schedule(context)
    }
  }

  /// What the kernel hasn't taken yet of what was written. Every channel here can tell.
  private func bufferedBytes(_ context: ChannelHandlerContext) -> Int {
    (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }
}
