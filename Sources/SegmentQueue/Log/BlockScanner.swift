internal import DurableFiles
internal import RecordBlocks

/// Walks a segment file block by block, by lengths; where a block is damaged it says so and goes on at the next sound header.
///
/// A block is valid if and only if its header is sound (magic, known version, no incompatible flag, header checksum), it is of this queue
/// and this segment
/// (identity and salt), begins at the offset that is due, lies wholly within the file, and the checksum of its compressed bytes agrees.
struct BlockScanner {
  enum Item {
    /// A sound block.
    case block(StoredBlock, position: Int64)
    /// A sound header; the body was not looked at (`headersOnly`).
    case header(BlockHeader, position: Int64)
    /// Bytes that are no valid block. `resumesAt` is the offset of the next sound header; nil when none follows in this file.
    case damage(bytes: Range<Int64>, first: Offset, resumesAt: BlockHeader?, reason: BlockDamage)
  }

  private let file: any File
  private let queueID: QueueID
  private let headersOnly: Bool
  private var end: Int64
  private var chunk = SharedBytes(copying: [])
  private var chunkStart: Int64 = 0
  private(set) var position: Int64
  /// The offset that is due; nil until the first block told it.
  private(set) var expected: Offset?
  private(set) var salt: UInt32?

  init(_ file: any File, queueID: QueueID, range: Range<Int64>, expecting: Offset?, salt: UInt32? = nil, headersOnly: Bool = false) {
    self.file = file
    self.queueID = queueID
    self.headersOnly = headersOnly
    position = range.lowerBound
    end = range.upperBound
    expected = expecting
    self.salt = salt
  }

  /// Goes on to a further end, for a file that has grown.
  mutating func extend(to end: Int64) { self.end = max(self.end, end) }

  /// The next block or damage, or nil at the end of the range.
  mutating func next() throws(FileError) -> Item? {
    guard position < end else { return nil }
    let start = position
    let header: BlockHeader
    do {
      header = try readHeader(at: start)
    } catch {
      switch error {
      case .file(let error): throw error
      case .damage(let damage): return try resynchronise(from: start, next: start + 1, reason: damage)
      }
    }
    if let expected, header.base != expected {
      if header.base > expected {
        // A hole: what should stand between is not in the file at all.
        self.expected = header.base
        return .damage(bytes: start..<start, first: expected, resumesAt: header, reason: .noBlock)
      }
      return try resynchronise(from: start, next: start + Int64(header.memberByteCount), reason: .foreign)
    }
    guard Int64(header.memberByteCount) <= end - start else { return try resynchronise(from: start, next: start + 1, reason: .truncated) }
    if headersOnly {
      advance(past: header)
      return .header(header, position: start)
    }
    let block: StoredBlock
    do {
      block = try StoredBlock(header, member: try window(at: start, header.memberByteCount))
    } catch let error as BlockDamage {
      return try resynchronise(from: start, next: start + Int64(header.memberByteCount), reason: error)
    } catch let error as FileError {
      throw error
    } catch {
      preconditionFailure("only file errors and damage are thrown here")
    }
    advance(past: header)
    return .block(block, position: start)
  }

  private mutating func advance(past header: BlockHeader) {
    salt = header.salt
    expected = header.end
    position += Int64(header.memberByteCount)
  }

  private enum HeaderFailure: Error {
    case file(FileError)
    case damage(BlockDamage)
  }

  private mutating func readHeader(at start: Int64) throws(HeaderFailure) -> BlockHeader {
    // Most headers are a few hundred bytes; one that says it is longer is read again.
    for count in [4096, 65_552] {
      let bytes: SharedBytes
      do throws(FileError) { bytes = try window(at: start, min(count, Int(end - start))) } catch { throw .file(error) }
      do throws(BlockDamage) {
        let header = try bytes.withUnsafeBytes { bytes throws(BlockDamage) in try BlockHeader(decoding: bytes) }
        guard header.queueID == queueID, salt == nil || header.salt == salt else { throw .foreign }
        return header
      } catch {
        if error == .truncated && count < end - start && count == 4096 { continue }
        throw .damage(error)
      }
    }
    throw .damage(.truncated)
  }

  /// Looks for the next sound header from `next` on and reports everything before it as damage.
  private mutating func resynchronise(from start: Int64, next: Int64, reason: BlockDamage) throws(FileError) -> Item {
    let first = expected ?? .zero
    var place = next
    while place < end {
      let bytes = try window(at: place, Int(min(end - place, 1 << 20)))
      guard let found = bytes.withUnsafeBytes({ BlockHeader.firstCandidate(in: $0, from: 0) }) else {
        // A magic may straddle the window's edge. So few bytes are all there are, whatever the range says: the file was cut in the meantime.
        if end - place <= Int64(bytes.count) || bytes.count <= 16 { break }
        place += Int64(bytes.count) - 16
        continue
      }
      let candidate = place + Int64(found)
      do {
        let header = try readHeader(at: candidate)
        if header.base >= first && Int64(header.memberByteCount) <= end - candidate {
          position = candidate
          expected = header.base
          return .damage(bytes: start..<candidate, first: first, resumesAt: header, reason: reason)
        }
      } catch {
        if case .file(let error) = error { throw error }
      }
      place = candidate + 1
    }
    position = end
    return .damage(bytes: start..<end, first: first, resumesAt: nil, reason: reason)
  }

  /// `count` bytes at `place`, fewer at the range's end; read in large pieces that the blocks found in them share.
  private mutating func window(at place: Int64, _ count: Int) throws(FileError) -> SharedBytes {
    let offset = place - chunkStart
    if offset >= 0 && offset + Int64(count) <= Int64(chunk.count) { return chunk.slice(Int(offset)..<Int(offset) + count) }
    let wanted = Int(min(Int64(max(count, headersOnly ? 4096 : 1 << 20)), end - place))
    let storage = SharedBytes.Storage(capacity: wanted)
    let got = try file.read(into: UnsafeMutableRawBufferPointer(start: storage.base, count: wanted), at: place)
    chunk = SharedBytes(storage, count: got)
    chunkStart = place
    return chunk.slice(0..<min(count, got))
  }
}
