internal import Glibc
internal import RecordBlocks
internal import SegmentQueue

/// How much more may be given out: the limits of a command, counted down as its batches go by.
struct Allowance {
  var records: Int
  var bytes: Int
  /// Nothing was given out yet: one record longer than `bytes` comes alone.
  private(set) var isUntouched = true

  init(records: Int? = nil, bytes: Int? = nil) {
    self.records = records ?? .max
    self.bytes = bytes ?? .max
  }

  var isUsedUp: Bool { records <= 0 || bytes <= 0 }

  /// Takes as much of `slices` as is allowed.
  /// - Returns: what may be given out, and whether that is all of it.
  mutating func take(_ slices: [BlockSlice]) throws(BlockDamage) -> (slices: [BlockSlice], isAll: Bool) {
    var taken: [BlockSlice] = []
    for slice in slices {
      guard !isUsedUp else { return (slices: taken, isAll: false) }
      let wholeBytes = slice.isWhole ? slice.block.header.lineByteCount : try slice.lines().count
      if slice.recordCount <= records && wholeBytes <= bytes {
        taken.append(slice)
        use(records: slice.recordCount, bytes: wholeBytes)
        continue
      }
      let (count, byteCount) = try fitting(slice)
      if count > 0 { taken.append(BlockSlice(slice.block, slice.range.lowerBound..<slice.range.lowerBound + count)) }
      use(records: count, bytes: byteCount)
      bytes = 0
      return (slices: taken, isAll: false)
    }
    return (slices: taken, isAll: true)
  }

  /// Counts what was given out.
  mutating func use(records count: Int, bytes byteCount: Int) {
    if records != .max { records -= count }
    if bytes != .max { bytes -= byteCount }
    if count > 0 { isUntouched = false }
  }

  private func fitting(_ slice: BlockSlice) throws(BlockDamage) -> (records: Int, bytes: Int) {
    let lines = try slice.lines()
    return lines.withUnsafeBytes { buffer in
      var count = 0
      var position = 0
      while count < min(records, slice.recordCount), let base = buffer.baseAddress,
        let found = memchr(base + position, 0x0A, buffer.count - position)
      {
        let next = UnsafeRawPointer(found) - base + 1
        if next > bytes && !(isUntouched && count == 0) { break }
        position = next
        count += 1
      }
      return (records: count, bytes: position)
    }
  }
}

extension Gap {
  /// The gap in words, for people.
  func sentence(_ range: Range<Offset>) -> String {
    let when = lastTime > 0 ? ", \(HumanText.time(firstTime)) to \(HumanText.time(lastTime))" : ""
    return
      "gap at \(range.lowerBound)..<\(range.upperBound): \(HumanText.count(records, "record")) lost (\(reason.name), \(HumanText.bytes(bytes))\(when))"
  }

  /// The gap as facts.
  func facts(_ range: Range<Offset>) -> JSONValue {
    .object([
      ("first", .integer(range.lowerBound.rawValue)), ("next", .integer(range.upperBound.rawValue)), ("reason", .string(reason.name)),
      ("records", .integer(records)), ("bytes", .integer(bytes)),
      ("first_time", firstTime > 0 ? .string(HumanText.time(firstTime)) : .null),
      ("last_time", lastTime > 0 ? .string(HumanText.time(lastTime)) : .null),
    ])
  }
}
