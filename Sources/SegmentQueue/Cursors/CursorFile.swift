internal import DurableFiles
internal import RecordBlocks

/// A consumer's file: two 16 KiB slots, written in turn and in place, one `fdatasync` a commit. A torn slot leaves the other, one commit
/// older.
struct CursorFile {
  private let directory: any Directory
  private let name: String
  private var file: any File
  /// What both slots say; the newer one's index is `generation % 2`.
  private var slots: [CursorRecord?]
  /// A sync of the file has failed: it is written anew before it is used again.
  private var isSpoilt = false

  /// The newest readable record.
  var current: CursorRecord { slots.compactMap { $0 }.max { $0.generation < $1.generation }! }
  /// What both slots are past: only that may go, for a torn slot brings the other one back.
  var needed: Offset { slots.map { $0?.needed ?? .zero }.min() ?? .zero }

  enum Failure: Error {
    case file(FileError)
    case unreadable
    case foreign
  }

  /// Opens an existing consumer's file.
  init?(opening name: String, in directory: any Directory, queueID: QueueID) throws(Failure) {
    self.directory = directory
    self.name = name
    do throws(FileError) {
      guard try directory.status(name) != nil else { return nil }
      file = try directory.openUnshared(name, .update)
      let bytes = try file.read(2 * CursorRecord.slotByteCount, at: 0)
      slots = bytes.withUnsafeBytes { bytes in
        [0, 1].map { index in
          let start = min(index * CursorRecord.slotByteCount, bytes.count)
          let end = min(start + CursorRecord.slotByteCount, bytes.count)
          return CursorRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        }
      }
    } catch {
      throw .file(error)
    }
    guard slots.contains(where: { $0 != nil }) else { throw .unreadable }
    guard slots.allSatisfy({ $0 == nil || $0!.queueID == queueID }) else { throw .foreign }
  }

  /// Makes a consumer's file: temporary file, sync, rename, directory sync.
  init(creating name: String, in directory: any Directory, _ record: CursorRecord) throws(FileError) {
    self.directory = directory
    self.name = name
    slots = [record, record]
    (file, slots) = try Self.write(record, name, directory)
  }

  private static func write(_ record: CursorRecord, _ name: String, _ directory: any Directory) throws(FileError) -> (
    any File, [CursorRecord?]
  ) {
    var bytes = [UInt8](repeating: 0, count: 2 * CursorRecord.slotByteCount)
    var slots: [CursorRecord?] = [nil, nil]
    for step in 0..<2 {
      var copy = record
      copy.generation = record.generation + UInt64(step)
      let index = Int(copy.generation % 2)
      bytes.replaceSubrange(
        index * CursorRecord.slotByteCount..<index * CursorRecord.slotByteCount + copy.encode().count, with: copy.encode())
      slots[index] = copy
    }
    try directory.replace(name, with: bytes)
    return (try directory.open(name, .update), slots)
  }

  /// Writes the next record into the older slot; on the disk on return.
  mutating func commit(_ change: (inout CursorRecord) -> Void) throws(FileError) {
    var record = current
    change(&record)
    record.generation += 1
    do throws(FileError) {
      if isSpoilt {
        (file, slots) = try Self.write(record, name, directory)
        isSpoilt = false
        return
      }
      let index = Int(record.generation % 2)
      // Until the sync has returned, the slot may hold anything: it counts for nothing.
      let before = slots[index]
      slots[index] = before.map { old in
        var unknown = old
        unknown.generation = 0
        return unknown
      }
      try file.write(record.encode(), at: Int64(index * CursorRecord.slotByteCount))
      try file.sync()
      slots[index] = record
    } catch {
      // A second sync of the same file could succeed and mean nothing.
      isSpoilt = true
      throw error
    }
  }

  /// Removes the consumer's file; durable on return. After an error it may be tried again.
  func remove() throws(FileError) {
    if try directory.status(name) != nil { try directory.unlink(name) }
    try directory.sync()
  }
}
