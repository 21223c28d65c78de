internal import Glibc
internal import Synchronization

/// Standard error: log lines, and on a terminal the live lines below them. Everything that the command says beside its results goes
/// through here, so
/// that neither tears the other.
final class DiagnosticOutput: Sendable {
  /// The process's own.
  static let shared = DiagnosticOutput(descriptor: STDERR_FILENO)

  /// Live lines are possible.
  let canRedraw: Bool
  private let descriptor: Int32
  private let live = Mutex(LiveArea())

  init(descriptor: Int32) {
    self.descriptor = descriptor
    canRedraw = Terminal.canRedraw(descriptor)
  }

  /// Writes one line, above the live ones.
  func line(_ text: String) {
    live.withLock { area in
      _ = Terminal.write(canRedraw ? area.insert(text, columns: Terminal.size(descriptor).columns) : text + "\n", to: descriptor)
    }
  }

  /// Shows these lines at the bottom of the terminal in place of those shown before; does nothing when there is no terminal.
  func show(_ lines: [String]) {
    guard canRedraw else { return }
    live.withLock { area in
      let size = Terminal.size(descriptor)
      _ = Terminal.write(area.show(lines, columns: size.columns, rows: size.rows), to: descriptor)
    }
  }

  /// Takes the live lines away.
  func clear() {
    guard canRedraw else { return }
    live.withLock { area in _ = Terminal.write(area.clear(columns: Terminal.size(descriptor).columns), to: descriptor) }
  }
}
