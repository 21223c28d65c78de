internal import CBlockCodec

/// A whole block: its header and its gzip member, and its lines when they are in memory anyway.
public struct StoredBlock: Sendable {
  /// What the block says of itself.
  public let header: BlockHeader
  /// The gzip member, byte for byte as it is in the segment.
  public let member: SharedBytes
  private let uncompressed: SharedBytes?

  /// Compressed lines that wait for their header: what a compressing thread makes and a writing thread completes.
  public struct Prepared: Sendable {
    let storage: SharedBytes.Storage
    let deflated: DeflatedLines
    let headerRoom: Int
    /// Bytes that the finished member will have with a header of `entryBytes` bytes of entries.
    public func memberByteCount(entryBytes: Int) -> Int { BlockHeader.minimumByteCount + entryBytes + deflated.data.count + 10 }
    /// The lines, kept for readers that have caught up.
    let lines: SharedBytes?
  }

  /// Compresses `lines` and leaves room for a header with `entryBytes` bytes of entries.
  public static func prepare(_ lines: SharedBytes, entryBytes: Int, codec: BlockCodec) -> Prepared {
    let headerRoom = BlockHeader.minimumByteCount + entryBytes
    let deflated = lines.withUnsafeBytes { codec.deflate($0, roomInFront: headerRoom, roomBehind: 10) }
    return Prepared(storage: deflated.data.storage, deflated: deflated, headerRoom: headerRoom, lines: lines)
  }

  /// Completes a block: fills in lengths and checksums, and writes header and trailer around the data. `prepared` is used up.
  public init(_ header: BlockHeader, completing prepared: Prepared) {
    var header = header
    let data = prepared.deflated.data
    let trailer = GzipMember.trailer(checksum: prepared.deflated.checksum, length: UInt64(prepared.deflated.lineByteCount))
    let end = prepared.headerRoom + data.count
    trailer.withUnsafeBytes { (prepared.storage.base + end).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    header.lineByteCount = prepared.deflated.lineByteCount
    header.memberByteCount = end + trailer.count
    header.bodyChecksum = block_codec_crc32(0, prepared.storage.base + prepared.headerRoom, data.count + trailer.count)
    let encoded = header.encode()
    precondition(encoded.count == prepared.headerRoom, "the header isn't of the size that room was left for")
    header.byteCount = encoded.count
    encoded.withUnsafeBytes { prepared.storage.base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    self.header = header
    member = SharedBytes(prepared.storage, count: end + trailer.count)
    uncompressed = prepared.lines
  }

  /// A block without lines.
  public init(lineless header: BlockHeader) {
    let entryBytes = header.entries.reduce(0) { $0 + $1.encodedByteCount }
    let nothing = SharedBytes(copying: [])
    self.init(header, completing: Self.prepare(nothing, entryBytes: entryBytes, codec: .shared))
  }

  /// Takes a member that was read back; checks the checksum of its compressed bytes.
  public init(_ header: BlockHeader, member: SharedBytes) throws(BlockDamage) {
    guard member.count == header.memberByteCount, header.byteCount + 10 <= member.count else { throw .truncated }
    let checksum = member.withUnsafeBytes { block_codec_crc32(0, $0.baseAddress! + header.byteCount, $0.count - header.byteCount) }
    guard checksum == header.bodyChecksum else { throw .bodyChecksum }
    // What follows is sound as it was written; it may still be written by someone who doesn't know the format.
    let trailer = GzipMember.trailer(checksum: 0, length: UInt64(header.lineByteCount))
    let hasTrailer = member.withUnsafeBytes { bytes in
      let end = bytes[(bytes.count - trailer.count)...]
      return end.prefix(2).elementsEqual(trailer.prefix(2)) && end.suffix(4).elementsEqual(trailer.suffix(4))
    }
    guard hasTrailer else { throw .inflate }
    self.header = header
    self.member = member
    uncompressed = nil
  }

  /// Bytes of memory that the block takes: its member, and its lines when they are there.
  public var memoryByteCount: Int { member.count + (uncompressed?.count ?? 0) }

  /// The same block without the uncompressed lines, for keeping less in memory.
  public var compressedOnly: StoredBlock { StoredBlock(header: header, member: member, uncompressed: nil) }

  /// The same block with its lines in memory: inflated now, on the caller's thread, so that whoever gets it needn't.
  public func withLines(_ codec: BlockCodec = .shared) throws(BlockDamage) -> StoredBlock {
    StoredBlock(header: header, member: member, uncompressed: try lines(codec))
  }

  private init(header: BlockHeader, member: SharedBytes, uncompressed: SharedBytes?) {
    self.header = header
    self.member = member
    self.uncompressed = uncompressed
  }

  /// The compressed lines without the frame, as they are.
  public var deflated: DeflatedLines {
    let body = member.slice(header.byteCount..<member.count - 10)
    let checksum = member.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: member.count - 8, as: UInt32.self)) }
    return DeflatedLines(data: body, checksum: checksum, lineByteCount: header.lineByteCount)
  }

  /// The lines, each with its line feed; inflated unless they are in memory.
  public func lines(_ codec: BlockCodec = .shared) throws(BlockDamage) -> SharedBytes {
    if let uncompressed { return uncompressed }
    return try codec.inflate(deflated)
  }
}
