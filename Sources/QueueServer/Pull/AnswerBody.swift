internal import Hummingbird
internal import NIOCore
internal import RecordBlocks

/// A pull's body on its way out: memory that blocks were read into goes through small buffers that are used again and again.
enum AnswerBody {
  /// Up to this it goes to the kernel at once: needs no account, and goes out with its head in one piece.
  private static let immediateBytes = 32 << 10
  /// Up to this it is copied: who holds a block holds the memory that its neighbours were read into, up to ``neighbourBytes`` at either end.
  private static let copiedBytes = 1 << 20
  private static let neighbourBytes = 1 << 20
  private static let writtenBytes = (least: 16 << 10, most: 128 << 10)

  /// What a body of these pieces holds until it is written.
  static func memoryByteCount(of pieces: [SharedBytes]) -> Int {
    let count = byteCount(of: pieces)
    return count <= copiedBytes ? count : count + 2 * neighbourBytes
  }

  /// A body that keeps its share until it is written, or given up.
  /// - Parameter sent: called when the last byte is with the kernel.
  static func of(_ pieces: [SharedBytes], _ share: ResponseBudget.Share, sent: (@Sendable () -> Void)? = nil) -> ResponseBody {
    let count = byteCount(of: pieces)
    var source = Source(pieces)
    if count <= copiedBytes {
      if count <= immediateBytes {
        var buffer = ByteBuffer()
        source.next(count, in: &buffer)
        guard let sent else { return ResponseBody(byteBuffer: buffer) }
        return ResponseBody(contentLength: count) { [buffer] writer in
          if count > 0 { try await writer.write(buffer) }
          try await writer.finish(nil)
          sent()
        }
      }
      source = Source([source.copy(count)])
    }
    return ResponseBody(contentLength: count) { [source] writer in
      var source = source
      var rest = count
      // By turns, since the last ones may still be on their way to the kernel.
      var buffers = [ByteBuffer](repeating: ByteBuffer(), count: 4)
      var turn = 0
      while rest > 0 {
        // In pieces, since a write waits for the pieces before it only, and smaller ones towards the end: so all but a last small piece is
        // with the kernel when the answer's memory goes, and its share.
        let length = min(rest, writtenBytes.most, max(writtenBytes.least, rest / 4))
        source.next(length, in: &buffers[turn])
        try await writer.write(buffers[turn])
        turn = (turn + 1) % buffers.count
        rest -= length
      }
      withExtendedLifetime(share) {}
      try await writer.finish(nil)
      sent?()
    }
  }

  private static func byteCount(of pieces: [SharedBytes]) -> Int { pieces.reduce(0) { $0 + $1.count } }

  /// Gives the bytes of pieces in order.
  private struct Source: Sendable {
    private let pieces: [SharedBytes]
    private var index = 0
    private var position = 0

    init(_ pieces: [SharedBytes]) { self.pieces = pieces }

    /// Fills `buffer` with the next `count` bytes, which are there; in its memory, unless somebody else still has that.
    mutating func next(_ count: Int, in buffer: inout ByteBuffer) {
      buffer.clear(minimumCapacity: count)
      forEachPart(of: count) { _ = buffer.writeBytes($0) }
    }

    /// A copy of the next `count` bytes, which are there.
    mutating func copy(_ count: Int) -> SharedBytes {
      let storage = SharedBytes.Storage(capacity: count)
      var filled = 0
      forEachPart(of: count) { part in
        UnsafeMutableRawBufferPointer(start: storage.base + filled, count: part.count).copyMemory(from: part)
        filled += part.count
      }
      return SharedBytes(storage, count: count)
    }

    private mutating func forEachPart(of count: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
      var missing = count
      while missing > 0 {
        let piece = pieces[index]
        let length = min(missing, piece.count - position)
        piece.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[position..<position + length])) }
        position += length
        missing -= length
        if position == piece.count { (index, position) = (index + 1, 0) }
      }
    }
  }
}
