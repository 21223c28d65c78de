internal import Glibc

/// The records of a block that a batch has: mostly all of them.
public struct BlockSlice: Sendable {
  /// The block.
  public let block: StoredBlock
  /// The offsets that belong to the batch.
  public let range: Range<Offset>

  /// The records of `block` in `range`, which lies within the block.
  public init(_ block: StoredBlock, _ range: Range<Offset>) {
    precondition(range.lowerBound >= block.header.base && range.upperBound <= block.header.end && !range.isEmpty, "slice outside its block")
    self.block = block
    self.range = range
  }

  /// All records of `block`.
  public init(_ block: StoredBlock) { self.init(block, block.header.base..<block.header.end) }

  /// How many records.
  public var recordCount: Int { range.upperBound - range.lowerBound }
  /// The block as it is, nothing cut off.
  public var isWhole: Bool { range.lowerBound == block.header.base && range.upperBound == block.header.end }
  /// The last record of the slice had no line feed in its input.
  public var lastIsUnended: Bool { block.header.flags.contains(.lastIsUnended) && range.upperBound == block.header.end }
  /// The first record of the slice continues the source's last unended one.
  public var firstContinues: Bool { block.header.flags.contains(.firstContinues) && range.lowerBound == block.header.base }

  /// The lines of the slice, each with its line feed.
  public func lines(_ codec: BlockCodec = .shared) throws(BlockDamage) -> SharedBytes {
    let all = try block.lines(codec)
    if isWhole { return all }
    let skipped = range.lowerBound - block.header.base
    return try all.withUnsafeBytes { bytes throws(BlockDamage) in
      let start = try Self.position(after: skipped, in: bytes, from: 0)
      let end = try Self.position(after: recordCount, in: bytes, from: start)
      return all.slice(start..<end)
    }
  }

  /// The lines compressed: as they are stored when the slice is whole, else cut and compressed again.
  public func deflated(_ codec: BlockCodec = .shared) throws(BlockDamage) -> DeflatedLines {
    if isWhole { return block.deflated }
    return try lines(codec).withUnsafeBytes { codec.deflate($0) }
  }

  private static func position(after count: Int, in bytes: UnsafeRawBufferPointer, from start: Int) throws(BlockDamage) -> Int {
    var position = start
    for _ in 0..<count {
      guard position < bytes.count, let found = memchr(bytes.baseAddress! + position, 0x0A, bytes.count - position) else { throw .inflate }
      position = UnsafeRawPointer(found) - bytes.baseAddress! + 1
    }
    return position
  }
}
