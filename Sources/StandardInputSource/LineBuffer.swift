internal import CLinux
internal import Glibc

/// What was read and not yet handed over, cut into whole lines and, of a line over the limit, pieces.
///
/// Nothing leaves it before ``remove(_:)``, so a write that failed is done again from the same bytes. It holds at most one line of the
/// limit and one chunk.
struct LineBuffer: ~Copyable {
  /// Bytes at the buffer's start that belong together.
  struct Piece {
    /// How many.
    var byteCount: Int
    /// How many records they are.
    var recordCount: Int
    /// They are one record without a line feed: the end of the input, or part of a line over the limit.
    var isUnended: Bool
    /// Why it is unended: more of the line follows.
    var isSplit: Bool
    /// The first record goes on where an unended one stopped.
    var continues: Bool
  }

  private let maxLineBytes: Int
  private var storage: UnsafeMutableRawPointer
  private var capacity: Int
  private var start = 0
  private var end = 0
  /// Behind the last line feed; `start` when there is none.
  private var linesEnd = 0
  private var continues = false

  /// An empty buffer that cuts lines over `maxLineBytes`.
  init(maxLineBytes: Int) {
    self.maxLineBytes = maxLineBytes
    capacity = 0
    storage = .allocate(byteCount: 1, alignment: 64)
  }

  deinit { storage.deallocate() }

  /// Free bytes behind what is there: at least `count`.
  mutating func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if capacity - end < count {
      let held = end - start
      if capacity < held + count {
        // Doubling, so that a long line is moved a few times and not with each chunk.
        capacity = max(held + count, min(capacity * 2, maxLineBytes + 2 * count))
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        larger.copyMemory(from: storage + start, byteCount: held)
        storage.deallocate()
        storage = larger
      } else {
        storage.copyMemory(from: storage + start, byteCount: held)
      }
      linesEnd -= start
      start = 0
      end = held
    }
    return UnsafeMutableRawBufferPointer(start: storage + end, count: capacity - end)
  }

  /// Takes the first `count` bytes of the room.
  mutating func add(_ count: Int) {
    precondition(count <= capacity - end, "more bytes than there was room for")
    if let last = linux_memrchr(storage + end, 0x0A, count) { linesEnd = last - UnsafeRawPointer(storage) + 1 }
    end += count
  }

  /// The bytes of a piece.
  func bytes(_ piece: Piece) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: storage + start, count: piece.byteCount) }

  /// What can be handed over next, or nil: whole lines, a piece of a line over the limit, or, at the input's end, what has no line feed.
  func nextPiece(atEnd: Bool) -> Piece? {
    let whole = linesEnd - start
    if whole > 0 {
      let count = whole <= maxLineBytes + 1 ? whole : wholeLines(in: whole)
      if count > 0 {
        let records = Int(linux_count_byte(storage + start, count, 0x0A))
        return Piece(byteCount: count, recordCount: records, isUnended: false, isSplit: false, continues: continues)
      }
    }
    if end - start > maxLineBytes {
      return Piece(byteCount: maxLineBytes, recordCount: 1, isUnended: true, isSplit: true, continues: continues)
    }
    guard atEnd, end > start else { return nil }
    return Piece(byteCount: end - start, recordCount: 1, isUnended: true, isSplit: false, continues: continues)
  }

  /// Forgets a piece, which was handed over.
  mutating func remove(_ piece: Piece) {
    start += piece.byteCount
    linesEnd = max(linesEnd, start)
    continues = piece.isUnended
  }

  /// How many of the first `count` bytes, which end with a line feed, are lines within the limit.
  private func wholeLines(in count: Int) -> Int {
    var position = 0
    while position < count {
      let most = min(count - position, maxLineBytes + 1)
      guard let lineFeed = memchr(storage + start + position, 0x0A, most) else { return position }
      position = UnsafeRawPointer(lineFeed) - UnsafeRawPointer(storage + start) + 1
    }
    return position
  }
}
