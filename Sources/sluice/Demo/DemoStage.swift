internal import Logging
internal import PipelineCore
internal import PipelineRuntime
internal import QueueClient
internal import QueueServer
internal import SegmentQueue
internal import SystemPackage

/// A real queue, a real server on a port of the loopback that the system chose, and a client of it.
final class DemoStage: Sendable {
  let queue: SegmentQueue
  let client: QueueClient
  /// The queue's name at the server.
  var name: String { queue.name }
  private let server: QueueServer

  private init(_ queue: SegmentQueue, _ server: QueueServer, _ client: QueueClient) {
    self.queue = queue
    self.server = server
    self.client = client
  }

  /// Plays on a stage that is taken down again, whatever comes of it.
  static func with<Result: Sendable>(
    _ options: QueueOptions, named name: String, in directory: DemoDirectory, _ play: (DemoStage) async throws -> Result
  ) async throws -> Result {
    let stage = try await open(options, named: name, in: directory)
    do {
      let result = try await play(stage)
      await stage.close()
      return result
    } catch {
      await stage.close()
      throw error
    }
  }

  private static func open(_ options: QueueOptions, named name: String, in directory: DemoDirectory) async throws -> DemoStage {
    // What retention deletes is what some scenarios are about: only errors are worth a line beside them.
    let logger = ProcessLog(format: .text).logger("demo", level: .error)
    var options = options
    options.minFreeDisk = 64 << 20
    let queue = try SegmentQueue.open(
      FilePath(directory.path).appending(name), name: name, options: options, notify: logger.notices(of: name))
    let server = QueueServer(QueueServer.Configuration(version: VersionCommand.version, logger: logger))
    do {
      // It runs nothing: it knows how long things may go on as they do.
      let runner = PipelineRunner(queue: queue, sources: [], sinks: [], deadLetters: { _ in nil }, logger: logger)
      var attachments = Attachments()
      attachments.forecasts = { PipelineReport.forecasts(runner.status()) }
      server.serve(queue, attachments)
      let address = try await server.listen(on: .internet(host: "127.0.0.1", port: 0))
      server.becomeReady()
      return DemoStage(queue, server, try DemoConsumer.client("http://\(address)"))
    } catch {
      await server.stop()
      await queue.close()
      throw error
    }
  }

  private func close() async {
    await server.stop()
    await queue.close()
  }
}
