/// A 64-bit hash of file bytes, for telling files and places in them apart. Part of the checkpoint's format: its values stand on disk.
///
/// Against accident, not against malice: who can write a log file can write anything into it.
struct ContentHash: Hashable, Sendable {
  let value: UInt64

  init(value: UInt64) { self.value = value }

  /// The hash of `bytes`; eight at a time, since every read checks up to 1 KiB before its position.
  init(_ bytes: UnsafeRawBufferPointer) {
    var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
    var position = 0
    while bytes.count - position >= 8 {
      hash = Self.mix(hash, UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
      position += 8
    }
    var rest: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count {
      rest |= UInt64(bytes[position]) << shift
      shift += 8
      position += 1
    }
    value = Self.mix(hash, rest)
  }

  init(_ bytes: [UInt8]) { self = bytes.withUnsafeBytes { ContentHash($0) } }

  @inline(__always)
  private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    let product = (hash ^ word).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low ^ (hash &+ 0xA24B_AED4_963E_E407)
  }
}
