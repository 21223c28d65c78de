internal import RecordBlocks

/// The blocks of a message's payload, one after the other, as lines that a batch may take: nothing is believed that a sender could have made
/// up.
struct ReceivedBlocks {
  /// The lines of one block, or of the end of one.
  struct Lines {
    var range: Range<Offset>
    var bytes: SharedBytes
    var firstContinues: Bool
    var lastIsUnended: Bool
  }

  private let payload: SharedBytes
  private let queue: QueueID
  private let end: Offset
  private var position = 0
  /// The offset of the next block's first record.
  private var offset: Offset

  /// The blocks of `payload`, which claims to hold the records of `range`.
  init(_ payload: SharedBytes, claiming range: RangeHeader) {
    self.payload = payload
    queue = range.queue
    offset = range.first
    end = range.next
  }

  /// The next block's lines from offset `from` on; blocks that end before are passed over. Nil at the end.
  ///
  /// Throws when the bytes are no block, or not the one that must come here; then nothing behind it counts either.
  mutating func next(from: Offset) throws(BlockDamage) -> Lines? {
    while offset < end {
      let rest = payload.slice(position..<payload.count)
      let header = try rest.withUnsafeBytes { bytes throws(BlockDamage) in try BlockHeader(decoding: bytes) }
      guard header.queueID == queue, header.kind == .lines, header.base == offset, header.end <= end else { throw .foreign }
      guard header.memberByteCount <= rest.count else { throw .truncated }
      position += header.memberByteCount
      offset = header.end
      if header.end <= from { continue }
      let block = try StoredBlock(header, member: rest.slice(0..<header.memberByteCount))
      let lines = try block.lines()
      guard Self.lineCount(lines) == header.recordCount else { throw .inflate }
      let start = max(header.base, from)
      let slice = BlockSlice(start > header.base ? try block.withLines() : block, start..<header.end)
      return Lines(
        range: slice.range, bytes: slice.isWhole ? lines : try slice.lines(), firstContinues: slice.firstContinues,
        lastIsUnended: slice.lastIsUnended)
    }
    guard position == payload.count else { throw .foreign }
    return nil
  }

  /// How many line feeds there are when one is the last byte; else no count that any block has.
  private static func lineCount(_ lines: SharedBytes) -> Int {
    lines.withUnsafeBytes { bytes in
      guard bytes.last == 0x0A else { return -1 }
      var count = 0
      for byte in bytes { count &+= byte == 0x0A ? 1 : 0 }
      return count
    }
  }
}

extension RecordBatch {
  /// A batch of received lines.
  init(_ lines: ReceivedBlocks.Lines) {
    self.init(minimumCapacity: lines.bytes.count)
    firstContinues = lines.firstContinues
    let count = lines.range.upperBound - lines.range.lowerBound
    lines.bytes.withUnsafeBytes { bytes in
      guard lines.lastIsUnended else { return appendLines(bytes, count: count) }
      let last = bytes.dropLast().lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
      appendLines(UnsafeRawBufferPointer(rebasing: bytes[..<last]), count: count - 1)
      append(UnsafeRawBufferPointer(rebasing: bytes[last..<bytes.count - 1]), unended: true)
    }
  }
}

/// The pieces of a block that no message could hold.
struct PieceAssembly {
  let range: RangeHeader
  /// The sequence of the first piece: reading begins there again until the block is whole.
  let firstSequence: UInt64
  private let count: Int
  private var bytes: [UInt8] = []
  private var pieces = 0

  /// Begins with a first piece; nil for any other, which nothing can be made of.
  init?(_ range: RangeHeader, sequence: UInt64, _ payload: UnsafeRawBufferPointer) {
    guard let piece = range.piece, piece.number == 1 else { return nil }
    self.range = range
    firstSequence = sequence
    count = piece.count
    pieces = 1
    bytes = Array(payload)
  }

  /// Adds the next piece; false for anything else.
  mutating func add(_ other: RangeHeader, _ payload: UnsafeRawBufferPointer) -> Bool {
    guard let piece = other.piece, piece.number == pieces + 1, piece.count == count, other.first == range.first, other.next == range.next,
      other.queue == range.queue, bytes.count + payload.count <= Self.mostBytes
    else { return false }
    bytes.append(contentsOf: payload)
    pieces += 1
    return true
  }

  /// All pieces are there.
  var isWhole: Bool { pieces == count }
  /// The block.
  var payload: SharedBytes { SharedBytes(copying: bytes) }

  /// What the largest block can have.
  private static let mostBytes = BlockHeader.maximumLineBytes + BlockHeader.maximumLineBytes / 1000 + (128 << 10)
}
