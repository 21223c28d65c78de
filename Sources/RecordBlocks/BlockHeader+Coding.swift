internal import CBlockCodec
internal import Glibc

/// Why bytes are no block of this segment.
public enum BlockDamage: Error, Sendable, Hashable {
  /// Too few bytes for what they claim to be; more may come, or the tail is torn.
  case truncated
  /// No block begins here.
  case noBlock
  /// A header checksum disagrees.
  case headerChecksum
  /// The checksum of the compressed bytes disagrees.
  case bodyChecksum
  /// The compressed bytes don't inflate to what the header says.
  case inflate
  /// A sound block of another queue or segment.
  case foreign
  /// A sound block of a newer format, which this version must not interpret.
  case newerFormat
}

extension BlockHeader {
  static let prefixByteCount = 16
  private static let fixedByteCount = 144
  /// The bytes at which a header can begin: gzip's magic with an extra field, in our exact shape.
  private static let gzipMagic: [UInt8] = [0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 0xFF]

  /// The encoded header, from gzip's magic to the header checksum.
  func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    let entryBytes = entries.reduce(0) { $0 + $1.encodedByteCount }
    precondition(entryBytes <= Self.maximumEntryBytes, "a block's entries exceed its header")
    precondition(isSensible(headerByteCount: Self.minimumByteCount + entryBytes), "a block's header contradicts itself")
    let total = Self.fixedByteCount + entryBytes + 4
    bytes.reserveCapacity(total)
    bytes.append(contentsOf: Self.gzipMagic)
    bytes.appendInteger(UInt16(total - 12))
    bytes.append(contentsOf: [0x53, 0x4C])  // "SL"
    bytes.appendInteger(UInt16(total - 16))
    bytes.append(Self.version)
    bytes.append(kind.rawValue)
    bytes.appendInteger(flags.rawValue)
    bytes.appendInteger(UInt16(0))  // incompatible flags
    bytes.appendInteger(UInt16(0))
    bytes.appendInteger(queueID.high)
    bytes.appendInteger(queueID.low)
    bytes.appendInteger(salt)
    bytes.appendInteger(UInt32(memberByteCount))
    bytes.appendInteger(base.rawValue)
    bytes.appendInteger(offsetCount)
    bytes.appendInteger(UInt32(lineByteCount))
    bytes.appendInteger(source)
    bytes.appendInteger(UInt64(bitPattern: firstTime))
    bytes.appendInteger(UInt64(bitPattern: lastTime))
    bytes.appendInteger(openAge)
    bytes.appendInteger(epoch)
    bytes.appendInteger(bodyChecksum)
    bytes.appendInteger(cumulativeRecords)
    bytes.appendInteger(cumulativeBytes)
    bytes.appendInteger(cumulativeLost)
    bytes.appendInteger(durableEnd.rawValue)
    bytes.appendInteger(UInt64(0))
    for entry in entries { entry.encode(into: &bytes) }
    bytes.appendInteger(bytes.withUnsafeBytes { block_codec_crc32(0, $0.baseAddress, $0.count) })
    return bytes
  }

  /// How many bytes the header takes that begins at `bytes`, or nil when none can begin there. Needs 16 bytes.
  static func byteCount(at bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= prefixByteCount, bytes.starts(with: gzipMagic), bytes[12] == 0x53, bytes[13] == 0x4C else { return nil }
    let extra = Int(bytes[10]) | Int(bytes[11]) << 8
    let length = Int(bytes[14]) | Int(bytes[15]) << 8
    guard extra == length + 4, length + 16 >= minimumByteCount else { return nil }
    return length + 16
  }

  /// Decodes and checks the header that begins at `bytes`.
  public init(decoding bytes: UnsafeRawBufferPointer) throws(BlockDamage) {
    guard bytes.count >= Self.prefixByteCount else { throw .truncated }
    guard let total = Self.byteCount(at: bytes) else { throw .noBlock }
    guard bytes.count >= total else { throw .truncated }
    let stored = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: total - 4, as: UInt32.self))
    guard block_codec_crc32(0, bytes.baseAddress, total - 4) == stored else { throw .headerChecksum }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[16..<total - 4]))
    func next<T: FixedWidthInteger>(_ type: T.Type) throws(BlockDamage) -> T {
      guard let value = reader.integer(type) else { throw .headerChecksum }
      return value
    }
    guard try next(UInt8.self) == Self.version, let kind = Kind(rawValue: try next(UInt8.self)) else { throw .newerFormat }
    let flags = Flags(rawValue: try next(UInt16.self))
    guard try next(UInt16.self) == 0 else { throw .newerFormat }
    _ = try next(UInt16.self)
    let queueID = QueueID(high: try next(UInt64.self), low: try next(UInt64.self))
    let salt = try next(UInt32.self)
    let memberByteCount = Int(try next(UInt32.self))
    let base = Offset(try next(UInt64.self))
    let offsetCount = try next(UInt64.self)
    let lineByteCount = Int(try next(UInt32.self))
    let source = try next(UInt32.self)
    let firstTime = Int64(bitPattern: try next(UInt64.self))
    let lastTime = Int64(bitPattern: try next(UInt64.self))
    let openAge = try next(UInt64.self)
    let epoch = try next(UInt32.self)
    let bodyChecksum = try next(UInt32.self)
    let cumulativeRecords = try next(UInt64.self)
    let cumulativeBytes = try next(UInt64.self)
    let cumulativeLost = try next(UInt64.self)
    let durableEnd = Offset(try next(UInt64.self))
    _ = try next(UInt64.self)
    guard let entries = BlockEntry.decodeAll(reader.rest()) else { throw .headerChecksum }
    self.init(
      kind: kind, flags: flags, queueID: queueID, salt: salt, base: base, offsetCount: offsetCount, lineByteCount: lineByteCount,
      source: source,
      firstTime: firstTime, lastTime: lastTime, openAge: openAge, epoch: epoch, cumulativeRecords: cumulativeRecords,
      cumulativeBytes: cumulativeBytes, cumulativeLost: cumulativeLost, durableEnd: durableEnd, entries: entries)
    self.memberByteCount = memberByteCount
    self.bodyChecksum = bodyChecksum
    self.byteCount = total
    // A checksum doesn't make a header sensible: another program's bug or an attacker can write one too.
    guard isSensible(headerByteCount: total) else { throw .headerChecksum }
  }

  /// The facts agree with each other, and believing them costs no more memory than a block may.
  private func isSensible(headerByteCount: Int) -> Bool {
    // Whoever adds to an offset or subtracts two stays within an Int.
    let lastOffset = UInt64(Int64.max)
    guard lineByteCount >= 0, lineByteCount <= Self.maximumLineBytes, base.rawValue <= lastOffset, durableEnd.rawValue <= lastOffset,
      offsetCount <= lastOffset - base.rawValue
    else { return false }
    let dataByteCount = memberByteCount - headerByteCount - 10
    switch kind {
    case .lines:
      return offsetCount >= 1 && offsetCount <= UInt64(lineByteCount) && dataByteCount > 0
        && dataByteCount <= block_codec_deflate_bound(lineByteCount)
    case .mark, .snapshot: return offsetCount == 0 && lineByteCount == 0 && dataByteCount == 0
    case .gap: return offsetCount >= 1 && lineByteCount == 0 && dataByteCount == 0 && gap != nil
    }
  }

  /// The first place in `bytes`, from `start` on, where a header's first ten bytes stand, or nil.
  public static func firstCandidate(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    var position = start
    while position + gzipMagic.count <= bytes.count {
      guard let found = memchr(base + position, Int32(gzipMagic[0]), bytes.count - position - gzipMagic.count + 1) else { return nil }
      position = UnsafeRawPointer(found) - base
      if memcmp(found, gzipMagic, gzipMagic.count) == 0 { return position }
      position += 1
    }
    return nil
  }
}
