internal import DurableFiles
internal import RecordBlocks

extension SegmentQueue {
  /// How often retention by age is looked at.
  private static let period: UInt64 = 10_000_000_000

  /// The thread that seals segments and applies retention, until the queue is closed and everything is sealed.
  func runMaintenance() {
    var due = clock.monotonic()
    while true {
      let isEnding: Bool = monitor.wait(for: maintenanceWanted) { state, patience in
        if state.writerHasEnded && state.syncerHasEnded { return true }
        let now = clock.monotonic()
        if state.maintenanceWanted || now >= due {
          state.maintenanceWanted = false
          return false
        }
        patience = due - now
        return nil
      }
      due = clock.monotonic() + Self.period
      let failure = sealAll()
      applyAge()
      if isEnding { release() }
      let waiters = monitor.withLock { state -> [CheckedContinuation<Void, Never>] in
        if isEnding { state.maintenanceHasEnded = true }
        state.sealFailure = failure
        // A new segment is still to be begun: who waits for what comes after it would only ask again.
        if state.rollRequested && !isEnding { return [] }
        defer { state.settledWaiters.removeAll() }
        return state.settledWaiters
      }
      for waiter in waiters { waiter.resume() }
      if isEnding { return }
    }
  }

  /// Seals every segment but the active one; tells why when one can't be sealed now.
  private func sealAll() -> QueueError? {
    for segment in store.all.dropLast() where !segment.isSealed {
      do throws(FileError) {
        try maintenance.withLock { _ throws(FileError) in try sealSegment(segment) }
      } catch {
        notify(
          QueueNotice(
            .warning, "a segment can't be sealed now; it is tried again", ("queue.segment", segment.name.text), ("error", error.description)
          ))
        return QueueError(
          .io, "the segment \(segment.name.text) of \(path) can't be sealed now (\(error.description)); it is tried again every 10 s")
      }
    }
    return nil
  }

  /// Seals one segment. Under the maintenance lock.
  func sealSegment(_ segment: Segment) throws(FileError) {
    // It may have been sealed, or deleted, while this waited for the lock.
    guard !segment.isSealed, store.all.contains(where: { $0 === segment }) else { return }
    if let replacement = try Sealer(store: store, quarantine: quarantine, notify: notify).seal(segment) {
      store.replace(segment, with: replacement)
      letReadersGo(of: segment)
    }
  }

  /// Reads headers of the kept segments, newest first.
  func earlierCheckpoints(of stream: UInt32, source: UInt32) throws(QueueError) -> [[UInt8]] {
    try asQueueError { () throws(FileError) in
      var values: [[UInt8]] = []
      for segment in store.all.reversed() {
        let (file, byteCount, _) = try segment.open(in: store.directory)
        var scanner = BlockScanner(file, queueID: id, range: 0..<byteCount, expecting: segment.base, headersOnly: true)
        var here: [[UInt8]] = []
        while let item = try scanner.next() {
          guard case .header(let header, _) = item else { continue }
          for case .checkpoint(source, stream, _, let value) in header.entries where here.last != value { here.append(value) }
        }
        for value in here.reversed() where values.last != value { values.append(value) }
      }
      return values
    }
  }
}
