internal import Glibc
internal import PipelineCore
internal import RecordBlocks

/// Writes lines as `{"timestamp","host","message"}`, one object a line.
///
/// Bytes that aren't UTF-8 become U+FFFD, and the object then has `"invalid_utf8":true`. Of a line in pieces each but the last has
/// `"unended":true`,
/// each but the first `"continues":true`.
struct JSONLineWriter: ~Copyable {
  /// A longer line is cut into pieces whatever the configured limit: escaped, each of its bytes may take six, and a block has to hold the
  /// record.
  static let maximumLineBytes = 8 << 20
  /// The flags and the ending.
  private static let endingCapacity = 96

  /// `{"timestamp":"…","host":"…","message":"`
  private let beginning: UnsafeMutableRawBufferPointer
  private static let timestampStart = 14

  init(host: String) {
    var host = host
    let text = host.withUTF8 { bytes in
      [UInt8](unsafeUninitializedCapacity: JSONText.capacity(forEscaping: bytes.count) + 1) { output, count in
        count = output.baseAddress.map { JSONText.escape(UnsafeRawBufferPointer(bytes), into: UnsafeMutableRawPointer($0)).count } ?? 0
      }
    }
    let parts =
      Array(#"{"timestamp":""#.utf8) + [UInt8](repeating: 0x30, count: JSONText.timestampByteCount) + Array(#"","host":""#.utf8) + text
      + Array(#"","message":""#.utf8)
    beginning = .allocate(byteCount: parts.count, alignment: 64)
    beginning.copyBytes(from: parts)
  }

  deinit { beginning.deallocate() }

  /// Sets the time of the lines that follow, in nanoseconds since 1970.
  func setTime(_ nanoseconds: Int64) {
    guard let base = beginning.baseAddress else { return }
    JSONText.timestamp(nanoseconds, into: base + Self.timestampStart)
  }

  /// Appends a line as one record; whether bytes of it were replaced.
  func append(_ line: UnsafeRawBufferPointer, isSplit: Bool, continues: Bool, to batch: inout RecordBatch) -> Bool {
    var wasReplaced = false
    batch.appendInPlace(capacity: beginning.count + JSONText.capacity(forEscaping: line.count) + Self.endingCapacity) { output in
      guard let start = output.baseAddress, let base = beginning.baseAddress else { return (0, 0) }
      start.copyMemory(from: base, byteCount: beginning.count)
      var next = start + beginning.count
      let (count, replaced) = JSONText.escape(line, into: next)
      next += count
      wasReplaced = replaced
      func put(_ text: StaticString) {
        next.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        next += text.utf8CodeUnitCount
      }
      put("\"")
      if replaced { put(#","invalid_utf8":true"#) }
      if isSplit { put(#","unended":true"#) }
      if continues { put(#","continues":true"#) }
      put("}\n")
      return (next - start, 1)
    }
    return wasReplaced
  }
}
