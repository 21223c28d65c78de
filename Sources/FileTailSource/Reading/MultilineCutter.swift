internal import CLinux
internal import Glibc

/// Decides where the records of several lines end in a stretch of a file that begins at a record's first line.
///
/// A record goes up to the next line that matches the start pattern. Lines before the first match (at a file's beginning) are a record of
/// their own.
struct MultilineCutter {
  /// One record: bytes of the stretch, the last line feed not among them.
  struct Record: Hashable, Sendable {
    var start: Int
    var end: Int
    /// Without a line feed at its end: a released last line, or a piece of a line over the limit.
    var isUnended = false
    /// Cut because of the limit.
    var isOverLimit = false

    /// Where the next record begins.
    var next: Int { isUnended ? end : end + 1 }
  }

  /// The most bytes of a joined record.
  let maxRecordBytes: Int
  /// Whether a line begins a record.
  let beginsRecord: (UnsafeRawBufferPointer) -> Bool

  /// The records that are complete. `known`: how many bytes from the start of what remains are known to hold no beginning of a further
  /// record.
  func cut(_ bytes: UnsafeRawBufferPointer, atEnd: Bool, release: LastLineRule.Release, into records: inout [Record]) -> (
    needsMore: Bool, known: Int
  ) {
    records.removeAll(keepingCapacity: true)
    guard let base = bytes.baseAddress, bytes.count > 0 else { return (false, 0) }
    var recordStart = 0
    var lineStart = 0
    while lineStart < bytes.count, let feed = memchr(base + lineStart, 0x0A, bytes.count - lineStart) {
      let lineEnd = UnsafeRawPointer(feed) - base
      let line = UnsafeRawBufferPointer(start: base + lineStart, count: lineEnd - lineStart)
      if lineStart > recordStart {
        let isTooLong = lineEnd - recordStart > maxRecordBytes
        if isTooLong || beginsRecord(line) {
          records.append(Record(start: recordStart, end: lineStart - 1, isOverLimit: isTooLong))
          recordStart = lineStart
        }
      }
      if lineStart == recordStart, line.count > maxRecordBytes {
        let piece = LineCutter.wholeCharacters(
          UnsafeRawBufferPointer(start: base + lineStart, count: bytes.count - lineStart), maxRecordBytes)
        records.append(Record(start: recordStart, end: recordStart + piece, isUnended: true, isOverLimit: true))
        return (false, 0)
      }
      lineStart = lineEnd + 1
    }
    let rest = bytes.count - recordStart
    let hasLines = lineStart > recordStart
    if rest > maxRecordBytes + 1 {
      if hasLines {
        records.append(Record(start: recordStart, end: lineStart - 1, isOverLimit: true))
      } else {
        let piece = LineCutter.wholeCharacters(UnsafeRawBufferPointer(start: base + recordStart, count: rest), maxRecordBytes)
        records.append(Record(start: recordStart, end: recordStart + piece, isUnended: true, isOverLimit: true))
      }
      return (false, 0)
    }
    if atEnd, release == .everything, rest > 0 {
      records.append(
        Record(
          start: recordStart, end: hasLines && lineStart == bytes.count ? lineStart - 1 : bytes.count, isUnended: lineStart < bytes.count))
      return (false, 0)
    }
    if atEnd, release == .lines, hasLines {
      records.append(Record(start: recordStart, end: lineStart - 1))
      return (false, 0)
    }
    return (!atEnd && records.isEmpty, lineStart - recordStart)
  }

  /// Whether a record begins among the whole lines of `bytes`, which go on from bytes without one; else how many bytes of them are whole
  /// lines.
  func findsBeginning(_ bytes: UnsafeRawBufferPointer) -> (found: Bool, known: Int) {
    guard let base = bytes.baseAddress else { return (false, 0) }
    var lineStart = 0
    while lineStart < bytes.count, let feed = memchr(base + lineStart, 0x0A, bytes.count - lineStart) {
      let lineEnd = UnsafeRawPointer(feed) - base
      if beginsRecord(UnsafeRawBufferPointer(start: base + lineStart, count: lineEnd - lineStart)) { return (true, lineStart) }
      lineStart = lineEnd + 1
    }
    return (false, lineStart)
  }
}
