internal import Glibc

/// What stands at the other end of standard output and standard error.
enum Terminal {
  /// Lines may be drawn over there: a terminal that knows how to move its cursor.
  static func canRedraw(_ fd: Int32) -> Bool {
    guard isatty(fd) == 1, let name = getenv("TERM") else { return false }
    return strcmp(name, "dumb") != 0 && strcmp(name, "") != 0
  }

  /// Colours are welcome: a terminal, and `NO_COLOR` isn't set.
  static func hasColors(_ fd: Int32) -> Bool { canRedraw(fd) && getenv("NO_COLOR") == nil }

  /// Its columns and rows now; 80 by 24 when it doesn't say.
  static func size(_ fd: Int32) -> (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(fd, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Writes all of `text`; waits where the descriptor is non-blocking. False when nobody reads any more.
  @discardableResult
  static func write(_ text: String, to fd: Int32) -> Bool {
    var text = text
    return text.withUTF8 { writeAll(UnsafeRawBufferPointer($0), to: fd) == 0 }
  }

  /// Writes all of `bytes`; waits where the descriptor is non-blocking. 0, or the kernel's reason.
  static func writeAll(_ bytes: UnsafeRawBufferPointer, to fd: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      let put = Glibc.write(fd, bytes.baseAddress! + done, bytes.count - done)
      if put >= 0 {
        done += put
      } else if errno == EAGAIN {
        var wait = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        poll(&wait, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}
