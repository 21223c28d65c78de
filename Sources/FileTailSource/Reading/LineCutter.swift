internal import CLinux
internal import Glibc

/// Decides how much of a stretch of a file is whole lines. Looks at bytes only; the stretch begins where a line begins (or goes on).
struct LineCutter: Sendable {
  /// What to take.
  enum Cut: Hashable, Sendable {
    /// So many bytes: whole lines, each with its line feed. `isShort`: more can be taken at once behind them (a line over the limit).
    case lines(bytes: Int, count: Int, isShort: Bool)
    /// So many bytes without a line feed: a piece of a line over the limit, or a last line that was released.
    case piece(bytes: Int, isOverLimit: Bool)
    /// Nothing yet: a longer stretch must be read.
    case needsMore
    /// Nothing: the file ends within a line (or right here).
    case partial
  }

  /// The most bytes of a line, its line feed not counted.
  let maxLineBytes: Int

  /// - Parameters:
  ///   - atEnd: the file's present end is the stretch's.
  ///   - releasesPartial: an unended last line is to be taken too.
  func cut(_ bytes: UnsafeRawBufferPointer, atEnd: Bool, releasesPartial: Bool) -> Cut {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return .partial }
    if let last = linux_memrchr(base, 0x0A, bytes.count) {
      let length = last - base + 1
      if length > maxLineBytes + 1, let shorter = cutBeforeOverlong(bytes, length) { return shorter }
      return .lines(bytes: length, count: linux_count_byte(base, length, 0x0A), isShort: bytes.count - length > maxLineBytes)
    }
    if bytes.count > maxLineBytes { return .piece(bytes: Self.wholeCharacters(bytes, maxLineBytes), isOverLimit: true) }
    if !atEnd { return .needsMore }
    return releasesPartial ? .piece(bytes: bytes.count, isOverLimit: false) : .partial
  }

  /// The limit is small enough that a line over it may stand in the middle: look at each. Nil when there is none.
  private func cutBeforeOverlong(_ bytes: UnsafeRawBufferPointer, _ length: Int) -> Cut? {
    let base = bytes.baseAddress!
    var start = 0
    var count = 0
    while start < length, let feed = memchr(base + start, 0x0A, length - start) {
      let end = UnsafeRawPointer(feed) - base
      if end - start > maxLineBytes {
        if start > 0 { return .lines(bytes: start, count: count, isShort: true) }
        return .piece(bytes: Self.wholeCharacters(bytes, maxLineBytes), isOverLimit: true)
      }
      start = end + 1
      count += 1
    }
    return nil
  }

  /// `count` bytes or up to three fewer, so that a UTF-8 character isn't cut in two.
  static func wholeCharacters(_ bytes: UnsafeRawBufferPointer, _ count: Int) -> Int {
    guard count < bytes.count, count > 4 else { return count }
    var cut = count
    while count - cut < 3, bytes[cut] & 0xC0 == 0x80 { cut -= 1 }
    return bytes[cut] & 0xC0 == 0x80 ? count : cut
  }
}
