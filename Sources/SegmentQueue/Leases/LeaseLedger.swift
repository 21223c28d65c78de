internal import RecordBlocks

/// What a consumer of leases has out and has back: the ranges from its cursor to the end of what it was given, in order, without a hole.
///
/// Two acknowledged ranges never stand side by side, and none stands first: the cursor passes it. So there are at most as many of them as of
/// the others, and ``rangeLimit`` of each fit a slot.
struct LeaseLedger: Hashable {
  /// A range's records, as far as they are dealt with.
  struct Range: Hashable {
    enum Kind: UInt8 {
      case acknowledged = 0
      /// On loan, or waiting to be given again.
      case open = 1
      /// Gone from the queue before it was dealt with; given as a gap. Only the first range is one.
      case lost = 2
    }

    var kind: Kind
    /// The offset after it; it begins where the one before ends.
    var end: Offset
    /// How often it was given.
    var deliveries: UInt16 = 0
    /// Milliseconds for which it was lent, 0 when it waits.
    var duration: UInt32 = 0
    /// What the queue's counters count in it.
    var tally: Tally
    /// Of a lost range: the part that was acknowledged before.
    var acknowledged = Tally()
  }

  /// The most ranges that are not acknowledged.
  static let rangeLimit = 288
  /// So many of them may be new ones: the others are left for pieces of ranges that come back and are given in smaller ones.
  static let newRangeLimit = 256
  private static let counterLimit: UInt64 = 1 << 48 - 1

  /// Tells the leases of this consumer from those of an earlier one with its name.
  var nonce: UInt32
  /// A range that was given so often without being acknowledged is set aside; 0 for never.
  var maxDeliveries: UInt16
  var ranges: [Range] = []

  var openCount: Int { ranges.reduce(0) { $0 + ($1.kind == .acknowledged ? 0 : 1) } }
  var acknowledgedCount: Int { ranges.count - openCount }
  /// What the counters count in acknowledged ranges that the cursor has still to pass: of what is gone up to `lossEnd`, and behind it.
  func acknowledged(floor: Offset, lossEnd: Offset) -> (gone: Tally, ahead: Tally) {
    var (gone, ahead, first) = (Tally(), Tally(), floor)
    for range in ranges {
      switch range.kind {
      case .acknowledged: if first < lossEnd { gone.add(range.tally) } else { ahead.add(range.tally) }
      case .lost: gone.add(range.acknowledged)
      case .open: break
      }
      first = range.end
    }
    return (gone, ahead)
  }
  /// Whether something new may be lent.
  var takesNew: Bool { openCount < Self.newRangeLimit && acknowledgedCount < Self.newRangeLimit }

  func end(floor: Offset) -> Offset { ranges.last?.end ?? floor }
  func first(of index: Int, floor: Offset) -> Offset { index == 0 ? floor : ranges[index - 1].end }
  /// The queue's counters at a range's beginning, told from those at the floor.
  func tally(before index: Int, floor: Tally) -> Tally { ranges[..<index].reduce(into: floor) { $0.add($1.tally) } }

  /// The range that is just this one and not acknowledged.
  func index(of range: Swift.Range<Offset>, floor: Offset) -> Int? {
    guard let index = ranges.firstIndex(where: { $0.end >= range.upperBound }), ranges[index].end == range.upperBound,
      first(of: index, floor: floor) == range.lowerBound, ranges[index].kind != .acknowledged
    else { return nil }
    return index
  }

  /// All of the range is acknowledged, or behind the floor.
  func hasAcknowledged(_ range: Swift.Range<Offset>, floor: Offset) -> Bool {
    if range.upperBound <= floor { return true }
    guard let index = ranges.firstIndex(where: { $0.end >= range.upperBound }) else { return false }
    return ranges[index].kind == .acknowledged && first(of: index, floor: floor) <= range.lowerBound
  }

  /// Divides a range; both parts are as the whole was.
  /// - Parameter head: what the counters count before `offset`.
  mutating func cut(_ index: Int, at offset: Offset, head: Tally) {
    var first = ranges[index]
    first.end = offset
    first.tally = head
    ranges[index].tally.subtract(head)
    ranges.insert(first, at: index)
  }

  /// Puts the last two neighbours that both wait together, so that another range can be cut. They count as given as seldom as the one that
  /// was given less.
  mutating func joinNeighbours(floor: Offset, isWaiting: (Offset) -> Bool) -> Bool {
    for index in ranges.indices.dropLast().reversed()
    where ranges[index].kind == .open && ranges[index + 1].kind == .open && isWaiting(first(of: index, floor: floor))
      && isWaiting(ranges[index].end)
    {
      let second = ranges.remove(at: index + 1)
      ranges[index].end = second.end
      ranges[index].tally.add(second.tally)
      ranges[index].deliveries = min(ranges[index].deliveries, second.deliveries)
      return true
    }
    return false
  }

  /// The range is dealt with.
  mutating func acknowledge(_ index: Int) {
    ranges[index].kind = .acknowledged
    ranges[index].deliveries = 0
    ranges[index].duration = 0
    ranges[index].acknowledged = Tally()
    for neighbour in [index + 1, index] where ranges.indices.contains(neighbour) && neighbour > 0 {
      guard ranges[neighbour].kind == .acknowledged, ranges[neighbour - 1].kind == .acknowledged else { continue }
      let second = ranges.remove(at: neighbour)
      ranges[neighbour - 1].end = second.end
      ranges[neighbour - 1].tally.add(second.tally)
    }
  }

  /// Everything before `end` is gone from the queue.
  /// - Parameters:
  ///   - after: the queue's counters at `end`.
  ///   - before: those at the floor.
  mutating func lose(upTo end: Offset, tally after: Tally, floor before: Tally) {
    var acknowledged = Tally()
    var tallyEnd = before
    var kept: [Range] = []
    for range in ranges {
      tallyEnd.add(range.tally)
      if range.end > end, !kept.isEmpty {
        kept.append(range)
        continue
      }
      var inside = range.tally
      if range.end > end {
        // Only its head is gone; who had it on loan no longer has what remains of it.
        var rest = range
        rest.tally = tallyEnd
        rest.tally.subtract(after)
        rest.duration = 0
        inside.subtract(rest.tally)
        kept.append(rest)
      }
      switch range.kind {
      case .acknowledged: acknowledged.add(inside)
      case .lost: acknowledged.add(range.acknowledged)
      case .open: break
      }
    }
    var all = after
    all.subtract(before)
    ranges = [Range(kind: .lost, end: end, tally: all, acknowledged: acknowledged)] + kept
  }

  // MARK: Bytes

  func encode(into bytes: inout [UInt8], floor: Offset) {
    bytes.appendInteger(nonce)
    bytes.appendInteger(maxDeliveries)
    bytes.appendInteger(UInt16(ranges.count))
    var first = floor
    for range in ranges {
      bytes.append(range.kind.rawValue)
      Self.append(UInt64(range.end - first), to: &bytes)
      Self.append(range.tally, to: &bytes)
      if range.kind == .lost { Self.append(range.acknowledged, to: &bytes) }
      if range.kind != .acknowledged {
        bytes.appendInteger(range.deliveries)
        bytes.appendInteger(range.duration)
      }
      first = range.end
    }
  }

  /// Nil when no ledger is written so.
  init?(_ reader: inout ByteReader, floor: Offset) {
    guard let nonce = reader.integer(UInt32.self), let maxDeliveries = reader.integer(UInt16.self),
      let count = reader.integer(UInt16.self), count <= 2 * Self.rangeLimit, floor.rawValue <= .max / 2
    else { return nil }
    self.init(nonce: nonce, maxDeliveries: maxDeliveries)
    var first = floor
    var wasAcknowledged = true
    for index in 0..<Int(count) {
      guard let kind = reader.integer(UInt8.self).flatMap(Range.Kind.init), let length = Self.counter(&reader), length > 0,
        let tally = Self.tally(&reader)
      else { return nil }
      var range = Range(kind: kind, end: first + Int(length), tally: tally)
      guard kind != .lost || index == 0, kind != .acknowledged || !wasAcknowledged else { return nil }
      if kind == .lost {
        guard let acknowledged = Self.tally(&reader) else { return nil }
        range.acknowledged = acknowledged
      }
      if kind != .acknowledged {
        guard let deliveries = reader.integer(UInt16.self), let duration = reader.integer(UInt32.self) else { return nil }
        range.deliveries = deliveries
        range.duration = duration
      }
      wasAcknowledged = kind == .acknowledged
      ranges.append(range)
      first = range.end
    }
    guard openCount <= Self.rangeLimit else { return nil }
  }

  init(nonce: UInt32, maxDeliveries: UInt16) {
    self.nonce = nonce
    self.maxDeliveries = maxDeliveries
  }

  /// Six bytes; a range that counts further than they can counts as that.
  private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    let value = min(value, counterLimit)
    bytes.appendInteger(UInt32(truncatingIfNeeded: value))
    bytes.appendInteger(UInt16(truncatingIfNeeded: value >> 32))
  }

  private static func append(_ tally: Tally, to bytes: inout [UInt8]) {
    for value in [tally.records, tally.bytes, tally.lost] { append(value, to: &bytes) }
  }

  private static func counter(_ reader: inout ByteReader) -> UInt64? {
    guard let low = reader.integer(UInt32.self), let high = reader.integer(UInt16.self) else { return nil }
    return UInt64(low) | UInt64(high) << 32
  }

  private static func tally(_ reader: inout ByteReader) -> Tally? {
    guard let records = counter(&reader), let bytes = counter(&reader), let lost = counter(&reader) else { return nil }
    var tally = Tally()
    (tally.records, tally.bytes, tally.lost) = (records, bytes, lost)
    return tally
  }
}

extension Tally {
  mutating func add(_ other: Tally) {
    records = records.addingClamped(other.records)
    bytes = bytes.addingClamped(other.bytes)
    lost = lost.addingClamped(other.lost)
  }

  mutating func subtract(_ other: Tally) {
    records -= min(other.records, records)
    bytes -= min(other.bytes, bytes)
    lost -= min(other.lost, lost)
  }
}
