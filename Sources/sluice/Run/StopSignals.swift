internal import Dispatch
internal import Glibc
internal import Synchronization

/// Turns SIGTERM and SIGINT into a graceful end: the first calls a handler, the second ends the process at once.
final class StopSignals: @unchecked Sendable {  // `sources` is set before `init` ends and only held after that
  private final class Flag: Sendable {
    let isSet = Mutex(false)
  }

  private var sources: [any DispatchSourceSignal] = []
  private let stopping = Flag()

  /// Watches from now on. `stop` is called once, with the signal's name, on a thread of its own; `hangUp` at each SIGHUP.
  init(stop: @escaping @Sendable (String) -> Void, hangUp: @escaping @Sendable () -> Void = {}) {
    for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
      watch(number) { [stopping] in
        let isSecond = stopping.isSet.withLock { flag in
          defer { flag = true }
          return flag
        }
        // Nothing needs a clean stop to be right, so a second signal may have its will at once.
        if isSecond { _exit(128 + number) }
        stop(name)
      }
    }
    watch(SIGHUP, hangUp)
  }

  /// A stop was asked for.
  var isStopping: Bool { stopping.isSet.withLock { $0 } }

  private func watch(_ number: Int32, _ handler: @escaping @Sendable () -> Void) {
    signal(number, SIG_IGN)  // the default action must not happen; Dispatch's source is told all the same
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInitiated))
    source.setEventHandler(handler: handler)
    source.resume()
    sources.append(source)
  }
}
