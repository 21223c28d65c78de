internal import CLinux
internal import Glibc

/// Writes records as `{"timestamp","host","path","message"}`, one object a line.
///
/// The message is escaped as JSON has it (RFC 8259, section 7); bytes that aren't UTF-8 become U+FFFD, one for each maximal ill-formed
/// part, and the
/// object then has `"invalid_utf8":true`. A line in pieces has `"unended":true` on each piece but the last and `"continues":true` on each
/// but the first.
struct JSONRecordEncoder {
  /// Bytes of an object beside its message at most, flags included; the prefix comes on top.
  private static let suffixCapacity = 64

  private var prefix: [UInt8] = []
  private let host: [UInt8]

  /// - Parameter host: the host's name as it goes into each record.
  init(host: String) { self.host = Self.escaped(Array(host.utf8)) }

  /// Sets what all records of one read share.
  mutating func begin(path: [UInt8], seconds: Int64, nanoseconds: Int64) {
    prefix.removeAll(keepingCapacity: true)
    prefix += Array(#"{"timestamp":""#.utf8)
    prefix += Array(Self.timestamp(seconds: seconds, nanoseconds: nanoseconds).utf8)
    prefix += Array(#"","host":""#.utf8) + host + Array(#"","path":""#.utf8) + Self.escaped(path) + Array(#"","message":""#.utf8)
  }

  /// The most bytes that a record of `count` message bytes can take: six for each byte.
  func capacity(forMessage count: Int) -> Int { prefix.count + count * 6 + Self.suffixCapacity }

  /// Bytes of an object beside its message.
  var overhead: Int { prefix.count + Self.suffixCapacity }

  /// Writes one record with its line feed at `output`, which has ``capacity(forMessage:)`` bytes (or the measured ones); returns how many
  /// it wrote and
  /// whether the message had invalid UTF-8.
  func write(_ message: UnsafeRawBufferPointer, unended: Bool, continues: Bool, to output: UnsafeMutableRawPointer) -> (
    count: Int, isInvalid: Bool
  ) {
    var end = output
    prefix.withUnsafeBytes { end.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    end += prefix.count
    let (next, isInvalid) = Self.escape(message, to: end)
    end = next
    end = Self.put("\"", end)
    if isInvalid { end = Self.put(#","invalid_utf8":true"#, end) }
    if unended { end = Self.put(#","unended":true"#, end) }
    if continues { end = Self.put(#","continues":true"#, end) }
    end = Self.put("}\n", end)
    return (end - output, isInvalid)
  }

  /// How many bytes of `message` give at most `limit` escaped ones; never in the middle of a character. Also the escaped count.
  static func measure(_ message: UnsafeRawBufferPointer, limit: Int) -> (bytes: Int, escaped: Int) {
    var at = 0
    var total = 0
    while at < message.count {
      let byte = message[at]
      var width = 1
      var cost = 1
      if byte >= 0x80 {
        let character = character(message, at)
        width = character.width
        cost = character.isValid ? width : 3
      } else if byte < 0x20 {
        cost = shortEscape(byte) == nil ? 6 : 2
      } else if byte == 0x22 || byte == 0x5C {
        cost = 2
      }
      if total + cost > limit, at > 0 { break }
      total += cost
      at += width
    }
    return (at, total)
  }

  /// `2026-09-01T12:34:56.123456Z` (RFC 3339, UTC).
  static func timestamp(seconds: Int64, nanoseconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    func padded(_ number: Int, _ width: Int) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let date = "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
    let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
    return "\(date)T\(clock).\(padded(Int(nanoseconds / 1000), 6))Z"
  }

  static func escaped(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: bytes.count * 6 + 1) { buffer, count in
      let start = UnsafeMutableRawPointer(buffer.baseAddress!)
      count = bytes.withUnsafeBytes { escape($0, to: start).end - start }
    }
  }

  private static func escape(_ message: UnsafeRawBufferPointer, to output: UnsafeMutableRawPointer) -> (
    end: UnsafeMutableRawPointer, isInvalid: Bool
  ) {
    guard let base = message.baseAddress else { return (output, false) }
    var end = output
    var at = 0
    var isInvalid = false
    let count = message.count
    while at < count {
      // Eight plain bytes at a time: most of a log line is.
      while count - at >= 8 {
        let word = (base + at).loadUnaligned(as: UInt64.self)
        guard isPlain(word) else { break }
        end.storeBytes(of: word, as: UInt64.self)
        end += 8
        at += 8
      }
      guard at < count else { break }
      let byte = message[at]
      if byte >= 0x80 {
        let (width, isValid) = character(message, at)
        if isValid {
          end.copyMemory(from: base + at, byteCount: width)
          end += width
        } else {
          end = put("\u{FFFD}", end)
          isInvalid = true
        }
        at += width
        continue
      }
      at += 1
      if byte >= 0x20, byte != 0x22, byte != 0x5C {
        end.storeBytes(of: byte, as: UInt8.self)
        end += 1
      } else if let letter = shortEscape(byte) {
        end.storeBytes(of: 0x5C, as: UInt8.self)
        end.storeBytes(of: letter, toByteOffset: 1, as: UInt8.self)
        end += 2
      } else {
        end = put("\\u00", end)
        end.storeBytes(of: digit(byte >> 4), as: UInt8.self)
        end.storeBytes(of: digit(byte & 15), toByteOffset: 1, as: UInt8.self)
        end += 2
      }
    }
    return (end, isInvalid)
  }

  /// No byte of the word is a control character, a quote, a backslash or beyond ASCII.
  @inline(__always)
  private static func isPlain(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    let control = (word &- ones &* 0x20) & ~word
    let quote = word ^ (ones &* 0x22)
    let backslash = word ^ (ones &* 0x5C)
    let hits = control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | word
    return hits & highs == 0
  }

  private static func shortEscape(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x22, 0x5C: byte
    case 0x0A: UInt8(ascii: "n")
    case 0x0D: UInt8(ascii: "r")
    case 0x09: UInt8(ascii: "t")
    case 0x08: UInt8(ascii: "b")
    case 0x0C: UInt8(ascii: "f")
    default: nil
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

  @inline(__always)
  private static func put(_ text: StaticString, _ at: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
    at.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    return at + text.utf8CodeUnitCount
  }

  /// The well-formed character at `at` (Unicode, table 3-7), or the length of the maximal ill-formed part there.
  private static func character(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> (width: Int, isValid: Bool) {
    let first = bytes[at]
    let width: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch first {
    case 0xC2...0xDF: width = 2
    case 0xE0: (width, second) = (3, 0xA0...0xBF)
    case 0xED: (width, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: width = 3
    case 0xF0: (width, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: width = 4
    case 0xF4: (width, second) = (4, 0x80...0x8F)
    default: return (1, false)
    }
    var taken = 1
    while taken < width {
      guard at + taken < bytes.count, (taken == 1 ? second : 0x80...0xBF).contains(bytes[at + taken]) else { return (taken, false) }
      taken += 1
    }
    return (width, true)
  }
}
