internal import RecordBlocks

/// The keys under which clients sent records, newest 10,000 of the last 24 hours, and where these records are. What is here is durable:
/// key and records stand in one block.
///
/// Hours are of the queue's open time, which block headers carry, not of the wall clock: that may be set a day ahead, and then a client
/// whose answer was lost would double its records. Open time only goes on while the queue could have answered.
struct KeyTable {
  static let countLimit = 10_000
  /// Nanoseconds of open time.
  static let lifetime: UInt64 = 24 * 3600 * 1_000_000_000

  private struct Entry {
    let number: UInt64
    let body: KeyedBody
  }

  private var entries: [String: Entry] = [:]
  /// Keys by age, each with the number of its entry; a key that was written again since stands here twice. Those before `head` are over.
  private var order: [(key: String, number: UInt64)] = []
  private var head = 0
  private var added: UInt64 = 0
  private var byteLimit = Int.max
  /// What all of them take in a snapshot.
  private(set) var byteCount = 0

  var count: Int { entries.count }

  /// All of them, oldest first.
  var bodies: [KeyedBody] { order[head...].compactMap { key, number in entries[key].flatMap { $0.number == number ? $0.body : nil } } }

  /// What was written under a key, if that is still known at this age of the queue.
  func body(_ key: String, at age: UInt64) -> KeyedBody? {
    guard let body = entries[key]?.body, !isOver(body, at: age) else { return nil }
    return body
  }

  /// Enters the body of a durable block, or of a snapshot, which may be known already.
  mutating func add(_ body: KeyedBody) {
    if let known = entries[body.key]?.body {
      if known == body { return }
      byteCount -= Self.byteCount(known)
    }
    added += 1
    entries[body.key] = Entry(number: added, body: body)
    order.append((body.key, added))
    byteCount += Self.byteCount(body)
    forget(at: body.openAge)
  }

  /// Keeps the newest that take at most so many bytes in a snapshot.
  mutating func limit(toBytes limit: Int) {
    byteLimit = limit
    forget(at: 0)
  }

  /// Lets go what is too old or too many.
  mutating func forget(at age: UInt64) {
    while head < order.count {
      let (key, number) = order[head]
      if let entry = entries[key], entry.number == number {
        guard entries.count > Self.countLimit || byteCount > byteLimit || isOver(entry.body, at: age) else { break }
        entries[key] = nil
        byteCount -= Self.byteCount(entry.body)
      }
      head += 1
    }
    if head > order.count / 2 {
      order.removeFirst(head)
      head = 0
    }
  }

  private func isOver(_ body: KeyedBody, at age: UInt64) -> Bool { age > body.openAge && age - body.openAge > Self.lifetime }

  private static func byteCount(_ body: KeyedBody) -> Int { BlockEntry.key(body).encodedByteCount }
}
