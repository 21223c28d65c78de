internal import PipelineCore
internal import RecordBlocks

/// How far a sink's dead letters are delivered again, kept in the same slot as the state of a sink that can be cut back: its output and the
/// place that it speaks of are committed together or not at all.
///
///     bytes     field
///     0   8     "SLUICEPB"
///     8   1     version, 1
///     9   16    the dead-letter queue's id
///     25  8     how often its consumer was set to another place
///     33  8     everything before this offset of it is in the output
///     41  1+n   1 and the sink's own state, or 0 without one
///
/// A state that begins so is one of these; the next commit after the dead-letter queue's own cursor has come as far writes the sink's state
/// plainly again.
struct PutBackMark: Hashable {
  private static let magic = Array("SLUICEPB".utf8)
  private static let version: UInt8 = 1
  private static let headByteCount = 42

  var deadLetters: QueueID
  var seekCount: UInt64
  var cursor: Offset

  /// The bytes to commit for a sink's state; without a mark that is the state itself, unless it could be taken for one.
  static func wrapped(_ state: [UInt8]?, with mark: PutBackMark?) -> [UInt8]? {
    guard mark != nil || state?.starts(with: magic) == true else { return state }
    // A mark of no queue at all says nothing.
    let mark = mark ?? PutBackMark(deadLetters: QueueID(high: 0, low: 0), seekCount: 0, cursor: .zero)
    var bytes = magic + [version]
    for value in [mark.deadLetters.high, mark.deadLetters.low, mark.seekCount, mark.cursor.rawValue] {
      bytes += LittleEndian.bytes(of: value)
    }
    return bytes + (state.map { [1] + $0 } ?? [0])
  }

  /// What was committed, taken apart.
  static func unwrapped(_ bytes: [UInt8]?) -> (state: [UInt8]?, mark: PutBackMark?) {
    guard let bytes, bytes.count >= headByteCount, bytes.starts(with: magic), bytes[magic.count] == version else { return (bytes, nil) }
    let values = (0..<4).map { LittleEndian.integer(bytes[(9 + 8 * $0)..<(17 + 8 * $0)]) }
    let mark = PutBackMark(deadLetters: QueueID(high: values[0], low: values[1]), seekCount: values[2], cursor: Offset(values[3]))
    return (bytes[headByteCount - 1] == 1 ? Array(bytes[headByteCount...]) : nil, mark)
  }
}

/// Numbers in saved bytes.
enum LittleEndian {
  static func bytes(of value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }
  static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
