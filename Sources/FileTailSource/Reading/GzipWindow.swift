internal import CBlockCodec
internal import Glibc
internal import SystemPackage

/// The decompressed bytes of a gzip file, read forward through a window: what lies behind the window is inflated anew.
///
/// Memory is bounded by what one read asks for, plus the marker before it, plus one step of the inflater.
final class GzipWindow {
  /// Where the compressed data ended.
  enum Ending: Hashable, Sendable {
    /// More may come: not at the end yet, or the last member is unfinished (it is still being written, or was torn).
    case open
    /// At the end of a member, and the file ends there, or goes on with bytes that don't begin as a member (zero padding, garbage): gzip
    /// ignores them, also behind an empty member.
    case complete
    /// The data is damaged here; nothing behind it can be read.
    case damaged
  }

  private static let inputCapacity = 128 << 10
  private static let step = 256 << 10

  private let file: Int32
  private var reader: OpaquePointer
  private let input: UnsafeMutableRawPointer
  private var inputStart = 0
  private var inputEnd = 0
  private var filePosition: Int64 = 0
  private var atMemberStart = true
  /// Where the member that is being read begins in the file.
  private var memberPosition: Int64 = 0
  private var window: UnsafeMutableRawPointer
  private var windowCapacity: Int
  private var windowCount = 0
  private var windowStart: UInt64 = 0

  /// See ``Ending``; meaningful after a read came back short.
  private(set) var ending = Ending.open

  /// The furthest decompressed position that was reached since the beginning: the content's length once ``ending`` is complete.
  var end: UInt64 { windowStart + UInt64(windowCount) }

  /// - Parameter file: an open descriptor, which the caller keeps open as long as this lives.
  init(file: Int32) {
    self.file = file
    reader = Self.makeReader()
    input = .allocate(byteCount: Self.inputCapacity, alignment: 64)
    windowCapacity = Self.step
    window = .allocate(byteCount: windowCapacity, alignment: 64)
  }

  deinit {
    gzip_reader_destroy(reader)
    input.deallocate()
    window.deallocate()
  }

  /// Fills `buffer` from the decompressed `position` on; fewer bytes at the present end. Blocks.
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: UInt64) throws(Errno) -> Int {
    if position < windowStart { startAgain() }
    while position + UInt64(buffer.count) > windowStart + UInt64(windowCount) {
      guard try inflateStep(keepingFrom: position) else { break }
    }
    let end = windowStart + UInt64(windowCount)
    guard position < end else { return 0 }
    let offset = Int(position - windowStart)
    let count = min(buffer.count, windowCount - offset)
    buffer.baseAddress?.copyMemory(from: window + offset, byteCount: count)
    return count
  }

  private static func makeReader() -> OpaquePointer {
    guard let reader = gzip_reader_create() else { fatalError("out of memory for a gzip reader") }
    return reader
  }

  private func startAgain() {
    gzip_reader_destroy(reader)
    reader = Self.makeReader()
    inputStart = 0
    inputEnd = 0
    filePosition = 0
    atMemberStart = true
    memberPosition = 0
    windowStart = 0
    windowCount = 0
    ending = .open
  }

  /// Inflates up to one step more; false at the present end.
  private func inflateStep(keepingFrom position: UInt64) throws(Errno) -> Bool {
    if ending == .damaged { return false }
    makeRoom(keepingFrom: position)
    while true {
      if inputStart == inputEnd {
        let got = pread(file, input, Self.inputCapacity, off_t(filePosition))
        if got < 0 {
          if errno == EINTR { continue }
          throw Errno(rawValue: errno)
        }
        if got == 0 {
          ending = atMemberStart && filePosition > 0 ? .complete : .open
          return false
        }
        filePosition += Int64(got)
        inputStart = 0
        inputEnd = got
      }
      var taken = inputEnd - inputStart
      var given = windowCapacity - windowCount
      let result = gzip_reader_read(reader, input + inputStart, &taken, window + windowCount, &given)
      inputStart += taken
      windowCount += given
      if result < 0 {
        let isMember = try beginsAsMember()
        ending = memberPosition > 0 && !isMember ? .complete : .damaged
        if ending == .complete {
          inputEnd = inputStart
          atMemberStart = true
        }
        return given > 0
      }
      if result == 1 {
        atMemberStart = true
        memberPosition = filePosition - Int64(inputEnd - inputStart)
      } else if taken > 0 || given > 0 {
        atMemberStart = false
      }
      ending = .open
      if given > 0 { return true }
    }
  }

  /// Whether gzip's first two bytes stand where the present member should begin.
  private func beginsAsMember() throws(Errno) -> Bool {
    var magic: (UInt8, UInt8) = (0, 0)
    while true {
      let got = withUnsafeMutableBytes(of: &magic) { pread(file, $0.baseAddress, 2, off_t(memberPosition)) }
      if got >= 0 { return got == 2 && magic == (0x1F, 0x8B) }
      if errno != EINTR { throw Errno(rawValue: errno) }
    }
  }

  private func makeRoom(keepingFrom position: UInt64) {
    let keepFrom = position > UInt64(StreamPlace.maximumMarkerLength) ? position - UInt64(StreamPlace.maximumMarkerLength) : 0
    let drop = keepFrom > windowStart ? Int(min(keepFrom - windowStart, UInt64(windowCount))) : 0
    if windowCapacity - windowCount < Self.step / 2, drop > 0 {
      window.copyMemory(from: window + drop, byteCount: windowCount - drop)
      windowCount -= drop
      windowStart += UInt64(drop)
    }
    if windowCapacity - windowCount < Self.step / 2 {
      let larger = UnsafeMutableRawPointer.allocate(byteCount: windowCapacity * 2, alignment: 64)
      larger.copyMemory(from: window, byteCount: windowCount)
      window.deallocate()
      window = larger
      windowCapacity *= 2
    }
  }
}
