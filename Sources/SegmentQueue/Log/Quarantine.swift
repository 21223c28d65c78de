internal import DurableFiles
internal import RecordBlocks

/// Damaged bytes set aside before they are cut or passed over, for someone to look at. Never a precondition of anything: what doesn't fit
/// or can't be written is let go.
struct Quarantine {
  /// The most bytes kept; the oldest names go first.
  static let limit: Int64 = 64 << 20
  private static let pieceLimit: Int64 = 16 << 20

  let directory: (any Directory)?

  /// Copies `range` of `file`; returns the name it bears, or nil when it wasn't kept.
  func setAside(_ file: any File, _ range: Range<Int64>, segment: SegmentName) -> String? {
    guard let directory, !range.isEmpty else { return nil }
    let name = "\(SegmentName.digits(segment.base))-\(range.lowerBound).bytes"
    do throws(FileError) {
      if try directory.status(name) != nil { return name }
      var kept: Int64 = 0
      for other in try directory.names() { kept += try directory.status(other)?.size ?? 0 }
      let count = min(Int64(range.count), Self.pieceLimit)
      for other in try directory.names() where kept + count > Self.limit {
        kept -= try directory.status(other)?.size ?? 0
        try directory.unlink(other)
      }
      let copy = try directory.open(name, .createNew)
      var done: Int64 = 0
      while done < count {
        let piece = try file.read(Int(min(1 << 20, count - done)), at: range.lowerBound + done)
        if piece.isEmpty { break }
        try copy.write(piece, at: done)
        done += Int64(piece.count)
      }
      return name
    } catch {
      return nil
    }
  }
}
