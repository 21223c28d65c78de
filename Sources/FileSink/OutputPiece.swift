internal import RecordBlocks

/// What a slice adds to a file: lines as they are, or compressed as they are stored.
enum OutputPiece {
  case lines(SharedBytes)
  case deflated(DeflatedLines)

  /// The piece of `slice`. When its last record is unended, the line feed that the block has after it is left out.
  init(_ slice: BlockSlice, compressed: Bool, codec: BlockCodec) throws(BlockDamage) {
    if compressed && !slice.lastIsUnended {
      self = .deflated(try slice.deflated(codec))
      return
    }
    var lines = try slice.lines(codec)
    if slice.lastIsUnended { lines = lines.slice(0..<lines.count - 1) }
    self = compressed ? .deflated(lines.withUnsafeBytes { codec.deflate($0) }) : .lines(lines)
  }

  /// The piece of a text of our own.
  init(_ text: String, compressed: Bool, codec: BlockCodec) {
    let lines = SharedBytes(copying: Array(text.utf8))
    self = compressed ? .deflated(lines.withUnsafeBytes { codec.deflate($0) }) : .lines(lines)
  }

  /// The most bytes that it takes in a file.
  var byteCount: Int {
    switch self {
    case .lines(let lines): lines.count
    case .deflated(let deflated): deflated.data.count + PieceWriter.memberFrameBytes
    }
  }
}
