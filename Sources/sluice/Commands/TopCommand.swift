internal import ArgumentParser
internal import Dispatch
internal import Glibc
internal import QueueClient

/// `sluice top`.
struct TopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top", abstract: "Watch queues and pipelines live: rates, lags, what fills up, who loses records and when.",
    discussion: """
      Without --server it asks the processes of this machine that hold the queues below data, or the queue NAME, which is a directory then. On a terminal \
      it goes on until q is pressed; elsewhere, and with --output json, it tells the status once.

        sluice top
        sluice top data/app-logs
        sluice top --server http://127.0.0.1:7171 app-logs

      \(ExitCode.table)
      """)

  @Argument(help: ArgumentHelp("The only queue to show: its name at the server, or its directory.", valueName: "NAME"))
  var name: String?

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  /// What happens while it shows.
  private enum Event: Sendable {
    case status(RemoteStatus)
    case trouble(String)
    case key(TopKey)
    case resized
    case stop
  }

  func run() async throws {
    let servers = try await TopServers(name, connection)
    var status = try await servers.status()
    guard output.format == .text, Terminal.canRedraw(STDOUT_FILENO) else {
      if status.queues.contains(where: { $0.bytesPerSecond == nil && $0.deadLettersOf == nil }) {
        // Nobody has asked this server before: a rate takes two looks.
        try await Task.sleep(for: .seconds(1))
        status = try await servers.status()
      }
      let text = output.format == .json ? status.json : TopText.lines(status).joined(separator: "\n")
      return try StandardOutput.write(text + "\n")
    }
    await show(servers, status)
  }

  private func show(_ servers: TopServers, _ first: RemoteStatus) async {
    let (events, happened) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(64))
    let signals = StopSignals(stop: { _ in happened.yield(.stop) }, hangUp: { happened.yield(.stop) })
    let keys = KeyReader(STDIN_FILENO) { bytes in for key in TopKey.keys(in: bytes) { happened.yield(.key(key)) } }
    let resize = DispatchSource.makeSignalSource(signal: SIGWINCH, queue: .global(qos: .userInitiated))
    resize.setEventHandler { happened.yield(.resized) }
    resize.activate()
    let asking = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .seconds(1))
        do { happened.yield(.status(try await servers.status())) } catch {
          happened.yield(.trouble((error as? QueueClientError)?.sentence ?? (error as? CommandFailure)?.message ?? "\(error)"))
        }
      }
    }
    var screen = TopScreen(address: servers.address)
    screen.update(first)
    Terminal.write(TopScreen.enter, to: STDOUT_FILENO)
    // A terminal that is gone takes nothing any more.
    guard Self.draw(&screen) else { return asking.cancel() }
    watching: for await event in events {
      switch event {
      case .status(let status): screen.update(status)
      case .trouble(let sentence): screen.update(trouble: sentence)
      case .key(.scroll(let lines)): screen.scroll(by: lines)
      case .resized: break
      case .key(.quit), .stop: break watching
      }
      guard Self.draw(&screen) else { break }
    }
    Terminal.write(TopScreen.leave, to: STDOUT_FILENO)
    asking.cancel()
    resize.cancel()
    withExtendedLifetime((signals, keys)) {}
  }

  /// False when nobody sees it any more.
  private static func draw(_ screen: inout TopScreen) -> Bool {
    let size = Terminal.size(STDOUT_FILENO)
    return Terminal.write(screen.text(columns: size.columns, rows: size.rows), to: STDOUT_FILENO)
  }
}
