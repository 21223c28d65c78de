internal import Logging
internal import Synchronization

/// Warns of kernel drops at once, then at most every ten seconds, with the number since the last warning.
final class DropWarnings: Sendable {
  private static let interval = Duration.seconds(10)

  private struct State {
    var untold: UInt64 = 0
    var lastWarning: ContinuousClock.Instant?
  }

  private let configuration: SyslogSource.Configuration
  private let state = Mutex(State())

  init(_ configuration: SyslogSource.Configuration) { self.configuration = configuration }

  func add(_ count: UInt64) {
    let now = ContinuousClock.now
    let told: UInt64 = state.withLock { state in
      state.untold += count
      if let last = state.lastWarning, now - last < Self.interval { return 0 }
      state.lastWarning = now
      defer { state.untold = 0 }
      return state.untold
    }
    warn(told)
  }

  /// Tells what was not yet told.
  func flush() {
    let told: UInt64 = state.withLock { state in
      defer { state.untold = 0 }
      return state.untold
    }
    warn(told)
  }

  private func warn(_ count: UInt64) {
    guard count > 0 else { return }
    configuration.logger.warning(
      "syslog: the kernel dropped datagrams at a full receive buffer; they are counted as a gap; a larger 'receive_buffer' (within net.core.rmem_max, or with CAP_NET_ADMIN) holds longer bursts",
      metadata: ["source.name": "\(configuration.name)", "source.listen": "\(configuration.listen)", "dropped": "\(count)"])
  }
}
