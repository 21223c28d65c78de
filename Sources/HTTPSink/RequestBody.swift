internal import NIOCore
internal import PipelineCore
internal import RecordBlocks

/// The body of one delivery: gathered into one buffer whose length is known before the first byte is sent.
///
/// One buffer, not a stream of pieces: it is never longer than the batch that is in memory anyway, and only so does the client tell
/// exactly when
/// all of it has gone to the kernel.
struct RequestBody {
  /// The bytes to send.
  let bytes: ByteBuffer
  /// What the body is, before any compression.
  let contentType: String
  /// `gzip`, or nil.
  let contentEncoding: String?
  /// How many records had bytes that are not UTF-8 replaced, which only JSON asks for.
  let replacedCount: Int

  /// The records of `slices`.
  /// - Parameter buffer: its memory is used again, unless somebody else still has it.
  init(
    _ slices: [BlockSlice], format: HTTPSink.Configuration.Format, compression: HTTPSink.Configuration.Compression,
    in buffer: consuming ByteBuffer = ByteBuffer()
  ) throws(BlockDamage) {
    contentEncoding = compression == .gzip ? "gzip" : nil
    switch format {
    case .lines:
      contentType = Self.linesType
      replacedCount = 0
      bytes = compression == .gzip ? try Self.member(slices, in: buffer) : try Self.lines(slices, in: buffer)
    case .jsonArray:
      contentType = Self.arrayType
      var writer = JSONArrayWriter(lineBytes: slices.reduce(0) { $0 + $1.block.header.lineByteCount })
      for slice in slices { writer.append(try slice.lines()) }
      writer.finish()
      replacedCount = writer.replacedCount
      bytes =
        compression == .gzip
        ? Self.joined([writer.bytes.withUnsafeBytes { BlockCodec.shared.deflate($0) }], in: buffer) : ByteBuffer(bytes: writer.bytes)
    }
  }

  /// Records are bytes, so this is what they claim to be, not a promise: most are UTF-8, and without a charset many receivers read ASCII.
  static let linesType = "text/plain; charset=utf-8"
  /// RFC 8259.
  static let arrayType = "application/json"

  /// One member put together from what is stored; only a block that is cut at an edge of the batch is compressed again.
  private static func member(_ slices: [BlockSlice], in buffer: consuming ByteBuffer) throws(BlockDamage) -> ByteBuffer {
    var parts: [DeflatedLines] = []
    parts.reserveCapacity(slices.count)
    for slice in slices { parts.append(try slice.deflated()) }
    return joined(parts, in: buffer)
  }

  private static func lines(_ slices: [BlockSlice], in buffer: consuming ByteBuffer) throws(BlockDamage) -> ByteBuffer {
    buffer.clear()
    for slice in slices { try slice.lines().withUnsafeBytes { _ = buffer.writeBytes($0) } }
    return buffer
  }

  private static func joined(_ parts: [DeflatedLines], in buffer: consuming ByteBuffer) -> ByteBuffer {
    let member = GzipMember(joining: parts)
    buffer.clear(minimumCapacity: member.byteCount)
    for piece in member.pieces { piece.withUnsafeBytes { _ = buffer.writeBytes($0) } }
    return buffer
  }
}
