internal import Glibc

/// The beginning of a record for each of the 192 priorities, written once: facility and severity as numbers and by RFC 5427's names.
struct PriorityTexts: ~Copyable {
  private static let stride = 128
  private static let count = 192
  private static let facilities: [StaticString] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "console",
    "cron2", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7",
  ]
  private static let severities: [StaticString] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]

  /// Each text in a slot of its own, its length in the slot's last byte.
  private let slots: UnsafeMutableRawBufferPointer

  init() {
    slots = .allocate(byteCount: Self.stride * Self.count, alignment: 64)
    for priority in 0..<Self.count {
      let text =
        "{\"facility\":\(priority / 8),\"severity\":\(priority % 8),\"facility_name\":\"\(Self.facilities[priority / 8])\",\"severity_name\":\"\(Self.severities[priority % 8])\","
      precondition(text.utf8.count < Self.stride, "a priority's text exceeds its slot")
      let slot = UnsafeMutableRawBufferPointer(rebasing: slots[priority * Self.stride..<(priority + 1) * Self.stride])
      slot.copyBytes(from: text.utf8)
      slot[Self.stride - 1] = UInt8(text.utf8.count)
    }
  }

  deinit { slots.deallocate() }

  /// Writes the beginning of a record with `priority`, and returns how many bytes (fewer than 128) that took.
  func write(_ priority: Int, into output: UnsafeMutableRawPointer) -> Int {
    precondition(priority >= 0 && priority < Self.count, "a priority is 0 to 191")
    guard let slot = slots.baseAddress.map({ $0 + priority * Self.stride }) else { return 0 }
    let count = Int(slot.load(fromByteOffset: Self.stride - 1, as: UInt8.self))
    output.copyMemory(from: slot, byteCount: count)
    return count
  }
}
