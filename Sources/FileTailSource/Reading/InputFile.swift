internal import Glibc
internal import SystemPackage

/// An open log file, plain or compressed, read at (decompressed) positions; together with the bytes that stood before the place where
/// reading goes on.
///
/// Those marker bytes are read again with every read and compared: a file that was truncated and has grown past the position since, or was
/// overwritten, is found out before any of its bytes is taken for a continuation.
final class InputFile {
  /// What a read found.
  enum ReadResult: Hashable, Sendable {
    /// This many bytes; fewer than asked for at the file's present end.
    case bytes(Int)
    /// The bytes before the position are no longer those that were delivered.
    case otherContent
  }

  private let file: Int32
  /// The inflater of a compressed file.
  let gzip: GzipWindow?
  private let marker: UnsafeMutableRawPointer
  private let scratch: UnsafeMutableRawPointer
  private var markerLength = 0
  private static let capacity = StreamPlace.maximumMarkerLength

  /// Opens a regular file for reading; never waits (a FIFO that took the name in the meantime is refused), never becomes a controlling
  /// terminal.
  init(_ path: FilePath) throws(Errno) {
    let opened = path.withPlatformString { open($0, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) }
    guard opened >= 0 else { throw Errno(rawValue: errno) }
    var status = stat()
    guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(opened)
      throw Errno.invalidArgument
    }
    file = opened
    gzip = RotationName.isGzip(path.lastNameBytes) && Self.beginsAsGzip(opened) ? GzipWindow(file: opened) : nil
    marker = .allocate(byteCount: Self.capacity, alignment: 64)
    scratch = .allocate(byteCount: Self.capacity, alignment: 64)
  }

  deinit {
    close(file)
    marker.deallocate()
    scratch.deallocate()
  }

  /// The file's facts now; `linkCount` 0 means that no name is left.
  func status(path: FilePath) throws(Errno) -> (file: FoundFile, linkCount: Int) {
    var status = stat()
    guard fstat(file, &status) == 0 else { throw Errno(rawValue: errno) }
    return (FoundFile(path: path, status: status), Int(status.st_nlink))
  }

  /// Bytes from `position` on, whatever stands before it.
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: UInt64) throws(Errno) -> Int {
    if let gzip { return try gzip.read(into: buffer, at: position) }
    while true {
      let got = pread(file, buffer.baseAddress, buffer.count, off_t(position))
      if got >= 0 { return got }
      if errno != EINTR { throw Errno(rawValue: errno) }
    }
  }

  /// The hash of the file's first `length` bytes; nil when it has fewer.
  func headHash(length: Int) throws(Errno) -> ContentHash? {
    let buffer = UnsafeMutableRawBufferPointer(start: scratch, count: min(length, Self.capacity))
    guard try read(into: buffer, at: 0) == length else { return nil }
    return ContentHash(UnsafeRawBufferPointer(buffer))
  }

  /// The hash of the `length` bytes before `position`; nil when they aren't all there.
  func hash(before position: UInt64, length: Int) throws(Errno) -> ContentHash? {
    let buffer = UnsafeMutableRawBufferPointer(start: scratch, count: min(length, Self.capacity))
    guard try read(into: buffer, at: position - UInt64(length)) == length else { return nil }
    return ContentHash(UnsafeRawBufferPointer(buffer))
  }

  /// Takes the `length` bytes before `position` as the marker that later reads are held against, and returns their hash; nil when they
  /// aren't all there.
  func loadMarker(before position: UInt64, length: Int) throws(Errno) -> ContentHash? {
    let buffer = UnsafeMutableRawBufferPointer(start: marker, count: length)
    markerLength = 0
    guard try read(into: buffer, at: position - UInt64(length)) == length else { return nil }
    markerLength = length
    return ContentHash(UnsafeRawBufferPointer(buffer))
  }

  /// Bytes from `position`, which is where the marker ends: one system call reads and checks both, so no truncation fits between them.
  func readOn(into buffer: UnsafeMutableRawBufferPointer, at position: UInt64) throws(Errno) -> ReadResult {
    if gzip != nil || markerLength == 0 { return .bytes(try read(into: buffer, at: position)) }
    while true {
      var parts = (iovec(iov_base: scratch, iov_len: markerLength), iovec(iov_base: buffer.baseAddress, iov_len: buffer.count))
      let got = withUnsafePointer(to: &parts) { pointer in
        pointer.withMemoryRebound(to: iovec.self, capacity: 2) { preadv(file, $0, 2, off_t(position) - off_t(markerLength)) }
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw Errno(rawValue: errno)
      }
      guard got >= markerLength, memcmp(scratch, marker, markerLength) == 0 else { return .otherContent }
      return .bytes(got - markerLength)
    }
  }

  /// Moves the marker behind `bytes`, which were delivered; returns its hash and length.
  func advanceMarker(over bytes: UnsafeRawBufferPointer) -> (hash: ContentHash, length: Int) {
    if bytes.count >= Self.capacity {
      marker.copyMemory(from: bytes.baseAddress! + bytes.count - Self.capacity, byteCount: Self.capacity)
      markerLength = Self.capacity
    } else if let start = bytes.baseAddress {
      let kept = min(markerLength, Self.capacity - bytes.count)
      memmove(marker, marker + markerLength - kept, kept)
      (marker + kept).copyMemory(from: start, byteCount: bytes.count)
      markerLength = kept + bytes.count
    }
    return (ContentHash(UnsafeRawBufferPointer(start: marker, count: markerLength)), markerLength)
  }

  private static func beginsAsGzip(_ file: Int32) -> Bool {
    var magic: (UInt8, UInt8, UInt8) = (0, 0, 0)
    let got = withUnsafeMutableBytes(of: &magic) { pread(file, $0.baseAddress, 3, 0) }
    // Too short to tell: its name says gzip, so it is one that is being written.
    if got < 3 { return true }
    return magic == (0x1F, 0x8B, 8)
  }
}
