/// Pieces of JSON text written straight into a raw buffer, without allocation: what sources need that wrap records in JSON.
///
/// None of these functions writes quotes, and none checks for room: the caller reserves it, by the bounds given with each.
public enum JSONText {
  /// How many bytes one byte of input can become at most (`\u0000`).
  public static let maximumGrowth = 6
  /// How many bytes ``timestamp(_:into:)`` writes.
  public static let timestampByteCount = 27

  /// The room that ``escape(_:into:)`` needs for `count` bytes.
  public static func capacity(forEscaping count: Int) -> Int { count * maximumGrowth }

  /// The room that ``base64(_:into:)`` needs for `count` bytes, which is exactly what it writes.
  public static func capacity(forBase64 count: Int) -> Int { (count + 2) / 3 * 4 }

  /// Writes `bytes` as the inside of a JSON string (RFC 8259 section 7) and returns how many bytes that took.
  ///
  /// The output is valid UTF-8 whatever the input: each maximal part of an ill-formed sequence becomes one U+FFFD (as the Unicode standard
  /// recommends and as `String(decoding:as:)` does), which `replaced` reports, so that the caller can keep the raw bytes beside it.
  /// - Parameter output: room for ``capacity(forEscaping:)`` bytes.
  public static func escape(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> (count: Int, replaced: Bool) {
    guard let base = bytes.baseAddress else { return (0, false) }
    let count = bytes.count
    var input = 0
    var written = 0
    var replaced = false
    while input < count {
      // Eight bytes at a time as long as none needs care. The lowest mark is exact (a borrow only runs upwards), so what stands before it
      // is copied too.
      if input &+ 8 <= count {
        let word = (base + input).loadUnaligned(as: UInt64.self)
        output.storeBytes(of: word, toByteOffset: written, as: UInt64.self)
        let marks = marksOfSpecialBytes(UInt64(littleEndian: word))
        if marks == 0 {
          input &+= 8
          written &+= 8
          continue
        }
        let plain = marks.trailingZeroBitCount >> 3
        input &+= plain
        written &+= plain
      }
      let byte = base.load(fromByteOffset: input, as: UInt8.self)
      if byte < 0x80 {
        written &+= escapeASCII(byte, into: output + written)
        input &+= 1
        continue
      }
      // Text that isn't ASCII mostly goes on so.
      repeat {
        let (length, valid) = sequence(base + input, available: count &- input)
        if valid {
          copyFew(base + input, length, available: count &- input, to: output + written)
          written &+= length
        } else {
          output.storeBytes(of: 0xEF, toByteOffset: written, as: UInt8.self)
          output.storeBytes(of: 0xBF, toByteOffset: written &+ 1, as: UInt8.self)
          output.storeBytes(of: 0xBD, toByteOffset: written &+ 2, as: UInt8.self)
          written &+= 3
          replaced = true
        }
        input &+= length
      } while input < count && base.load(fromByteOffset: input, as: UInt8.self) >= 0x80
    }
    return (written, replaced)
  }

  /// Writes `bytes` in base64 with padding (RFC 4648 section 4) and returns how many bytes that took.
  /// - Parameter output: room for ``capacity(forBase64:)`` bytes.
  public static func base64(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Int {
    var written = 0
    var index = 0
    while index < bytes.count {
      let present = min(3, bytes.count - index)
      var group: UInt32 = 0
      for place in 0..<3 { group = group << 8 | (place < present ? UInt32(bytes[index + place]) : 0) }
      for place in 0..<4 {
        let sextet = UInt8(truncatingIfNeeded: group >> UInt32(18 - 6 * place)) & 0x3F
        output.storeBytes(of: place <= present ? base64Digit(sextet) : UInt8(ascii: "="), toByteOffset: written + place, as: UInt8.self)
      }
      written += 4
      index += 3
    }
    return written
  }

  /// Writes a wall time as RFC 3339 in UTC with microseconds, `2026-09-01T08:30:00.000123Z`: always ``timestampByteCount`` bytes.
  /// - Parameter nanoseconds: since 1970-01-01T00:00:00Z.
  public static func timestamp(_ nanoseconds: Int64, into output: UnsafeMutableRawPointer) {
    let (seconds, fraction) = floorDivision(nanoseconds, 1_000_000_000)
    let (days, second) = floorDivision(seconds, 86_400)
    let (year, month, day) = civilDate(daysSince1970: days)
    func digits(_ value: Int64, _ count: Int, at position: Int) {
      var rest = value
      for place in stride(from: position + count - 1, through: position, by: -1) {
        output.storeBytes(of: UInt8(truncatingIfNeeded: 0x30 + rest % 10), toByteOffset: place, as: UInt8.self)
        rest /= 10
      }
    }
    func mark(_ character: Unicode.Scalar, at position: Int) {
      output.storeBytes(of: UInt8(ascii: character), toByteOffset: position, as: UInt8.self)
    }
    digits(year, 4, at: 0)
    mark("-", at: 4)
    digits(month, 2, at: 5)
    mark("-", at: 7)
    digits(day, 2, at: 8)
    mark("T", at: 10)
    digits(second / 3600, 2, at: 11)
    mark(":", at: 13)
    digits(second / 60 % 60, 2, at: 14)
    mark(":", at: 16)
    digits(second % 60, 2, at: 17)
    mark(".", at: 19)
    digits(fraction / 1000, 6, at: 20)
    mark("Z", at: 26)
  }

  /// The high bit of each byte that can't be copied as it is (below U+0020, quote, backslash, not ASCII); exact up to and including the
  /// lowest.
  @inline(__always)
  private static func marksOfSpecialBytes(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones &* 0x22)
    let backslashes = word ^ (ones &* 0x5C)
    let ascii = ((word &- ones &* 0x20) & ~word) | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
    return (ascii | word) & (ones &* 0x80)
  }

  /// Copies up to four bytes; all four when there are as many, since what lies behind is written over.
  @inline(__always)
  private static func copyFew(_ source: UnsafeRawPointer, _ count: Int, available: Int, to output: UnsafeMutableRawPointer) {
    if available >= 4 {
      output.storeBytes(of: source.loadUnaligned(as: UInt32.self), as: UInt32.self)
    } else {
      for index in 0..<count {
        output.storeBytes(of: source.load(fromByteOffset: index, as: UInt8.self), toByteOffset: index, as: UInt8.self)
      }
    }
  }

  private static func escapeASCII(_ byte: UInt8, into output: UnsafeMutableRawPointer) -> Int {
    let short: UInt8
    switch byte {
    case 0x22, 0x5C: short = byte
    case 0x08: short = UInt8(ascii: "b")
    case 0x09: short = UInt8(ascii: "t")
    case 0x0A: short = UInt8(ascii: "n")
    case 0x0C: short = UInt8(ascii: "f")
    case 0x0D: short = UInt8(ascii: "r")
    case 0x00..<0x20:
      output.storeBytes(of: 0x5C, as: UInt8.self)
      output.storeBytes(of: UInt8(ascii: "u"), toByteOffset: 1, as: UInt8.self)
      output.storeBytes(of: 0x30, toByteOffset: 2, as: UInt8.self)
      output.storeBytes(of: 0x30, toByteOffset: 3, as: UInt8.self)
      output.storeBytes(of: hexDigit(byte >> 4), toByteOffset: 4, as: UInt8.self)
      output.storeBytes(of: hexDigit(byte & 0x0F), toByteOffset: 5, as: UInt8.self)
      return 6
    default:
      output.storeBytes(of: byte, as: UInt8.self)
      return 1
    }
    output.storeBytes(of: 0x5C, as: UInt8.self)
    output.storeBytes(of: short, toByteOffset: 1, as: UInt8.self)
    return 2
  }

  /// The well-formed sequence that begins with a byte above 0x7F, or the maximal part of an ill-formed one (Unicode standard, table 3-7).
  private static func sequence(_ bytes: UnsafeRawPointer, available: Int) -> (length: Int, valid: Bool) {
    let lead = bytes.load(as: UInt8.self)
    if lead >= 0xC2, lead <= 0xDF {
      return available > 1 && bytes.load(fromByteOffset: 1, as: UInt8.self) & 0xC0 == 0x80 ? (2, true) : (1, false)
    }
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xE0:
      length = 3
      second = 0xA0...0xBF
    case 0xED:
      length = 3
      second = 0x80...0x9F
    case 0xE1...0xEF: length = 3
    case 0xF0:
      length = 4
      second = 0x90...0xBF
    case 0xF1...0xF3: length = 4
    case 0xF4:
      length = 4
      second = 0x80...0x8F
    default: return (1, false)
    }
    guard available > 1, second.contains(bytes.load(fromByteOffset: 1, as: UInt8.self)) else { return (1, false) }
    var index = 2
    while index < length {
      guard index < available, bytes.load(fromByteOffset: index, as: UInt8.self) & 0xC0 == 0x80 else { return (index, false) }
      index += 1
    }
    return (length, true)
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

  private static func base64Digit(_ sextet: UInt8) -> UInt8 {
    switch sextet {
    case 0..<26: 0x41 + sextet
    case 26..<52: 0x61 + (sextet - 26)
    case 52..<62: 0x30 + (sextet - 52)
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
  }

  private static func floorDivision(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  /// The Gregorian date of a day. Years begin in March here, so that the leap day is a year's last and month lengths follow one line.
  private static func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivision(days + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }
}
