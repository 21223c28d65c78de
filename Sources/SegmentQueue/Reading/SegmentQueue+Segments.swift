internal import RecordBlocks

extension SegmentQueue {
  /// The newest segments, at most `count`, in order, the active one last. From memory: when they were begun isn't told.
  public func newestSegments(_ count: Int) -> [QueueFiles.SegmentInfo] {
    store.all.suffix(count).map { segment in
      let name = segment.name
      return QueueFiles.SegmentInfo(
        base: segment.base, end: segment.end, name: name.text, byteCount: segment.byteCount, isSealed: name.state == .sealed, created: nil)
    }
  }
}
