internal import RecordBlocks

/// What a consumer's file says: one of its two slots, decoded.
///
///     bytes      field
///     0   4      "SLCR"
///     4   2      bytes of this record, checksum included
///     6   1      version: 1, with a ledger of leases 2
///     7   1      kind of consumer
///     8   8      generation: the higher of two readable slots is the newer
///     16  16     queue id
///     32  8      cursor: the next offset to read
///     40  8      end of the batch in flight, or all ones
///     48  8      how often the consumer was set to another place
///     56  1      hold: 0 all, 1 bytes, 2 percent, 3 nanoseconds
///     57  8      the hold's amount
///     65  8+8    records and bytes lost to this consumer, all told
///     81  8+8+8  the queue's records, bytes and losses from its creation to the cursor
///     105 8+1    end and reason of a loss that begins at the cursor and is not yet told; all ones and 0 without one
///     114 8      the queue's open age at the consumer's last call
///     122 2+n    the sink's own state: its length plus 1, or 0 without one
///     …   8+8+8  of the loss that begins at the cursor: wall time of the first and last deletion, and bytes of lines that gaps in it told
///     …   …      version 2: the ledger of leases
///     …   4      CRC-32 of everything before
///
/// A ledger of leases has a number that no earlier consumer of that name had (4), the most deliveries or 0 (2), how many ranges follow (2),
/// and for each of them, the first of which begins at the cursor: 0 acknowledged, 1 open, 2 gone (1); how many offsets it has (6); how many
/// records and bytes and lost records the queue counts in it (6+6+6); of one that is gone, how many of each were acknowledged before
/// (6+6+6); and, unless it is acknowledged, how often it was given (2) and for how many milliseconds it was lent, 0 when it waits (4).
///
/// Records of the first versions lack the fields of the loss behind the sink's state. Offsets, the generation and the count of other places are
/// below 2^63. Bytes are a record if and only if they are just what is written for it, with or without those fields: more needs another version.
struct CursorRecord: Hashable {
  /// Records that are gone from the queue and that the consumer has still to hear of.
  struct Loss: Hashable {
    var end: Offset
    /// Of the newest deletion, when there were several.
    var reason: Gap.Reason
    /// Wall time of the first and last deletion; 0 when it isn't known.
    var firstTime: Int64 = 0
    /// See ``firstTime``.
    var lastTime: Int64 = 0
    /// Bytes that gaps of the log told which were deleted too: the counters don't have them.
    var gapBytes: UInt64 = 0

    /// What is told in place of what was deleted, with exact counts: the counters at both ends tell them.
    ///
    /// Gaps of the log that were deleted too are in it, since nothing else tells this reader of them: with what it reads besides, it adds
    /// up to what entered. The consumer's account is of records that were in the log: there they don't count, as gaps that are read don't.
    func gap(from before: Tally, to after: Tally) -> Gap {
      Gap(
        reason: reason,
        records: (after.records - min(before.records, after.records)).addingClamped(after.lost - min(before.lost, after.lost)),
        bytes: (after.bytes - min(before.bytes, after.bytes)).addingClamped(gapBytes), firstTime: firstTime, lastTime: lastTime)
    }
  }

  static let slotByteCount = 16 << 10
  private static let magic: UInt32 = 0x5243_4C53
  static let version: UInt8 = 1
  private static let versionWithLedger: UInt8 = 2
  /// Where the sink's own state begins.
  private static let fixedByteCount = 124

  var kind: ConsumerKind
  var generation: UInt64 = 0
  var queueID: QueueID
  var cursor: Offset
  var inFlightEnd: Offset?
  var seekCount: UInt64 = 0
  var hold: Hold = .all
  var lostRecords: UInt64 = 0
  var lostBytes: UInt64 = 0
  /// Kept with the cursor, so that what is lost behind it can be told exactly when the records are gone.
  var tally = Tally()
  var loss: Loss?
  var lastCallAge: UInt64 = 0
  var state: [UInt8]?
  /// What a consumer of leases has out and has back; nil for any other.
  var ledger: LeaseLedger?

  /// The first offset that the consumer may still want: what it lost needs no keeping.
  var needed: Offset { max(cursor, loss?.end ?? cursor) }

  /// How far the consumer is behind `end`, and all that it lost: told already, or gone from the queue and still to be told.
  func standing(at end: Tally, tally tallyAt: (Offset) -> Tally?) -> Standing {
    var (from, lost) = (tally, (records: lostRecords, bytes: lostBytes))
    if let loss, var after = tallyAt(loss.end) {
      from = after
      after.subtract(tally)
      after.subtract(acknowledged.gone)
      lost.records = lost.records.addingClamped(after.records)
      lost.bytes = lost.bytes.addingClamped(after.bytes)
    }
    var behind = end
    behind.subtract(from)
    behind.subtract(acknowledged.ahead)
    return Standing(lagRecords: behind.records, lagBytes: behind.bytes, lostRecords: lost.records, lostBytes: lost.bytes)
  }

  /// What was acknowledged and the cursor has still to pass; see ``LeaseLedger/acknowledged(floor:lossEnd:)``.
  private var acknowledged: (gone: Tally, ahead: Tally) {
    ledger?.acknowledged(floor: cursor, lossEnd: loss?.end ?? .zero) ?? (Tally(), Tally())
  }

  /// The loss that it is told next, if records at its cursor are gone; see ``QueueConsumer/read(from:limits:)``.
  func pendingLoss(startOffset: Offset, tally tallyAt: (Offset) -> Tally?) -> QueueFiles.PendingLoss? {
    let gone = cursor < startOffset ? Loss(end: startOffset, reason: .retention) : nil
    guard let loss = loss ?? gone, loss.end > cursor, let after = tallyAt(loss.end) else { return nil }
    var gap = loss.gap(from: tally, to: after)
    gap.leaveOut(acknowledged.gone)
    return QueueFiles.PendingLoss(next: loss.end, gap: gap)
  }

  /// See ``standing(at:tally:)``.
  struct Standing {
    var lagRecords: UInt64 = 0
    var lagBytes: UInt64 = 0
    var lostRecords: UInt64 = 0
    var lostBytes: UInt64 = 0
  }

  func encode() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendInteger(Self.magic)
    bytes.appendInteger(UInt16(0))
    bytes.append(ledger == nil ? Self.version : Self.versionWithLedger)
    bytes.append(kind.rawValue)
    bytes.appendInteger(generation)
    bytes.appendInteger(queueID.high)
    bytes.appendInteger(queueID.low)
    bytes.appendInteger(cursor.rawValue)
    bytes.appendInteger(inFlightEnd?.rawValue ?? .max)
    bytes.appendInteger(seekCount)
    let (holdKind, amount): (UInt8, UInt64) =
      switch hold {
      case .all: (0, 0)
      case .bytes(let count): (1, count)
      case .share(let percent): (2, UInt64(percent))
      case .age(let age): (3, age.nanosecondsClamped)
      }
    bytes.append(holdKind)
    bytes.appendInteger(amount)
    bytes.appendInteger(lostRecords)
    bytes.appendInteger(lostBytes)
    bytes.appendInteger(tally.records)
    bytes.appendInteger(tally.bytes)
    bytes.appendInteger(tally.lost)
    bytes.appendInteger(loss?.end.rawValue ?? .max)
    bytes.append(loss?.reason.rawValue ?? 0)
    bytes.appendInteger(lastCallAge)
    bytes.appendInteger(UInt16(state.map { $0.count + 1 } ?? 0))
    bytes.append(contentsOf: state ?? [])
    bytes.appendInteger(UInt64(bitPattern: loss?.firstTime ?? 0))
    bytes.appendInteger(UInt64(bitPattern: loss?.lastTime ?? 0))
    bytes.appendInteger(loss?.gapBytes ?? 0)
    ledger?.encode(into: &bytes, floor: cursor)
    let total = bytes.count + 4
    precondition(total <= Self.slotByteCount, "a consumer's record exceeds its slot")
    bytes[4] = UInt8(truncatingIfNeeded: total)
    bytes[5] = UInt8(truncatingIfNeeded: total >> 8)
    bytes.appendInteger(bytes.withUnsafeBytes { BlockCodec.checksum($0) })
    return bytes
  }

  static func decode(_ slot: UnsafeRawBufferPointer) -> CursorRecord? {
    var reader = ByteReader(slot)
    guard reader.integer(UInt32.self) == magic, let length = reader.integer(UInt16.self), Int(length) <= slot.count, length >= 128 else {
      return nil
    }
    let stored = UInt32(littleEndian: slot.loadUnaligned(fromByteOffset: Int(length) - 4, as: UInt32.self))
    guard BlockCodec.checksum(UnsafeRawBufferPointer(rebasing: slot[0..<Int(length) - 4])) == stored,
      let version = reader.integer(UInt8.self), version == Self.version || version == Self.versionWithLedger,
      let kind = reader.integer(UInt8.self).flatMap(ConsumerKind.init), (kind == .lease) == (version == Self.versionWithLedger),
      let generation = reader.integer(UInt64.self),
      let high = reader.integer(UInt64.self), let low = reader.integer(UInt64.self), let cursor = reader.integer(UInt64.self),
      let inFlight = reader.integer(UInt64.self), let seeks = reader.integer(UInt64.self), let holdKind = reader.integer(UInt8.self),
      let amount = reader.integer(UInt64.self), let lostRecords = reader.integer(UInt64.self), let lostBytes = reader.integer(UInt64.self),
      let records = reader.integer(UInt64.self), let lineBytes = reader.integer(UInt64.self), let lost = reader.integer(UInt64.self),
      let lossEnd = reader.integer(UInt64.self),
      let lossReason = reader.integer(UInt8.self), let lastCallAge = reader.integer(UInt64.self),
      let stateLength = reader.integer(UInt16.self)
    else { return nil }
    var record = CursorRecord(kind: kind, generation: generation, queueID: QueueID(high: high, low: low), cursor: Offset(cursor))
    record.inFlightEnd = inFlight == .max ? nil : Offset(inFlight)
    record.seekCount = seeks
    switch holdKind {
    case 1: record.hold = .bytes(amount)
    case 2: record.hold = .share(percent: Int(min(amount, 100)))
    case 3: record.hold = .age(.nanoseconds(Int64(min(amount, UInt64(Int64.max)))))
    default: record.hold = .all
    }
    record.lostRecords = lostRecords
    record.lostBytes = lostBytes
    record.tally.records = records
    record.tally.bytes = lineBytes
    record.tally.lost = lost
    if lossEnd != .max, let reason = Gap.Reason(rawValue: lossReason) {
      record.loss = Loss(end: Offset(lossEnd), reason: reason)
    }
    record.lastCallAge = lastCallAge
    if stateLength > 0 {
      guard Int(stateLength) - 1 <= Int(length) - 128, var state = reader.part(Int(stateLength) - 1) else { return nil }
      record.state = Array(state.rest())
    }
    var read = Self.fixedByteCount + Int(max(1, stateLength)) - 1
    if kind == .lease || Int(length) == read + 28, let first = reader.integer(UInt64.self), let last = reader.integer(UInt64.self),
      let bytes = reader.integer(UInt64.self)
    {
      guard record.loss != nil || (first, last, bytes) == (0, 0, 0) else { return nil }
      record.loss?.firstTime = Int64(bitPattern: first)
      record.loss?.lastTime = Int64(bitPattern: last)
      record.loss?.gapBytes = bytes
      if kind == .lease {
        guard let ledger = LeaseLedger(&reader, floor: record.cursor) else { return nil }
        record.ledger = ledger
        // All of it, where there is no older form.
        read = Int(length) - 4
      }
    } else if Int(length) != read + 4 {
      return nil
    }
    // A right checksum doesn't make a record sensible: nobody counts that far, and the next commit must be able to go on counting.
    let counts = [generation, cursor, record.inFlightEnd?.rawValue ?? 0, seeks, record.loss?.end.rawValue ?? 0]
    guard counts.allSatisfy({ $0 <= .max / 2 }) else { return nil }
    // Behind the record's length, which tells whether the last fields are there.
    let encoded = record.encode()
    guard encoded.count >= read, kind != .lease || encoded.count == Int(length) else { return nil }
    return encoded[6..<read].elementsEqual(slot[6..<read]) ? record : nil
  }
}

extension Gap {
  /// Sets the time of a loss that has none.
  mutating func tellTime(_ time: Int64) {
    guard lastTime == 0 else { return }
    firstTime = time
    lastTime = time
  }

  /// Takes out of a loss what was acknowledged of it before.
  mutating func leaveOut(_ acknowledged: Tally) {
    records -= min(acknowledged.records.addingClamped(acknowledged.lost), records)
    bytes -= min(acknowledged.bytes, bytes)
  }
}
