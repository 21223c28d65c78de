/// What a demonstration shows while it runs: lines on a terminal, nothing in a pipe or beside JSON.
struct DemoScreen: Sendable {
  private let output: DiagnosticOutput
  private let isShown: Bool

  init(_ format: OutputFormat, output: DiagnosticOutput = .shared) {
    self.output = output
    isShown = format == .text && output.canRedraw
  }

  /// Says something that stays.
  func tell(_ lines: [String]) {
    guard isShown else { return }
    for line in lines { output.line(line) }
  }

  /// Shows the present figures over the last ones.
  func show(_ lines: @autoclosure () -> [String]) {
    guard isShown else { return }
    output.show(lines())
  }

  /// Takes the figures away.
  func clear() { output.clear() }

  /// `#####.....`: a share as a bar.
  static func bar(_ share: Double, width: Int = 24) -> String {
    let filled = Int((min(1, max(0, share)) * Double(width)).rounded())
    return String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
  }
}

/// Looks at something again and again while work is done, and once more behind it.
enum Sampling {
  static func run<Result: Sendable>(
    every interval: Duration, _ look: @escaping @Sendable () async throws -> Void, while work: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    let result = try await withThrowingTaskGroup(of: Result?.self) { group in
      group.addTask {
        while true {
          try await look()
          try await Task.sleep(for: interval)
        }
      }
      group.addTask { try await work() }
      guard let result = try await group.next() ?? nil else { preconditionFailure("only the work ends") }
      group.cancelAll()
      return result
    }
    try await look()
    return result
  }
}
