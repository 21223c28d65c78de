internal import CLinux
internal import Glibc
internal import RecordBlocks
internal import SystemPackage

/// Reads one batch of records from an open file. Keeps nothing of a file between reads: what wasn't delivered is read again, so a thousand
/// half-written lines cost no memory. Used by one thread.
final class RecordReader {
  /// How a step ended.
  enum Outcome: Hashable, Sendable {
    /// The batch holds records and the stream's place covers exactly them. `more`: there is probably more to read at once.
    case records(more: Bool)
    /// Nothing to deliver now.
    case nothing
    /// What stood before the place is no longer there.
    case otherContent
  }

  /// The lines of one batch: what the queue makes one block of.
  static let batchBytes = 256 << 10
  /// JSON is written into this much room at once; a record that needs more gets its own.
  private static let outputRoom = 512 << 10
  /// Below this, a waiting partial line is simply read again.
  private static let smallPartial: UInt64 = 64 << 10

  private let cutter: LineCutter
  private let multiline: MultilineCutter?
  private let rule: LastLineRule
  private let once: Bool
  private var encoder: JSONRecordEncoder?
  private let encodedLimit: Int
  private var scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: batchBytes, alignment: 64)
  private var records: [MultilineCutter.Record] = []

  /// Lines and joined records that were over the limit, so far.
  private(set) var splitRecords: UInt64 = 0
  /// Records with invalid UTF-8 that was replaced, so far.
  private(set) var invalidRecords: UInt64 = 0

  init(maxLineBytes: Int, encoder: JSONRecordEncoder?, beginsRecord: ((UnsafeRawBufferPointer) -> Bool)?, rule: LastLineRule, once: Bool) {
    cutter = LineCutter(maxLineBytes: maxLineBytes)
    multiline = beginsRecord.map { MultilineCutter(maxRecordBytes: maxLineBytes, beginsRecord: $0) }
    self.encoder = encoder
    self.rule = rule
    self.once = once
    // Escaping makes a message up to six times as long; a block holds no record beyond 72 MiB.
    encodedLimit = min(max(maxLineBytes * 2, 1 << 20), 64 << 20)
  }

  deinit { scratch.deallocate() }

  /// Reads on at the stream's place into an empty `batch`. Blocks while the kernel reads.
  /// - Parameter wallTime: the time that JSON records bear.
  func step(
    _ stream: TailedStream, _ input: InputFile, now: Duration, wallTime: (seconds: Int64, nanoseconds: Int64), into batch: inout RecordBatch
  )
    throws(Errno) -> Outcome
  {
    if scratch.count > 8 * Self.batchBytes { shrinkScratch() }
    if encoder != nil { encoder?.begin(path: stream.identity.path.nameBytes, seconds: wallTime.seconds, nanoseconds: wallTime.nanoseconds) }
    var wanted = Self.batchBytes
    let longest = cutter.maxLineBytes + 2
    if stream.scanned > stream.place.position + Self.smallPartial {
      guard try waitingRecordMayEnd(stream, input, now: now) else { return .nothing }
      wanted = min(longest, max(wanted, Int(stream.scanned - stream.place.position) + Self.batchBytes))
    }
    while true {
      let (capacity, isLimited) = room(stream, input, wanted: wanted)
      let result =
        try encoder == nil && multiline == nil
        ? rawStep(stream, input, capacity: capacity, isLimited: isLimited, now: now, into: &batch)
        : encodedStep(stream, input, capacity: capacity, isLimited: isLimited, now: now, into: &batch)
      if let result { return result }
      wanted = min(wanted * 4, longest)
    }
  }

  /// How much to read: no more than the file has (and a little, to see whether it grew) nor than is asked for.
  private func room(_ stream: TailedStream, _ input: InputFile, wanted: Int) -> (capacity: Int, isLimited: Bool) {
    let position = stream.place.position
    var capacity = wanted
    if input.gzip == nil {
      let rest = stream.knownSize > position ? stream.knownSize - position : 0
      capacity = Int(min(UInt64(wanted), rest + 4096))
    }
    if let limit = stream.limit {
      let rest = limit > position ? limit - position : 0
      if rest <= UInt64(capacity) { return (Int(rest), true) }
    }
    return (capacity, false)
  }

  /// Notes how far was read; whether that is the end, and what of an unended line is to be released.
  private func observe(_ stream: TailedStream, _ input: InputFile, got: Int, capacity: Int, isLimited: Bool, now: Duration) -> (
    atEnd: Bool, release: LastLineRule.Release
  ) {
    let end = stream.place.position + UInt64(got)
    if end > stream.readEnd {
      stream.readEnd = end
      stream.lastLine.lastGrowth = now
    }
    let atEnd = got < capacity || isLimited
    if atEnd { stream.readEnd = end }
    guard atEnd else { return (false, .nothing) }
    stream.lastLine.isEnded = isLimited || input.gzip.map { once || $0.ending != .open } ?? false
    return (true, rule.release(stream.lastLine, now: now))
  }

  /// Nil: a longer stretch must be read.
  private func rawStep(
    _ stream: TailedStream, _ input: InputFile, capacity: Int, isLimited: Bool, now: Duration, into batch: inout RecordBatch
  )
    throws(Errno) -> Outcome?
  {
    var failure: Errno?
    var outcome: Outcome?
    var piece: Int?
    batch.appendInPlace(capacity: capacity) { room in
      let buffer = UnsafeMutableRawBufferPointer(rebasing: room[..<capacity])
      do throws(Errno) {
        guard case .bytes(let got) = try input.readOn(into: buffer, at: stream.place.position) else {
          outcome = .otherContent
          return (0, 0)
        }
        let (atEnd, release) = observe(stream, input, got: got, capacity: capacity, isLimited: isLimited, now: now)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<got])
        switch cutter.cut(bytes, atEnd: atEnd, releasesPartial: release == .everything) {
        case .lines(let length, let count, let isShort):
          stream.advance(over: UnsafeRawBufferPointer(rebasing: bytes[..<length]), input, isUnended: false)
          if atEnd, !isShort { stream.scanned = stream.readEnd }
          outcome = .records(more: !atEnd || isShort || (length < got && release == .everything))
          return (length, count)
        case .piece(let length, let isOverLimit):
          piece = length
          if isOverLimit { splitRecords += 1 }
          outcome = .records(more: isOverLimit || !atEnd)
        case .needsMore: break
        case .partial:
          stream.scanned = stream.readEnd
          outcome = .nothing
        }
      } catch { failure = error }
      return (0, 0)
    }
    if let failure { throw failure }
    if let piece { try takePiece(piece, stream, input, into: &batch, &outcome) }
    return outcome
  }

  /// A piece is rare, so it is read once more rather than making the room for its line feed part of the hot path.
  private func takePiece(
    _ length: Int, _ stream: TailedStream, _ input: InputFile, into batch: inout RecordBatch, _ outcome: inout Outcome?
  ) throws(Errno) {
    growScratch(length)
    let buffer = UnsafeMutableRawBufferPointer(rebasing: scratch[..<length])
    guard try input.readOn(into: buffer, at: stream.place.position) == .bytes(length) else {
      outcome = .otherContent
      return
    }
    batch.append(UnsafeRawBufferPointer(buffer), unended: true)
    stream.advance(over: UnsafeRawBufferPointer(buffer), input, isUnended: true)
  }

  private func encodedStep(
    _ stream: TailedStream, _ input: InputFile, capacity: Int, isLimited: Bool, now: Duration, into batch: inout RecordBatch
  )
    throws(Errno) -> Outcome?
  {
    growScratch(capacity)
    let buffer = UnsafeMutableRawBufferPointer(rebasing: scratch[..<capacity])
    guard case .bytes(let got) = try input.readOn(into: buffer, at: stream.place.position) else { return .otherContent }
    let (atEnd, release) = observe(stream, input, got: got, capacity: capacity, isLimited: isLimited, now: now)
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<got])
    let known: Int
    var isShort = false
    if let multiline {
      let (needsMore, wholeLines) = multiline.cut(bytes, atEnd: atEnd, release: release, into: &records)
      if needsMore { return nil }
      known = wholeLines
    } else {
      switch cutLines(bytes, atEnd: atEnd, releasesPartial: release == .everything) {
      case .needsMore: return nil
      case .lines(_, _, let short): isShort = short
      case .piece, .partial: break
      }
      known = isShort ? 0 : got - (records.last?.next ?? 0)
    }
    guard !records.isEmpty else {
      stream.scanned = stream.place.position + UInt64(known)
      return .nothing
    }
    let (taken, isUnended) = encode(bytes, continues: stream.place.isUnended, into: &batch)
    let isAll = taken == records.last!.next
    stream.advance(over: UnsafeRawBufferPointer(rebasing: bytes[..<taken]), input, isUnended: isUnended)
    stream.scanned = stream.place.position
    if isAll, atEnd { stream.scanned += UInt64(known) }
    return .records(more: !isAll || !atEnd || isShort || (taken < got && release != .nothing) || records.last!.isOverLimit)
  }

  /// Cuts into records of one line each.
  private func cutLines(_ bytes: UnsafeRawBufferPointer, atEnd: Bool, releasesPartial: Bool) -> LineCutter.Cut {
    records.removeAll(keepingCapacity: true)
    let cut = cutter.cut(bytes, atEnd: atEnd, releasesPartial: releasesPartial)
    switch cut {
    case .needsMore, .partial: break
    case .piece(let length, let isOverLimit):
      records.append(MultilineCutter.Record(start: 0, end: length, isUnended: true, isOverLimit: isOverLimit))
    case .lines(let length, let count, _):
      records.reserveCapacity(count)
      var start = 0
      while start < length, let feed = memchr(bytes.baseAddress! + start, 0x0A, length - start) {
        let end = UnsafeRawPointer(feed) - bytes.baseAddress!
        records.append(MultilineCutter.Record(start: start, end: end))
        start = end + 1
      }
    }
    return cut
  }

  /// Writes records until the batch is full; returns the bytes of the file that they cover.
  private func encode(_ bytes: UnsafeRawBufferPointer, continues: Bool, into batch: inout RecordBatch) -> (taken: Int, isUnended: Bool) {
    guard let encoder else { preconditionFailure("records of several lines are written as JSON only") }
    var next = 0
    var taken = 0
    var isUnended = false
    // A long record comes alone, in as much room as it needs.
    let firstRoom = encoder.capacity(forMessage: records[0].end - records[0].start, limit: encodedLimit)
    batch.appendInPlace(capacity: max(Self.outputRoom, firstRoom)) { room in
      var written = 0
      while next < records.count, written < Self.batchBytes {
        let record = records[next]
        let message = UnsafeRawBufferPointer(rebasing: bytes[record.start..<record.end])
        guard encoder.capacity(forMessage: message.count, limit: encodedLimit) <= room.count - written else { break }
        let result = encoder.write(
          message, limit: encodedLimit, unended: record.isUnended, continues: next == 0 && continues, to: room.baseAddress! + written)
        written += result.count
        next += 1
        let isCut = result.taken < message.count
        isUnended = record.isUnended || isCut
        taken = isCut ? record.start + result.taken : record.next
        if result.isInvalid { invalidRecords += 1 }
        if record.isOverLimit || isCut { splitRecords += 1 }
        if isCut { break }
      }
      return (written, next)
    }
    return (taken, isUnended)
  }

  /// Looks only at what came since the last look at a long unended record; false when it still has no end and none is due.
  private func waitingRecordMayEnd(_ stream: TailedStream, _ input: InputFile, now: Duration) throws(Errno) -> Bool {
    if stream.lastLine.isEnded || rule.release(stream.lastLine, now: now) != .nothing { return true }
    if let limit = stream.limit, stream.readEnd >= limit { return true }
    // What inflates anew costs nothing to look at again: its window holds it.
    if input.gzip != nil || stream.knownSize < stream.scanned { return true }
    let buffer = UnsafeMutableRawBufferPointer(rebasing: scratch[..<Self.batchBytes])
    while stream.scanned - stream.place.position <= UInt64(cutter.maxLineBytes) {
      let got = try input.read(into: buffer, at: stream.scanned)
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<got])
      let end = stream.scanned + UInt64(got)
      if end > stream.readEnd {
        stream.readEnd = end
        stream.lastLine.lastGrowth = now
      }
      if let multiline {
        let (found, known) = multiline.findsBeginning(bytes)
        if found || (known == 0 && got == buffer.count) { return true }
        stream.scanned += UInt64(known)
      } else {
        if got > 0, memchr(buffer.baseAddress!, 0x0A, got) != nil { return true }
        stream.scanned = end
      }
      if got < buffer.count { return false }
    }
    return true
  }

  private func shrinkScratch() {
    scratch.deallocate()
    scratch = .allocate(byteCount: Self.batchBytes, alignment: 64)
  }

  private func growScratch(_ count: Int) {
    guard count > scratch.count else { return }
    scratch.deallocate()
    scratch = .allocate(byteCount: count, alignment: 64)
  }
}
