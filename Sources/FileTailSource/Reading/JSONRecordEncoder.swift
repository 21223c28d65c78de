internal import PipelineCore

/// Writes records as `{"timestamp","host","path","message"}`, one object a line.
///
/// Bytes that aren't UTF-8 become U+FFFD, one for each maximal ill-formed part, and the object then has `"invalid_utf8":true`. A line in
/// pieces has `"unended":true` on each piece but the last and `"continues":true` on each but the first.
struct JSONRecordEncoder {
  /// What was written of a record.
  struct Written: Hashable {
    /// Bytes of output, the line feed included.
    var count: Int
    /// Bytes of the message that went in; fewer than it has when the limit was met.
    var taken: Int
    /// Invalid UTF-8 was replaced.
    var isInvalid: Bool
  }

  /// Bytes behind a message at most: the quote, all flags, the brace, the line feed.
  private static let suffixCapacity = 80
  /// A message is escaped in steps, so that the room for a long one is bounded by its limit and not by what escaping could make of all of
  /// it.
  private static let step = 64 << 10

  private var prefix: [UInt8] = []
  private let host: [UInt8]

  /// - Parameter host: the host's name as it goes into each record.
  init(host: String) { self.host = Self.escaped(Array(host.utf8)) }

  /// Sets what all records of one read share.
  mutating func begin(path: [UInt8], seconds: Int64, nanoseconds: Int64) {
    prefix.removeAll(keepingCapacity: true)
    prefix += Array(#"{"timestamp":""#.utf8)
    prefix += [UInt8](unsafeUninitializedCapacity: JSONText.timestampByteCount) { buffer, count in
      JSONText.timestamp(seconds * 1_000_000_000 + nanoseconds, into: UnsafeMutableRawPointer(buffer.baseAddress!))
      count = JSONText.timestampByteCount
    }
    prefix += Array(#"","host":""#.utf8) + host + Array(#"","path":""#.utf8) + Self.escaped(path) + Array(#"","message":""#.utf8)
  }

  /// The room that a record of `count` message bytes needs when it is ended past `limit` bytes of escaped message.
  func capacity(forMessage count: Int, limit: Int) -> Int {
    prefix.count + min(JSONText.capacity(forEscaping: count), limit + JSONText.capacity(forEscaping: Self.step)) + Self.suffixCapacity
  }

  /// Writes one record with its line feed at `output`, which has the room that ``capacity(forMessage:limit:)`` tells.
  /// - Parameter limit: the message is cut, and marked as unended, when its escaped form gets longer.
  func write(_ message: UnsafeRawBufferPointer, limit: Int, unended: Bool, continues: Bool, to output: UnsafeMutableRawPointer) -> Written {
    var end = output
    prefix.withUnsafeBytes { end.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    end += prefix.count
    let start = end
    var taken = 0
    var isInvalid = false
    while taken < message.count, end - start < limit {
      let rest = UnsafeRawBufferPointer(rebasing: message[taken...])
      let count = LineCutter.wholeCharacters(rest, min(rest.count, Self.step))
      let (written, replaced) = JSONText.escape(UnsafeRawBufferPointer(rebasing: rest[..<count]), into: end)
      end += written
      taken += count
      isInvalid = isInvalid || replaced
    }
    end = Self.put("\"", end)
    if isInvalid { end = Self.put(#","invalid_utf8":true"#, end) }
    if unended || taken < message.count { end = Self.put(#","unended":true"#, end) }
    if continues { end = Self.put(#","continues":true"#, end) }
    end = Self.put("}\n", end)
    return Written(count: end - output, taken: taken, isInvalid: isInvalid)
  }

  private static func escaped(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: JSONText.capacity(forEscaping: bytes.count) + 1) { buffer, count in
      count = bytes.withUnsafeBytes { JSONText.escape($0, into: UnsafeMutableRawPointer(buffer.baseAddress!)).count }
    }
  }

  @inline(__always)
  private static func put(_ text: StaticString, _ at: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
    at.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    return at + text.utf8CodeUnitCount
  }
}
