internal import DurableFiles
internal import Glibc
internal import RecordBlocks

/// The file `lock`: whoever holds its lock has the queue; 32 checksummed bytes tell other processes how far they may read.
///
///     0  4  "SLLK"          8  8  durable end        24  4  reserved
///     4  4  process id     16  8  queue id, high half 28  4  CRC-32 of the 28 bytes before
struct LockFile {
  static let name = "lock"
  static let byteCount = 32
  private static let magic: UInt32 = 0x4B4C_4C53

  struct Content {
    var processID: UInt32
    var durableEnd: Offset
    var queueIDHigh: UInt64
  }

  /// Written after each sync, so what it tells was true when it was written; not synced itself.
  static func encode(durableEnd: Offset, queueID: QueueID) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendInteger(magic)
    bytes.appendInteger(UInt32(getpid()))
    bytes.appendInteger(durableEnd.rawValue)
    bytes.appendInteger(queueID.high)
    bytes.appendInteger(UInt32(0))
    bytes.appendInteger(bytes.withUnsafeBytes { BlockCodec.checksum($0) })
    return bytes
  }

  static func decode(_ bytes: [UInt8]) -> Content? {
    guard bytes.count >= byteCount else { return nil }
    return bytes.withUnsafeBytes { all in
      var reader = ByteReader(all)
      guard reader.integer(UInt32.self) == magic, let process = reader.integer(UInt32.self), let end = reader.integer(UInt64.self),
        let high = reader.integer(UInt64.self), reader.integer(UInt32.self) != nil, let stored = reader.integer(UInt32.self),
        BlockCodec.checksum(UnsafeRawBufferPointer(rebasing: all[0..<28])) == stored
      else { return nil }
      return Content(processID: process, durableEnd: Offset(end), queueIDHigh: high)
    }
  }
}
