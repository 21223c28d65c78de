/// Looks at a datagram's bytes. Every access is checked, in release builds too: these bytes come from anyone.
extension Span where Element == UInt8 {
  /// The byte at `index`, or 0 behind the end. For comparisons with anything but NUL.
  @inline(__always)
  func peek(_ index: Int) -> UInt8 { index < count ? self[index] : 0 }

  /// Whether a word ends at `index`: a space, or the end.
  @inline(__always)
  func endsWord(_ index: Int) -> Bool { index >= count || self[index] == UInt8(ascii: " ") }

  /// The next space at or behind `index`, or the end.
  @inline(__always)
  func wordEnd(from index: Int) -> Int {
    var index = index
    while index < count, self[index] != UInt8(ascii: " ") { index &+= 1 }
    return index
  }

  /// The first byte at or behind `index` that isn't a space.
  @inline(__always)
  func skippingSpaces(from index: Int) -> Int {
    var index = index
    while index < count, self[index] == UInt8(ascii: " ") { index &+= 1 }
    return index
  }

  /// How many decimal digits stand at `index`, looking at no more than `most`.
  @inline(__always)
  func digitCount(at index: Int, most: Int) -> Int {
    var length = 0
    while length < most, isDigit(peek(index &+ length)) { length &+= 1 }
    return length
  }

  /// The value of exactly `length` digits at `index`, or -1. `length` is at most 18.
  @inline(__always)
  func number(at index: Int, digits length: Int) -> Int {
    guard index &+ length <= count else { return -1 }
    var value = 0
    for place in index..<index &+ length {
      let digit = self[place] &- 0x30
      guard digit < 10 else { return -1 }
      value = value &* 10 &+ Int(digit)
    }
    return value
  }

  /// Whether these ASCII bytes stand at `index`.
  func hasPrefix(_ prefix: StaticString, at index: Int) -> Bool {
    guard index + prefix.utf8CodeUnitCount <= count else { return false }
    for place in 0..<prefix.utf8CodeUnitCount where self[index + place] != prefix.utf8Start[place] { return false }
    return true
  }
}

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

@inline(__always)
func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }
