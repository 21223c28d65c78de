internal import RecordBlocks

/// A message that is to be published: what its headers say, and its payload.
struct OutgoingMessage {
  var header: RangeHeader
  var payload: SharedBytes
}

/// Puts records into messages: as many whole stored blocks as a message takes, as they are; a block that no message takes goes in numbered
/// pieces.
///
/// Nothing is compressed again but a block that is cut because its beginning is in the stream already.
struct MessagePacking {
  /// The most bytes of a payload.
  let limit: Int
  /// What all headers have in common.
  let template: RangeHeader

  /// The messages for the records of `slices` from offset `from` on; each message begins where the one before it ended.
  func messages(_ slices: [BlockSlice], from: Offset) throws(BlockDamage) -> [OutgoingMessage] {
    var messages: [OutgoingMessage] = []
    var gathered: [SharedBytes] = []
    var gatheredBytes = 0
    var (first, next) = (from, from)
    func flush() {
      guard !gathered.isEmpty else { return }
      messages.append(OutgoingMessage(header: header(first, next), payload: Self.joined(gathered, gatheredBytes)))
      gathered.removeAll(keepingCapacity: true)
      gatheredBytes = 0
    }
    for slice in slices where slice.range.upperBound > from {
      let block = try Self.block(slice, from: from)
      if gatheredBytes + block.member.count > limit { flush() }
      if gathered.isEmpty { first = next }
      next = block.header.end
      if block.member.count > limit {
        messages += pieces(of: block.member, first, next)
        continue
      }
      gathered.append(block.member)
      gatheredBytes += block.member.count
    }
    flush()
    return messages
  }

  /// The message for a loss.
  func message(_ gap: Gap, first: Offset, next: Offset) -> OutgoingMessage {
    var header = header(first, next)
    header.gap = gap
    return OutgoingMessage(header: header, payload: SharedBytes(copying: []))
  }

  private func header(_ first: Offset, _ next: Offset) -> RangeHeader {
    var header = template
    header.first = first
    header.next = next
    return header
  }

  private func pieces(of member: SharedBytes, _ first: Offset, _ next: Offset) -> [OutgoingMessage] {
    let count = (member.count + limit - 1) / limit
    return (0..<count).map { index in
      var header = header(first, next)
      header.piece = RangeHeader.Piece(number: index + 1, count: count)
      return OutgoingMessage(header: header, payload: member.slice(index * limit..<min(member.count, (index + 1) * limit)))
    }
  }

  /// The stored block, or, of a slice, a block of its records alone.
  private static func block(_ slice: BlockSlice, from: Offset) throws(BlockDamage) -> StoredBlock {
    let part = slice.range.lowerBound < from ? BlockSlice(slice.block, from..<slice.range.upperBound) : slice
    if part.isWhole { return part.block }
    var header = part.block.header
    header.flags = []
    if part.lastIsUnended { header.flags.insert(.lastIsUnended) }
    if part.firstContinues { header.flags.insert(.firstContinues) }
    header.cumulativeRecords += UInt64(part.range.lowerBound - header.base)
    header.base = part.range.lowerBound
    header.offsetCount = UInt64(part.recordCount)
    header.entries = []
    return StoredBlock(header, copying: try part.deflated())
  }

  private static func joined(_ members: [SharedBytes], _ count: Int) -> SharedBytes {
    if members.count == 1 { return members[0] }
    let storage = SharedBytes.Storage(capacity: count)
    var position = 0
    for member in members {
      member.withUnsafeBytes { (storage.base + position).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      position += member.count
    }
    return SharedBytes(storage, count: count)
  }
}
