/// A scenario that can be shown.
protocol DemoScenario: Sendable {
  /// As the command line and the JSON name it.
  static var name: String { get }
  /// Decides everything random.
  var seed: UInt64 { get }
  /// What one is about to see.
  var explanation: [String] { get }

  /// Shows it, live figures included, and counts.
  func play(on screen: DemoScreen, in directory: DemoDirectory) async throws -> DemoReport
}

/// Shows a scenario: its directory, its end by a signal, its summary, its exit code.
enum DemoRun {
  static func show<Scenario: DemoScenario>(_ scenario: Scenario, _ options: DemoOptions) async throws {
    let screen = DemoScreen(options.output.format)
    let directory = try DemoDirectory()
    screen.tell(scenario.explanation.map(Escaping.escaped) + [""])
    let play = Task { try await scenario.play(on: screen, in: directory) }
    // The first signal ends everything in its order: producers and consumers, the server, the queue, the directory.
    let signals = StopSignals(stop: { _ in play.cancel() })
    let result = await play.result
    screen.clear()
    try directory.remove()
    let report: DemoReport
    do { report = try result.get() } catch {
      guard signals.isStopping else { throw error }
      throw CommandFailure(.failure, "the demonstration was stopped before its end; nothing of it is left behind")
    }
    try options.output.print(report.json(scenario: Scenario.name, seed: scenario.seed), text: report.summary)
    let failed = report.checks.filter { !$0.holds }
    guard failed.isEmpty else {
      throw CommandFailure(.failure, lines: ["this should not have come about:"] + failed.map { "  not so: \($0.sentence)" })
    }
  }
}
