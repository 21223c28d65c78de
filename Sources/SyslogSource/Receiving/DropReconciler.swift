internal import RecordBlocks

/// Counts each datagram that the kernel dropped once, although it is told in two ways and in 32 bits.
///
/// Both ways read one counter of the socket: SO_RXQ_OVFL as it stood when a datagram was taken into the receive buffer, SO_MEMINFO as it
/// stands now. So
/// the first lags behind the second by what waits in the buffer, and the newest value seen is all there is to remember.
struct DropReconciler {
  /// The kernel's counter as far as its drops were taken.
  private var counted: UInt32 = 0
  /// When the counter was last looked at.
  private var lastLook: Int64
  private var pending: UInt64 = 0
  private var firstTime: Int64 = 0

  /// A socket that was opened at `time` (nanoseconds since 1970).
  init(openedAt time: Int64) { lastLook = time }

  /// Takes a value of the counter, told by either way at `time`. A value from before one that was taken already says nothing new.
  mutating func observe(_ counter: UInt32, at time: Int64) {
    // Serial arithmetic: less than half a round ahead is newer, else older. Half a round is two thousand million drops between two looks.
    let new = counter &- counted
    if new > 0 && new < 1 << 31 {
      if pending == 0 { firstTime = lastLook }
      pending += UInt64(new)
      counted = counter
    }
    lastLook = time
  }

  /// The drops since the last call, as a gap that ends at `time`.
  mutating func take(at time: Int64) -> Gap? {
    guard pending > 0 else { return nil }
    defer { pending = 0 }
    return Gap(reason: .kernelDrop, records: pending, bytes: 0, firstTime: min(firstTime, time), lastTime: time)
  }
}
