internal import Dispatch
internal import Glibc

/// Reads keys as they are pressed; the terminal is as it was when this goes.
final class KeyReader {
  private let descriptor: Int32
  private var former = termios()
  private let source: any DispatchSourceRead

  /// Nil when the descriptor is no terminal.
  init?(_ descriptor: Int32, _ pressed: @escaping @Sendable ([UInt8]) -> Void) {
    guard isatty(descriptor) == 1, tcgetattr(descriptor, &former) == 0 else { return nil }
    self.descriptor = descriptor
    var changed = former
    // Neither line by line nor shown; signals stay.
    changed.c_lflag &= ~tcflag_t(ICANON | ECHO)
    tcsetattr(descriptor, TCSANOW, &changed)
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global(qos: .userInitiated))
    source.setEventHandler { [source] in
      var buffer = [UInt8](repeating: 0, count: 64)
      let count = read(descriptor, &buffer, buffer.count)
      // The terminal is gone.
      guard count > 0 else { return source.cancel() }
      pressed(Array(buffer.prefix(count)))
    }
    source.activate()
  }

  deinit {
    source.cancel()
    tcsetattr(descriptor, TCSANOW, &former)
  }
}
