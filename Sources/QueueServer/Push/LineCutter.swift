internal import Glibc
internal import RecordBlocks

/// Cuts bytes that arrive in pieces into records.
struct LineCutter: ~Copyable {
  /// A line is longer than a record may be.
  struct LineTooLong: Error {}

  /// As long as `max_line` of a pipeline file is by default.
  static let longestLine = 16 << 20

  /// Whole lines so far.
  private(set) var batch = RecordBatch()
  /// A line that has begun.
  private var rest: [UInt8] = []

  /// Takes the next bytes.
  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(LineTooLong) {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    var start = 0
    if !rest.isEmpty {
      guard let found = memchr(base, 0x0A, bytes.count) else { return try keep(bytes) }
      start = UnsafeRawPointer(found) - base + 1
      try keep(UnsafeRawBufferPointer(rebasing: bytes[..<(start - 1)]))
      rest.withUnsafeBytes { batch.append($0) }
      rest.removeAll(keepingCapacity: true)
    }
    guard start < bytes.count else { return }
    let (count, longest, end) = Self.measure(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    guard longest <= Self.longestLine else { throw LineTooLong() }
    if count > 0 { batch.appendLines(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + end)]), count: count) }
    try keep(UnsafeRawBufferPointer(rebasing: bytes[(start + end)...]))
  }

  /// The body is over: a last line without a line feed is a record, too.
  mutating func finish() {
    guard !rest.isEmpty else { return }
    rest.withUnsafeBytes { batch.append($0) }
    rest.removeAll()
  }

  /// Gives up the whole lines so far.
  mutating func takeBatch() -> RecordBatch {
    var taken = RecordBatch()
    swap(&taken, &batch)
    return taken
  }

  private mutating func keep(_ bytes: UnsafeRawBufferPointer) throws(LineTooLong) {
    guard rest.count + bytes.count <= Self.longestLine else { throw LineTooLong() }
    rest.append(contentsOf: bytes)
  }

  /// How many lines end in `bytes`, the longest of them, and where the last ends.
  private static func measure(_ bytes: UnsafeRawBufferPointer) -> (count: Int, longest: Int, end: Int) {
    var (count, longest, position) = (0, 0, 0)
    while position < bytes.count, let found = memchr(bytes.baseAddress! + position, 0x0A, bytes.count - position) {
      let end = UnsafeRawPointer(found) - bytes.baseAddress! + 1
      longest = max(longest, end - 1 - position)
      position = end
      count += 1
    }
    return (count, longest, position)
  }
}
