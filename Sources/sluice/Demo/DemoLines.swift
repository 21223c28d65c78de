internal import Glibc
internal import RecordBlocks

/// The records of a demonstration. Each begins with its number, and what follows is decided by that number and the seed: who receives one
/// can tell whether it is the one that is due, and whole.
final class DemoLines: Sendable {
  /// Digits of a number, with zeros before it.
  private static let digits = 10
  /// A power of two; each text is used again for other numbers, mostly so far apart that gzip doesn't see it.
  private static let textCount = 4096

  /// The texts, one behind the other, each with its line feed.
  private let texts: [UInt8]
  /// Where each text ends.
  private let ends: [Int]
  private let longestLineBytes: Int

  init(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var texts: [UInt8] = []
    var ends: [Int] = []
    for _ in 0..<Self.textCount {
      texts += Self.text(&random).utf8
      texts.append(0x0A)
      ends.append(texts.count)
    }
    self.texts = texts
    self.ends = ends
    longestLineBytes = Self.digits + 1 + (zip(ends, [0] + ends).map { $0 - $1 }.max() ?? 0)
  }

  /// Bytes that a record has on average, its line feed included.
  var meanLineBytes: Int { Self.digits + 1 + texts.count / Self.textCount }

  /// The records `first..<first + count`.
  func batch(from first: UInt64, count: Int) -> RecordBatch {
    var batch = RecordBatch()
    batch.appendInPlace(capacity: count * longestLineBytes) { (bytes: write(from: first, count: count, to: $0), records: count) }
    return batch
  }

  /// Their lines as bytes.
  func bytes(from first: UInt64, count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count * longestLineBytes) { buffer, length in
      length = write(from: first, count: count, to: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  /// Bytes of the lines of `first..<first + count`.
  func byteCount(from first: UInt64, count: Int) -> Int {
    (0..<count).reduce(0) { $0 + Self.digits + 1 + textRange(of: first + UInt64($1)).count }
  }

  /// The first record that isn't the one due, where `bytes` should be the lines of `first..<first + count`; nil when they are. What is
  /// there too much counts as the record behind them.
  func firstWrong(in bytes: [UInt8], from first: UInt64, count: Int) -> UInt64? {
    texts.withUnsafeBytes { texts in
      bytes.withUnsafeBytes { bytes in
        withUnsafeTemporaryAllocation(byteCount: Self.digits + 1, alignment: 1) { beginning in
          var position = 0
          for number in first..<first + UInt64(count) {
            let text = textRange(of: number)
            Self.writeBeginning(of: number, to: beginning)
            guard position + beginning.count + text.count <= bytes.count,
              memcmp(bytes.baseAddress! + position, beginning.baseAddress!, beginning.count) == 0,
              memcmp(bytes.baseAddress! + position + beginning.count, texts.baseAddress! + text.lowerBound, text.count) == 0
            else { return number }
            position += beginning.count + text.count
          }
          return position == bytes.count ? nil : first + UInt64(count)
        }
      }
    }
  }

  private func write(from first: UInt64, count: Int, to output: UnsafeMutableRawBufferPointer) -> Int {
    texts.withUnsafeBytes { texts in
      var position = 0
      for number in first..<first + UInt64(count) {
        let text = textRange(of: number)
        Self.writeBeginning(of: number, to: UnsafeMutableRawBufferPointer(rebasing: output[position...]))
        position += Self.digits + 1
        (output.baseAddress! + position).copyMemory(from: texts.baseAddress! + text.lowerBound, byteCount: text.count)
        position += text.count
      }
      return position
    }
  }

  private func textRange(of number: UInt64) -> Range<Int> {
    let index = Int(truncatingIfNeeded: (number &* 0x9E37_79B9_7F4A_7C15) >> 52)
    return (index == 0 ? 0 : ends[index - 1])..<ends[index]
  }

  private static func writeBeginning(of number: UInt64, to output: UnsafeMutableRawBufferPointer) {
    var rest = number
    for place in (0..<digits).reversed() {
      output[place] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
      rest /= 10
    }
    output[digits] = 0x20
  }

  private static func text(_ random: inout SeededGenerator) -> String {
    let level = ["INFO", "INFO", "INFO", "WARN", "ERROR"].randomElement(using: &random)!
    let worker = Int.random(in: 0..<16, using: &random)
    let session = String(random.next(), radix: 16)
    let number = Int.random(in: 0..<100_000, using: &random)
    let duration = Int.random(in: 1..<2000, using: &random)
    let event = [
      "http.server: GET /api/v1/items/\(number)?session=\(session) HTTP/1.1 200 in \(duration) ms",
      "auth.session: user \(number) logged in with session \(session) after \(duration) ms",
      "db.pool: query \(session) took \(duration) ms: SELECT * FROM orders WHERE id = \(number)",
      "cache.store: miss for item:\(number):\(session), loaded from the database in \(duration) ms",
      "payment.gateway: request \(session) for order \(number) was tried again after \(duration) ms",
    ].randomElement(using: &random)!
    return "\(level) [worker-\(worker)] \(event)"
  }
}
