internal import PipelineCore
internal import RecordBlocks

/// How far a subject's records go in the stream, as its sink knows it.
struct SubjectEnd: Equatable {
  /// The stream's sequence of the subject's last message; 0 when the stream has none of it any more.
  var sequence: UInt64
  /// The offset that publishing goes on with.
  var next: Offset
  /// The first offset ever published on the subject.
  var start: Offset
  /// The process that publishes from here on; 0 for none yet. Only its messages may be further than this.
  var writer: UInt64

  private static let version: UInt8 = 1

  /// An end.
  init(sequence: UInt64, next: Offset, start: Offset, writer: UInt64 = 0) {
    self.sequence = sequence
    self.next = next
    self.start = start
    self.writer = writer
  }

  /// What ``state(of:)`` gave; nil for what isn't of this kind, or is of another subject: a new one begins where it is first used.
  init?(_ state: SinkState, of subject: String) {
    var decoded: (UInt64, UInt64, UInt64, UInt64)?
    state.bytes.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      guard reader.integer(UInt8.self) == Self.version, let sequence = reader.integer(UInt64.self), let next = reader.integer(UInt64.self),
        let start = reader.integer(UInt64.self), let writer = reader.integer(UInt64.self),
        reader.rest().elementsEqual(subject.utf8)
      else { return }
      decoded = (sequence, next, start, writer)
    }
    guard let decoded else { return nil }
    self.init(sequence: decoded.0, next: Offset(decoded.1), start: Offset(decoded.2), writer: decoded.3)
  }

  /// For the sink's next start: version (1 byte), sequence, next, start, writer (8 bytes each, little-endian), the subject with its stream.
  func state(of subject: String) -> SinkState {
    var bytes = [Self.version]
    bytes.appendInteger(sequence)
    bytes.appendInteger(next.rawValue)
    bytes.appendInteger(start.rawValue)
    bytes.appendInteger(writer)
    bytes.append(contentsOf: subject.utf8)
    return SinkState(bytes)
  }
}
