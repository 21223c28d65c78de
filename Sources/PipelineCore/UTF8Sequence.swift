/// Walks over bytes that are UTF-8 for the most part.
enum UTF8Sequence {
  /// The length of the well-formed sequence at `position`, or, negated, the length of the ill-formed part that one U+FFFD stands for
  /// (Unicode 16, table 3-7 and section 3.9: the longest part that could have begun a sequence, at least one byte).
  static func length(in bytes: UnsafeRawBufferPointer, at position: Int) -> Int {
    let first = bytes[position]
    if first < 0x80 { return 1 }
    let continuations: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch first {
    case 0xC2...0xDF: continuations = 1
    case 0xE0: (continuations, second) = (2, 0xA0...0xBF)
    case 0xE1...0xEC, 0xEE...0xEF: continuations = 2
    case 0xED: (continuations, second) = (2, 0x80...0x9F)
    case 0xF0: (continuations, second) = (3, 0x90...0xBF)
    case 0xF1...0xF3: continuations = 3
    case 0xF4: (continuations, second) = (3, 0x80...0x8F)
    default: return -1
    }
    for index in 1...continuations {
      guard position + index < bytes.count, (index == 1 ? second : 0x80...0xBF).contains(bytes[position + index]) else { return -index }
    }
    return continuations + 1
  }
}
