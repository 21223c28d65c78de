internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
public import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
public import PipelineCore
public import SegmentQueue
internal import ServiceLifecycle
internal import Synchronization

/// Queues over HTTP: batch jobs pull, producers push, operators look. The API is in <doc:HTTPAPI>; `/openapi.json` tells it to programs.
///
/// It serves queues that are open in this process, and never opens one by itself. Order of use: ``listen(on:)`` as often as there are
/// addresses (until ``becomeReady()`` requests for queues are answered with 503), ``serve(_:_:)`` for each queue, ``becomeReady()``,
/// ``stop()``.
public final class QueueServer: Sendable {
  /// How the server is to be.
  public struct Configuration: Sendable {
    /// Who may do what; nil where everyone may who can connect.
    public var tokens: AccessTokens?
    /// Certificates for addresses; nil for plain HTTP. Unix sockets are plain always.
    public var tls: TLSContexts?
    /// See ``ServerLimits``.
    public var limits = ServerLimits()
    /// The version that it tells of itself.
    public var version: String
    /// What the process does beside the queues, for `/readyz`; asked on a thread that may block.
    public var checks: @Sendable () -> [HealthCheck] = { [] }
    /// What the process counts beside the queues, for `/metrics`; asked on a thread that may block.
    public var moreMetrics: @Sendable (inout MetricsText) -> Void = { _ in }
    /// Where it logs.
    public var logger: Logger

    /// A server for whoever can connect, with the default limits.
    public init(version: String, logger: Logger) {
      self.version = version
      self.logger = logger
    }
  }

  private struct Running {
    var group: ServiceGroup
    var task: Task<Void, any Error>
  }

  private let core: ServerCore
  private let running = Mutex<[Running]>([])

  /// A server that listens nowhere yet.
  public init(_ configuration: Configuration) { core = ServerCore(configuration, startTime: Date().timeIntervalSince1970) }

  /// Serves a queue under its name. It stays open until ``stop()`` has returned.
  public func serve(_ queue: SegmentQueue, _ attachments: Attachments = Attachments()) { core.shelf.add(ServedQueue(queue, attachments)) }

  /// All queues are served: from now on requests for them are answered.
  public func becomeReady() { core.becomeReady() }

  /// Begins to listen; returns when it does, with the address, whose port is the one that the system chose if none was asked for.
  /// - Throws: ``ListenError``.
  @discardableResult
  public func listen(on address: ServerAddress) async throws(ListenError) -> String {
    let (bound, promise) = AsyncThrowingStream<String, any Error>.makeStream()
    let group: ServiceGroup
    do {
      var quiet = core.logger
      quiet.logLevel = max(quiet.logLevel, .warning)
      let server = try makeServer(address) { promise.yield($0) }
      group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: quiet))
    } catch {
      throw ListenError(address, error)
    }
    let task = Task {
      do {
        try await group.run()
        promise.finish()
      } catch {
        promise.finish(throwing: error)
        throw error
      }
    }
    do {
      for try await text in bound {
        running.withLock { $0.append(Running(group: group, task: task)) }
        return text
      }
      throw ListenError(address, "the server ended before it listened")
    } catch let error as ListenError {
      throw error
    } catch {
      throw ListenError(address, error)
    }
  }

  /// Ends the server: nothing new is accepted, waiting pulls are answered with what there is, answers on their way are finished, for at most
  /// three seconds.
  public func stop() async {
    core.waits.stop()
    core.status.stop()
    let all = running.withLock { running in
      defer { running.removeAll() }
      return running
    }
    for one in all { await one.group.triggerGracefulShutdown() }
    let late = Task {
      try await Task.sleep(for: .seconds(3))
      for one in all { one.task.cancel() }
    }
    for one in all { _ = await one.task.result }
    late.cancel()
    await core.pool.shutDown()
  }

  /// A server for one address. Not a Hummingbird `Application`, whose clock for the `Date` header ticks each second also when nobody asks.
  private func makeServer(_ address: ServerAddress, onBound: @escaping @Sendable (String) -> Void) throws -> any Service {
    let responder = ServerResponder(core, Endpoints.all, sites: SiteRule(address: address, hasTokens: core.tokens != nil))
    let date = HTTPDate()
    var quiet = core.logger
    // Hummingbird's own lines are about its insides.
    quiet.logLevel = max(quiet.logLevel, .warning)
    let clients = core.clients
    let builder = HTTPServerBuilder.limited(core.limits.connections, tls: address.isUnix ? nil : core.tls, counts: core.connections) {
      [clients.makeHandler()]
    }
    let configuration = ServerConfiguration(
      address: address.bindAddress, backlog: 4096,
      availableConnectionsDelegate: MaximumAvailableConnections(core.limits.connections.maxConnections, logger: quiet))
    return try builder.buildServer(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet) {
      [quiet] (request, writer: consuming ResponseWriter, channel) in
      let context = ServerContext(source: ApplicationRequestContextSource(channel: channel, logger: quiet))
      var response = try await responder.respond(to: request, context: context)
      response.headers[.date] = date.text
      do {
        try await writer.write(response: response.head, body: response.body)
      } catch is HTTPParserError {
        // As itself it would be answered, on top of this answer.
        throw UnreadableWhileAnswered()
      }
    } onServerRunning: { channel in
      onBound(channel.localAddress?.text ?? address.description)
    }
  }
}

/// The client sent what is no HTTP while it was answered.
private struct UnreadableWhileAnswered: Error {}

extension SocketAddress {
  fileprivate var text: String? {
    guard let ipAddress, let port else { return pathname }
    return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
  }
}
