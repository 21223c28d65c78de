// A compressed log from anyone, read in pieces through the tail's window.
import CBlockCodec
import Glibc

@testable import FileTailSource

/// More than this isn't read of a file that inflates to much more than it is.
private let limit = 1 << 20
/// The same nameless file for all inputs.
private let file = fileno(tmpfile())

/// The first two bytes set the length of the pieces, the third where it reads again.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let start, count >= 3 else { return 0 }
  let bytes = Array(UnsafeBufferPointer(start: start + 3, count: count - 3))
  let piece = (Int(start[0]) | Int(start[1]) << 8) + 1
  precondition(ftruncate(file, 0) == 0 && pwrite(file, bytes, bytes.count, 0) == bytes.count, "can't write the file")
  let (expected, ending) = inflatedAtOnce(bytes)
  let window = GzipWindow(file: file)
  var content: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: piece)
  var isShort = false
  do {
    while content.count < limit, !isShort {
      let got = try buffer.withUnsafeMutableBytes { try window.read(into: $0, at: UInt64(content.count)) }
      precondition(got <= piece)
      content += buffer[..<got]
      isShort = got < piece
    }
    precondition(content.prefix(limit) == expected.prefix(content.count)[...].prefix(limit), "read in pieces it is another file")
    if isShort {
      precondition(content.count == expected.count, "read in pieces it ends elsewhere")
      precondition(window.end == UInt64(content.count))
      switch ending {
      case .complete: precondition(window.ending == .complete, "a whole file isn't known as one")
      case .damaged: precondition(window.ending != .open, "damage isn't told")
      case .open: precondition(window.ending == .open, "an unfinished file is taken for finished")
      }
    }
    // Back to a place that was read, then to the end again.
    let place = content.count * Int(start[2]) / 256
    let got = try buffer.withUnsafeMutableBytes { try window.read(into: $0, at: UInt64(place)) }
    precondition(buffer[..<got].elementsEqual(content[place...].prefix(got)) || content.count >= limit, "read again it is another file")
  } catch {
    preconditionFailure("can't read the file: \(error)")
  }
  return 0
}

/// All of it in one call for each member, as far as `limit` and a piece.
private func inflatedAtOnce(_ bytes: [UInt8]) -> ([UInt8], GzipWindow.Ending) {
  guard let reader = gzip_reader_create() else { preconditionFailure("out of memory") }
  defer { gzip_reader_destroy(reader) }
  var output = [UInt8](repeating: 0, count: limit + 65_536 + 1)
  var read = 0
  var written = 0
  var ending = GzipWindow.Ending.open
  while read < bytes.count {
    var taken = bytes.count - read
    var given = output.count - written
    let result = bytes.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        gzip_reader_read(reader, input.baseAddress! + read, &taken, output.baseAddress! + written, &given)
      }
    }
    read += taken
    written += given
    ending = result < 0 ? .damaged : result == 1 ? .complete : .open
    if result < 0 || written == output.count { break }
  }
  return (Array(output[..<written]), ending)
}
