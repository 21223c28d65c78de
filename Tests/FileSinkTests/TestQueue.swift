import PipelineCore
import RecordBlocks

/// A queue for one reader, in memory: blocks of lines and gaps, one after the other.
struct TestQueue: Sendable {
  enum Entry: Sendable {
    case block(StoredBlock)
    case gap(Range<Offset>, Gap)
  }

  private(set) var entries: [Entry] = []
  private(set) var end = Offset.zero
  private let id = QueueID(high: 1, low: 2)

  /// Adds a block of lines that are given without their line feeds.
  mutating func append(
    _ lines: [String], at second: Int64 = 1_788_268_800, source: UInt32 = 1, unended: Bool = false, continues: Bool = false,
    codec: BlockCodec = .shared, inMemory: Bool = false
  ) {
    append(
      bytes: lines.map { Array($0.utf8) }, at: second, source: source, unended: unended, continues: continues, codec: codec,
      inMemory: inMemory)
  }

  /// Adds a block of lines of bytes.
  mutating func append(
    bytes lines: [[UInt8]], at second: Int64 = 1_788_268_800, source: UInt32 = 1, unended: Bool = false, continues: Bool = false,
    codec: BlockCodec = .shared, inMemory: Bool = false
  ) {
    var flags = BlockHeader.Flags()
    if unended { flags.insert(.lastIsUnended) }
    if continues { flags.insert(.firstContinues) }
    let time = second * 1_000_000_000
    let header = BlockHeader(
      kind: .lines, flags: flags, queueID: id, salt: 3, base: end, offsetCount: UInt64(lines.count), source: source, firstTime: time,
      lastTime: time,
      openAge: 0, epoch: 1, cumulativeRecords: 0, cumulativeBytes: 0, cumulativeLost: 0, durableEnd: .zero)
    let text = SharedBytes(copying: lines.flatMap { $0 + [0x0A] })
    let block = StoredBlock(header, completing: StoredBlock.prepare(text, entryBytes: 0, codec: codec))
    entries.append(.block(inMemory ? block : block.compressedOnly))
    end = end + lines.count
  }

  /// Adds a loss of `count` offsets.
  mutating func appendGap(_ count: Int, _ reason: Gap.Reason, at second: Int64 = 1_788_268_800) {
    let time = second * 1_000_000_000
    entries.append(
      .gap(end..<end + count, Gap(reason: reason, records: UInt64(count), bytes: UInt64(count) * 10, firstTime: time, lastTime: time)))
    end = end + count
  }

  /// What stands at `offset`: at most `maxRecords` records, ending before a gap, or one gap; nil at the end.
  func delivery(from offset: Offset, maxRecords: Int = .max) -> Delivery? {
    var slices: [BlockSlice] = []
    var next = offset
    for entry in entries {
      switch entry {
      case .gap(let range, let gap):
        guard range.upperBound > next else { continue }
        guard slices.isEmpty else { break }
        return Delivery(
          first: range.lowerBound, next: range.upperBound, content: .gap(gap),
          idempotencyKey: "q-c-0-\(range.lowerBound)-\(range.upperBound)")
      case .block(let block):
        guard block.header.end > next else { continue }
        let room = maxRecords - (next - offset)
        guard room > 0 else { break }
        let end = min(block.header.end, next + min(room, 1 << 40))
        slices.append(BlockSlice(block, next..<end))
        next = end
        continue
      }
      break
    }
    guard !slices.isEmpty else { return nil }
    return Delivery(first: offset, next: next, content: .records(slices), idempotencyKey: "q-c-0-\(offset)-\(next)")
  }

  /// The input's bytes, when it all goes into one file: what a sink must reproduce.
  var bytes: [UInt8] {
    get throws {
      var result: [UInt8] = []
      var unendedSource: UInt32?
      for case .block(let block) in entries {
        if let source = unendedSource, !(block.header.flags.contains(.firstContinues) && source == block.header.source) {
          result.append(0x0A)
        }
        unendedSource = nil
        result += try block.lines().array
        if block.header.flags.contains(.lastIsUnended) {
          result.removeLast()
          unendedSource = block.header.source
        }
      }
      return result
    }
  }
}

extension TestQueue {
  /// The queue as it was when it had only its first entries.
  func prefix(_ count: Int) -> TestQueue {
    var queue = self
    queue.entries.removeLast(entries.count - count)
    return queue
  }

  /// Spoils the compressed data of an entry, under a checksum that agrees with it.
  mutating func damage(_ index: Int) throws {
    guard case .block(let block) = entries[index] else { preconditionFailure("not a block") }
    var bytes = block.member.array
    for place in block.header.byteCount..<bytes.count - 10 { bytes[place] ^= 0x55 }
    var header = block.header
    header.bodyChecksum = bytes.withUnsafeBytes { BlockCodec.checksum(UnsafeRawBufferPointer(rebasing: $0[header.byteCount...])) }
    entries[index] = .block(try StoredBlock(header, member: SharedBytes(copying: bytes)))
  }
}
