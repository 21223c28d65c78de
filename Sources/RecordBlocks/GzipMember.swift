internal import CBlockCodec

/// One gzip member put together from compressed lines without compressing anything again.
///
/// Each ``DeflatedLines`` ends byte-aligned and not final, so their data can stand one after the other under a single header; `03 00`
/// closes the
/// stream, and the CRC-32 of the whole follows from the parts' (`crc32_combine`). Over HTTP a body is always exactly one member: many
/// clients
/// and servers read no further than the first.
public struct GzipMember: Sendable {
  /// The pieces in order: header, data of each part, trailer. Written one after the other they are the member.
  public private(set) var pieces: [SharedBytes]
  /// Bytes of the whole member.
  public private(set) var byteCount: Int

  /// RFC 1952's shortest header: no name, no time, no extra field.
  public static let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]

  /// Joins `parts` in order.
  public init(joining parts: [DeflatedLines]) {
    var checksum: UInt32 = 0
    var length: UInt64 = 0
    pieces = [SharedBytes(copying: Self.header)]
    for part in parts where part.lineByteCount > 0 {
      pieces.append(part.data)
      checksum = length == 0 ? part.checksum : block_codec_crc32_combine(checksum, part.checksum, UInt64(part.lineByteCount))
      length += UInt64(part.lineByteCount)
    }
    pieces.append(SharedBytes(copying: Self.trailer(checksum: checksum, length: length)))
    byteCount = pieces.reduce(0) { $0 + $1.count }
  }

  /// What closes a member: the final empty deflate block, the lines' CRC-32, their length modulo 2^32.
  static func trailer(checksum: UInt32, length: UInt64) -> [UInt8] {
    var trailer: [UInt8] = [0x03, 0x00]
    trailer.appendInteger(checksum)
    trailer.appendInteger(UInt32(truncatingIfNeeded: length))
    return trailer
  }
}

extension SharedBytes {
  /// A copy of `bytes`.
  public init(copying bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { SharedBytes(copying: $0) }
  }
}
