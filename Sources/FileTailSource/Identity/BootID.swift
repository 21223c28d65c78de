internal import Glibc

/// Which boot of the machine this is (`man 5 proc`, /proc/sys/kernel/random/boot_id).
struct BootID: Hashable, Sendable {
  var high: UInt64
  var low: UInt64

  /// No boot: never equal to a real one.
  static let unknown = BootID(high: 0, low: 0)

  /// The running boot; ``unknown`` where /proc doesn't tell.
  static func current() -> BootID {
    let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return .unknown }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(file, &bytes, bytes.count)
    guard count > 0 else { return .unknown }
    let digits = bytes[..<count].filter { $0 != UInt8(ascii: "-") && $0 != 0x0A }
    guard digits.count == 32, let high = UInt64(String(decoding: digits[..<16], as: UTF8.self), radix: 16),
      let low = UInt64(String(decoding: digits[16...], as: UTF8.self), radix: 16)
    else { return .unknown }
    return BootID(high: high, low: low)
  }

  /// Whether both are the same known boot. Where it isn't known, the careful answer is no.
  func isSame(as other: BootID) -> Bool { self == other && self != .unknown }
}
