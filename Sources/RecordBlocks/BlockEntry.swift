/// What a block carries beside lines: checkpoints, names, epochs, the facts of a gap. Entries of a type that a reader doesn't know are
/// skipped.
public enum BlockEntry: Sendable, Hashable {
  /// Gives a source's name its number.
  case source(id: UInt32, name: String)
  /// A stream's checkpoint after this block's lines. `identity` (what file it is) stands in the first such entry and in snapshots only.
  case checkpoint(source: UInt32, stream: UInt32, identity: [UInt8]?, value: [UInt8])
  /// A stream that is over and done with.
  case forget(source: UInt32, stream: UInt32)
  /// An opening of the queue and the first offset written in it.
  case epoch(number: UInt32, first: Offset)
  /// What a gap block stands for.
  case gap(Gap)
  /// The key under which a client sent this block's lines; in a snapshot, those of an earlier block.
  case key(KeyedBody)

  private enum Kind {
    static let source: UInt8 = 1, checkpoint: UInt8 = 2, forget: UInt8 = 3, epoch: UInt8 = 4, gap: UInt8 = 5, key: UInt8 = 6
  }

  /// Appends the entry: type (1 byte), length (4 bytes), body.
  func encode(into bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.append(0)
    bytes.appendInteger(UInt32(0))
    switch self {
    case .source(let id, let name):
      bytes[start] = Kind.source
      bytes.appendInteger(id)
      bytes.append(contentsOf: name.utf8)
    case .checkpoint(let source, let stream, let identity, let value):
      bytes[start] = Kind.checkpoint
      bytes.appendInteger(source)
      bytes.appendInteger(stream)
      bytes.appendInteger(identity.map { UInt32($0.count) } ?? UInt32.max)
      bytes.append(contentsOf: identity ?? [])
      bytes.append(contentsOf: value)
    case .forget(let source, let stream):
      bytes[start] = Kind.forget
      bytes.appendInteger(source)
      bytes.appendInteger(stream)
    case .epoch(let number, let first):
      bytes[start] = Kind.epoch
      bytes.appendInteger(number)
      bytes.appendInteger(first.rawValue)
    case .gap(let gap):
      bytes[start] = Kind.gap
      bytes.append(gap.reason.rawValue)
      bytes.appendInteger(gap.records)
      bytes.appendInteger(gap.bytes)
      bytes.appendInteger(UInt64(bitPattern: gap.firstTime))
      bytes.appendInteger(UInt64(bitPattern: gap.lastTime))
    case .key(let body):
      bytes[start] = Kind.key
      bytes.appendInteger(body.first.rawValue)
      bytes.appendInteger(body.recordCount)
      bytes.appendInteger(body.openAge)
      bytes.append(UInt8(body.key.utf8.count))
      bytes.append(contentsOf: body.key.utf8)
      bytes.append(UInt8(body.hash.count))
      bytes.append(contentsOf: body.hash)
    }
    let length = UInt32(bytes.count - start - 5)
    for i in 0..<4 { bytes[start + 1 + i] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(i))) }
  }

  /// How many bytes the entry takes in a header.
  public var encodedByteCount: Int {
    switch self {
    case .source(_, let name): 5 + 4 + name.utf8.count
    case .checkpoint(_, _, let identity, let value): 5 + 12 + (identity?.count ?? 0) + value.count
    case .forget: 5 + 8
    case .epoch: 5 + 12
    case .gap: 5 + 33
    case .key(let body): 5 + 26 + body.key.utf8.count + body.hash.count
    }
  }

  /// All entries in `bytes`, or nil when they are malformed.
  static func decodeAll(_ bytes: UnsafeRawBufferPointer) -> [BlockEntry]? {
    var entries: [BlockEntry] = []
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      guard let kind = reader.integer(UInt8.self), let length = reader.integer(UInt32.self), var body = reader.part(Int(length)) else {
        return nil
      }
      switch kind {
      case Kind.source:
        // Repaired, a name would take more room than it came from, perhaps more than a header has.
        guard let id = body.integer(UInt32.self), let name = String(validating: body.rest(), as: UTF8.self) else { return nil }
        entries.append(.source(id: id, name: name))
      case Kind.checkpoint:
        guard let source = body.integer(UInt32.self), let stream = body.integer(UInt32.self), let count = body.integer(UInt32.self) else {
          return nil
        }
        var identity: [UInt8]?
        if count != UInt32.max {
          guard var part = body.part(Int(count)) else { return nil }
          identity = Array(part.rest())
        }
        entries.append(.checkpoint(source: source, stream: stream, identity: identity, value: Array(body.rest())))
      case Kind.forget:
        guard let source = body.integer(UInt32.self), let stream = body.integer(UInt32.self) else { return nil }
        entries.append(.forget(source: source, stream: stream))
      case Kind.epoch:
        guard let number = body.integer(UInt32.self), let first = body.integer(UInt64.self) else { return nil }
        entries.append(.epoch(number: number, first: Offset(first)))
      case Kind.gap:
        guard let raw = body.integer(UInt8.self), let records = body.integer(UInt64.self), let lost = body.integer(UInt64.self),
          let first = body.integer(UInt64.self), let last = body.integer(UInt64.self)
        else { return nil }
        entries.append(
          .gap(
            Gap(
              reason: Gap.Reason(rawValue: raw) ?? .dropped, records: records, bytes: lost, firstTime: Int64(bitPattern: first),
              lastTime: Int64(bitPattern: last))))
      case Kind.key:
        guard let first = body.integer(UInt64.self), let count = body.integer(UInt64.self), let age = body.integer(UInt64.self),
          first < 1 << 63, count < 1 << 63, let keyCount = body.integer(UInt8.self), var key = body.part(Int(keyCount)),
          let hashCount = body.integer(UInt8.self), hashCount <= KeyedBody.maximumHashBytes, var hash = body.part(Int(hashCount))
        else { return nil }
        let text = key.rest()
        guard KeyedBody.isValid(key: text) else { return nil }
        entries.append(
          .key(
            KeyedBody(
              key: String(decoding: text, as: UTF8.self), hash: Array(hash.rest()), first: Offset(first), recordCount: count, openAge: age)))
      default: continue
      }
    }
    return entries
  }
}
