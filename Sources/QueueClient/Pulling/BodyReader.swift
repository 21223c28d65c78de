internal import CBlockCodec
internal import Glibc

/// Reads a batch's body piece by piece and checks that it is what the headers announced: a body that breaks off, or holds something else,
/// is an error and never a short batch. A class: as a noncopyable value in an async function the optimizer of Swift 6.3 frees it twice.
final class BodyReader {
  /// What is wrong with a body.
  struct Damage: Error {
    let reason: String
  }

  private let gzip: OpaquePointer?
  private let form: PullRequest.Form
  private let records: Int
  private let byteCount: Int
  /// Lines, or the compressed bytes as they came.
  private var kept: [UInt8] = []
  private var scratch: [UInt8]
  private var seenBytes = 0
  private var seenLineFeeds = 0
  private var lastByte: UInt8 = 0x0A
  private var hasEnded = false

  /// - Parameters:
  ///   - isCompressed: the body is gzip; it must be one member.
  ///   - records: how many records were announced, and in `byteCount` bytes of lines.
  init(form: PullRequest.Form, isCompressed: Bool, records: Int, byteCount: Int) {
    self.form = form
    self.records = records
    self.byteCount = byteCount
    gzip = isCompressed ? gzip_reader_create() : nil
    precondition(!isCompressed || gzip != nil, "out of memory")
    scratch = isCompressed ? [UInt8](repeating: 0, count: 256 << 10) : []
    if form == .lines { kept.reserveCapacity(byteCount) }
  }

  deinit { if let gzip { gzip_reader_destroy(gzip) } }

  /// Takes the next piece.
  func take(_ bytes: UnsafeRawBufferPointer) throws(Damage) {
    guard let gzip else {
      try note(bytes)
      kept.append(contentsOf: bytes)
      return
    }
    if form == .gzip {
      kept.append(contentsOf: bytes)
      // Deflate never makes a body so much longer than what it holds.
      guard kept.count <= byteCount + byteCount / 8 + (64 << 10) else { throw Damage(reason: "it is longer than what it holds") }
    }
    var position = 0
    while position < bytes.count {
      guard !hasEnded else { throw Damage(reason: "something follows its gzip member") }
      var inputLength = bytes.count - position
      var outputLength = scratch.count
      let result = scratch.withUnsafeMutableBytes {
        gzip_reader_read(gzip, bytes.baseAddress! + position, &inputLength, $0.baseAddress, &outputLength)
      }
      guard result >= 0 else { throw Damage(reason: "its gzip data or their checksum is wrong") }
      position += inputLength
      try takeInflated(outputLength)
      if result == 1 { hasEnded = true } else if inputLength == 0, outputLength == 0 { throw Damage(reason: "its gzip data is wrong") }
    }
    // What still fits into no output yet.
    while !hasEnded {
      var inputLength = 0
      var outputLength = scratch.count
      let result = scratch.withUnsafeMutableBytes { gzip_reader_read(gzip, nil, &inputLength, $0.baseAddress, &outputLength) }
      guard result >= 0 else { throw Damage(reason: "its gzip data or their checksum is wrong") }
      try takeInflated(outputLength)
      if result == 1 { hasEnded = true } else if outputLength == 0 { break }
    }
  }

  /// Ends the body, which must be whole.
  /// - Returns: the records in the form asked for.
  func finish() throws(Damage) -> [UInt8] {
    if gzip != nil, !hasEnded, seenBytes > 0 || byteCount > 0 { throw Damage(reason: "its gzip data breaks off") }
    guard seenBytes == byteCount else { throw Damage(reason: "it has \(seenBytes) bytes of lines instead of \(byteCount)") }
    // The last line may be one that had no line feed in its source.
    let lines = seenLineFeeds + (seenBytes > 0 && lastByte != 0x0A ? 1 : 0)
    guard lines == records else { throw Damage(reason: "it has \(lines) records instead of \(records)") }
    if byteCount == 0 { return [] }
    return gzip == nil && form == .gzip ? GzipWriter.member(of: kept) : kept
  }

  private func takeInflated(_ count: Int) throws(Damage) {
    guard count > 0 else { return }
    let failure = scratch.withUnsafeBytes { bytes -> Damage? in
      do throws(Damage) { try note(UnsafeRawBufferPointer(rebasing: bytes[..<count])) } catch { return error }
      return nil
    }
    if let failure { throw failure }
    if form == .lines { kept.append(contentsOf: scratch[..<count]) }
  }

  private func note(_ bytes: UnsafeRawBufferPointer) throws(Damage) {
    guard let last = bytes.last else { return }
    seenBytes += bytes.count
    guard seenBytes <= byteCount else { throw Damage(reason: "it has more than the announced \(byteCount) bytes of lines") }
    var lineFeeds = 0
    for byte in bytes where byte == 0x0A { lineFeeds &+= 1 }
    seenLineFeeds += lineFeeds
    lastByte = last
  }
}

/// Lines as one gzip member (RFC 1952).
enum GzipWriter {
  /// Deflates at the codec's fast level.
  static func member(of bytes: [UInt8]) -> [UInt8] {
    guard let codec = block_codec_create(0) else { preconditionFailure("out of memory") }
    defer { block_codec_destroy(codec) }
    let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]
    let room = block_codec_deflate_bound(bytes.count)
    var member = [UInt8](repeating: 0, count: header.count + room)
    member.replaceSubrange(..<header.count, with: header)
    let count = member.withUnsafeMutableBytes { output in
      bytes.withUnsafeBytes { block_codec_deflate(codec, $0.baseAddress, $0.count, output.baseAddress! + header.count, room) }
    }
    precondition(count >= 0, "the bound was too small")
    member.removeLast(room - Int(count))
    // The final empty block closes what the codec left open.
    member += [0x03, 0x00]
    let checksum = bytes.withUnsafeBytes { block_codec_crc32(0, $0.baseAddress, $0.count) }
    for value in [checksum, UInt32(truncatingIfNeeded: bytes.count)] {
      for shift in [0, 8, 16, 24] as [UInt32] { member.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
    return member
  }
}
