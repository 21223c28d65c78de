extension StoredBlock {
  /// A block of lines that are compressed already, under another header: for a segment written anew. Nothing is compressed again.
  public init(_ header: BlockHeader, copying deflated: DeflatedLines) {
    let entryBytes = header.entries.reduce(0) { $0 + $1.encodedByteCount }
    let headerRoom = BlockHeader.minimumByteCount + entryBytes
    let storage = SharedBytes.Storage(capacity: headerRoom + deflated.data.count + 10)
    deflated.data.withUnsafeBytes { data in
      if let source = data.baseAddress { (storage.base + headerRoom).copyMemory(from: source, byteCount: data.count) }
    }
    let moved = DeflatedLines(
      data: SharedBytes(storage, from: headerRoom, count: deflated.data.count), checksum: deflated.checksum,
      lineByteCount: deflated.lineByteCount)
    self.init(header, completing: Prepared(storage: storage, deflated: moved, headerRoom: headerRoom, lines: nil))
  }
}
