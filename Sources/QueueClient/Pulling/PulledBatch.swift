internal import NIOHTTP1

/// Records that were lost, as a pull tells of them.
public struct PulledGap: Sendable, Hashable {
  /// The first offset that it spans.
  public var first: UInt64
  /// The offset behind the last.
  public var next: UInt64
  /// Why, as `RecordBlocks.Gap.Reason` names it.
  public var reason: String
  /// How many records.
  public var records: UInt64
  /// Their bytes of lines.
  public var bytes: UInt64

  /// A gap of these facts.
  public init(first: UInt64, next: UInt64, reason: String, records: UInt64, bytes: UInt64) {
    self.first = first
    self.next = next
    self.reason = reason
    self.records = records
    self.bytes = bytes
  }

  /// Reads `FIRST-NEXT;REASON;RECORDS;BYTES`.
  init?(header: String) {
    let parts = header.split(separator: ";", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = UInt64(ends[0]), let next = UInt64(ends[1]), first <= next, let records = UInt64(parts[2]),
      let bytes = UInt64(parts[3]), !parts[1].isEmpty
    else { return nil }
    self.init(first: first, next: next, reason: String(parts[1]), records: records, bytes: bytes)
  }
}

/// The records that one pull gave: whole and checked, or it is an error. Its end is not committed.
public struct PulledBatch: Sendable {
  /// Where it begins, the gap included.
  public var first: WireOffset
  /// The next offset to read, and what is committed when the batch is safe.
  public var next: WireOffset
  /// How many records.
  public var records: Int
  /// Their bytes of lines, line feeds included.
  public var byteCount: Int
  /// Records behind it, up to what is durable.
  public var lagRecords: UInt64
  /// Their bytes of lines.
  public var lagBytes: UInt64
  /// What was lost before its records.
  public var gap: PulledGap?
  /// The records in the form asked for; for ``PullRequest/Form/gzip`` nothing when there are none.
  public var body: [UInt8]

  /// Whether there is anything in it.
  public var isEmpty: Bool { first.offset == next.offset && gap == nil }

  /// A batch of these facts.
  public init(
    first: WireOffset, next: WireOffset, records: Int, byteCount: Int, lagRecords: UInt64 = 0, lagBytes: UInt64 = 0, gap: PulledGap? = nil,
    body: [UInt8]
  ) {
    self.first = first
    self.next = next
    self.records = records
    self.byteCount = byteCount
    self.lagRecords = lagRecords
    self.lagBytes = lagBytes
    self.gap = gap
    self.body = body
  }

  /// What the headers of an answer tell; nil when they don't.
  init?(_ headers: HTTPHeaders) {
    func number<Number: FixedWidthInteger>(_ name: String) -> Number? { headers.first(name: name).flatMap { Number($0) } }
    guard let first = headers.first(name: "Sluice-First-Offset").flatMap({ WireOffset($0) }),
      let next = headers.first(name: "Sluice-Next-Offset").flatMap({ WireOffset($0) }), first.offset <= next.offset,
      let records: Int = number("Sluice-Records"), let byteCount: Int = number("Sluice-Bytes"), records >= 0, byteCount >= records
    else { return nil }
    self.init(
      first: first, next: next, records: records, byteCount: byteCount, lagRecords: number("Sluice-Lag") ?? 0,
      lagBytes: number("Sluice-Lag-Bytes") ?? 0, body: [])
    guard let text = headers.first(name: "Sluice-Gap") else { return }
    guard let gap = PulledGap(header: text) else { return nil }
    self.gap = gap
  }
}
