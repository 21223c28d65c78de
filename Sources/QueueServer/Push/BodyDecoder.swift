internal import CBlockCodec
internal import NIOCore

/// A request body's bytes as they were before `Content-Encoding: gzip`: any number of members, inflated a piece at a time, and never more
/// than a bound in all.
final class BodyDecoder {
  /// What ends a body early.
  enum Failure: Error {
    /// It is longer than the bound.
    case tooLarge
    /// It is no gzip, or breaks off.
    case damaged
  }

  private let reader: OpaquePointer?
  private let limit: Int
  private var total = 0
  /// Between members, or before the first: the body may end here.
  private var isBetweenMembers = true
  private var input = ByteBuffer()
  private var piece: [UInt8]
  /// The last piece filled its room, so there may be more for the same input.
  private var mayHaveMore = false

  /// - Parameter limit: the most bytes that it may decode to.
  init(isGzip: Bool, limit: Int) {
    reader = isGzip ? gzip_reader_create() : nil
    piece = isGzip ? [UInt8](repeating: 0, count: 128 << 10) : []
    self.limit = limit
  }

  deinit { if let reader { gzip_reader_destroy(reader) } }

  /// Takes the next bytes of the body; what was fed before is used up.
  func feed(_ bytes: ByteBuffer) { input = bytes }

  /// Hands the next piece of what the fed bytes decode to; false when they are used up.
  func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    guard let reader else {
      guard input.readableBytes > 0 else { return false }
      try count(input.readableBytes)
      try input.withUnsafeReadableBytes(body)
      input.clear()
      return true
    }
    while input.readableBytes > 0 || mayHaveMore {
      var (taken, given) = (input.readableBytes, piece.count)
      let result = input.withUnsafeReadableBytes { bytes in
        piece.withUnsafeMutableBytes { gzip_reader_read(reader, bytes.baseAddress, &taken, $0.baseAddress, &given) }
      }
      guard result >= 0, taken > 0 || given > 0 || input.readableBytes == 0 else { throw Failure.damaged }
      input.moveReaderIndex(forwardBy: taken)
      if taken > 0 || given > 0 { isBetweenMembers = result == 1 }
      mayHaveMore = result == 0 && given == piece.count
      try count(given)
      if given > 0 {
        try piece.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<given])) }
        return true
      }
    }
    return false
  }

  /// - Throws: `damaged` when the last member is not complete.
  func finish() throws { if !isBetweenMembers { throw Failure.damaged } }

  private func count(_ bytes: Int) throws {
    total += bytes
    if total > limit { throw Failure.tooLarge }
  }
}
