internal import DurableFiles
internal import RecordBlocks

/// The file that a sink is writing.
///
/// Small pieces are gathered and written together; a large one is written from where it lies. Nothing is gathered between two deliveries.
final class OutputFile {
  /// How much is gathered before a write: about what one delivery has once compressed; larger writes aren't faster.
  static let gatherBytes = 1 << 20
  /// From this size on a piece is written by itself: copying it would cost more than the call.
  static let directBytes = 128 << 10

  let name: FileSinkState.Name
  let device: UInt64
  let inode: UInt64
  /// Where it is.
  var location: OutputLocation { name.location }
  /// Bytes that it has, those gathered included.
  private(set) var length: Int64
  /// See ``WithheldLineFeed``.
  var withheld: WithheldLineFeed
  /// Records that come next go into another file, whatever time and size say.
  var isFinished = false
  /// Something was written or cut since the last sync.
  private(set) var isDirty = false
  private let directory: any Directory
  private let file: any File
  private let buffer: GatherBuffer

  /// An open file that is `length` bytes long. `isDirty` when it was just cut to that.
  init(
    _ file: any File, in directory: any Directory, name: FileSinkState.Name, status: FileStatus,
    length: Int64 = 0,
    withheld: WithheldLineFeed = .none, isDirty: Bool = false, buffer: GatherBuffer
  ) {
    self.file = file
    self.directory = directory
    self.name = name
    self.device = status.device
    self.inode = status.inode
    self.length = length
    self.withheld = withheld
    self.isDirty = isDirty
    self.buffer = buffer
    buffer.count = 0
  }

  /// Appends bytes; in the file after ``flush()``. After an error any part of what was appended may be in it.
  func append(_ bytes: SharedBytes) throws(FileError) {
    try bytes.withUnsafeBytes { bytes throws(FileError) in try append(bytes) }
  }

  /// Appends bytes; in the file after ``flush()``.
  func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    guard bytes.count > 0 else { return }
    isDirty = true
    if buffer.count + bytes.count > Self.gatherBytes { try flush() }
    if bytes.count >= Self.directBytes {
      try flush()
      try file.write(bytes, at: length)
    } else {
      buffer.append(bytes)
    }
    length += Int64(bytes.count)
  }

  /// Writes what was gathered; in the file on return.
  func flush() throws(FileError) {
    guard buffer.count > 0 else { return }
    try file.write(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<buffer.count]), at: length - Int64(buffer.count))
    buffer.count = 0
  }

  /// Puts what was appended on the disk; free when there is nothing new.
  func sync() throws(FileError) {
    try flush()
    guard isDirty else { return }
    try file.sync()
    isDirty = false
  }

  /// Whether the file has the bytes that we wrote, no more and no fewer: nobody else cut it or wrote to it.
  func hasExpectedLength() throws(FileError) -> Bool { try file.status().size == length - Int64(buffer.count) }

  /// Whether the file still bears its name.
  func isInPlace() throws(FileError) -> Bool {
    guard let status = try directory.status(location.name) else { return false }
    return status.kind == .regular && status.device == device && status.inode == inode
  }
}

/// The room in which an ``OutputFile`` gathers small pieces; a sink has one for all its files.
final class GatherBuffer {
  fileprivate let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: OutputFile.gatherBytes, alignment: 4096)
  fileprivate var count = 0

  deinit { bytes.deallocate() }

  fileprivate func append(_ piece: UnsafeRawBufferPointer) {
    UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).copyMemory(from: piece)
    count += piece.count
  }
}
