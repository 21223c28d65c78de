internal import Glibc
public import RecordBlocks

extension DeadLetters {
  /// Appends the record that a dead letter holds, byte for byte, to `batch`.
  /// - Parameter line: a line of a dead-letter queue, without its line feed.
  /// - Returns: the offset that the record has in its own queue; nil when the line is no dead letter, and nothing was appended.
  public static func appendRecord(of line: UnsafeRawBufferPointer, to batch: inout RecordBatch) -> Offset? {
    guard let letter = DeadLetterLine(line) else { return nil }
    return letter.append(to: &batch) ? letter.offset : nil
  }
}

/// A dead letter as ``DeadLetterRecord`` writes it, taken apart from its end: what stands before the offset came from outside and may be
/// of any length.
struct DeadLetterLine {
  /// The offset that the record has in its own queue.
  let offset: Offset
  private let encoded: UnsafeRawBufferPointer

  /// Nil when the line is no dead letter.
  init?(_ line: UnsafeRawBufferPointer) {
    let (head, tail): (StaticString, StaticString) = (",\"bytes\":\"", "\"}")
    guard Self.ends(line, with: tail) else { return nil }
    let end = line.count - tail.utf8CodeUnitCount
    // Base64 has no quotation mark: the last one begins it.
    guard let quote = line[..<end].lastIndex(of: 0x22) else { return nil }
    let start = quote + 1
    guard Self.ends(UnsafeRawBufferPointer(rebasing: line[..<start]), with: head) else { return nil }
    encoded = UnsafeRawBufferPointer(rebasing: line[start..<end])
    let digits = line[..<(start - head.utf8CodeUnitCount)].reversed().prefix { (0x30...0x39).contains($0) }
    let name: StaticString = ",\"offset\":"
    let number = String(decoding: Array(digits.reversed()), as: UTF8.self)
    guard let value = UInt64(number), encoded.count % 4 == 0,
      Self.ends(UnsafeRawBufferPointer(rebasing: line[..<(start - head.utf8CodeUnitCount - digits.count)]), with: name)
    else { return nil }
    offset = Offset(value)
  }

  /// Appends the record; false, with nothing appended, when it isn't base64 or would be no record.
  func append(to batch: inout RecordBatch) -> Bool {
    var isSound = true
    batch.appendInPlace(capacity: encoded.count / 4 * 3 + 1) { room in
      guard let count = decode(into: room), memchr(room.baseAddress!, 0x0A, count) == nil else {
        isSound = false
        return (bytes: 0, records: 0)
      }
      room[count] = 0x0A
      return (bytes: count + 1, records: 1)
    }
    return isSound
  }

  /// Returns how many bytes there are; nil when it isn't base64.
  private func decode(into room: UnsafeMutableRawBufferPointer) -> Int? {
    var count = 0
    var position = 0
    while position < encoded.count {
      var word: UInt32 = 0
      var padding = 0
      for index in position..<position + 4 {
        let byte = encoded[index]
        guard let digit = Self.value(byte), padding == 0 else {
          guard byte == UInt8(ascii: "="), index >= position + 2, position + 4 == encoded.count else { return nil }
          padding += 1
          word <<= 6
          continue
        }
        word = word << 6 | digit
      }
      room[count] = UInt8(truncatingIfNeeded: word >> 16)
      if padding < 2 { room[count + 1] = UInt8(truncatingIfNeeded: word >> 8) }
      if padding < 1 { room[count + 2] = UInt8(truncatingIfNeeded: word) }
      count += 3 - padding
      position += 4
    }
    return count
  }

  private static func value(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x41...0x5A: UInt32(byte - 0x41)
    case 0x61...0x7A: UInt32(byte - 0x61) + 26
    case 0x30...0x39: UInt32(byte - 0x30) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }

  private static func ends(_ bytes: UnsafeRawBufferPointer, with suffix: StaticString) -> Bool {
    bytes.suffix(suffix.utf8CodeUnitCount).elementsEqual(UnsafeBufferPointer(start: suffix.utf8Start, count: suffix.utf8CodeUnitCount))
  }
}
