internal import DurableFiles
internal import RecordBlocks

/// Puts the pieces of one delivery into a file, joining small compressed ones into one gzip member.
struct PieceWriter {
  /// Header and trailer of a member.
  static let memberFrameBytes = GzipMember.header.count + 10
  /// Blocks are joined up to this many bytes of lines: what a full block has, so a trickle's small blocks don't cost a member each, and
  /// full ones keep theirs.
  static let memberLineBytes = 256 << 10

  private let output: OutputFile
  private var parts: [DeflatedLines] = []
  private var partLineBytes = 0
  private var partDataBytes = 0

  /// Writes into `output`.
  init(_ output: OutputFile) { self.output = output }

  /// Bytes that the file will have with all that was appended.
  var length: Int64 { output.length + Int64(partDataBytes) + (parts.isEmpty ? 0 : Int64(Self.memberFrameBytes)) }

  /// Appends a piece; in the file after ``finish()``.
  mutating func append(_ piece: OutputPiece) throws(FileError) {
    switch piece {
    case .lines(let lines): try output.append(lines)
    case .deflated(let deflated):
      guard deflated.lineByteCount > 0 else { return }
      if partLineBytes + deflated.lineByteCount > Self.memberLineBytes { try closeMember() }
      parts.append(deflated)
      partLineBytes += deflated.lineByteCount
      partDataBytes += deflated.data.count
    }
  }

  /// Hands everything to the kernel: in the file on return.
  mutating func finish() throws(FileError) {
    try closeMember()
    try output.flush()
  }

  private mutating func closeMember() throws(FileError) {
    guard !parts.isEmpty else { return }
    for piece in GzipMember(joining: parts).pieces { try output.append(piece) }
    parts.removeAll(keepingCapacity: true)
    partLineBytes = 0
    partDataBytes = 0
  }
}
