internal import DurableFiles
internal import RecordBlocks

/// What is written becomes durable, and only then visible.
extension SegmentQueue {
  /// Syncs what is written as soon as it is due, until the writing thread has ended.
  func runSyncer() {
    let interval: UInt64
    if case .interval(let duration) = options.sync { interval = duration.nanosecondsClamped } else { interval = 0 }
    while true {
      let point: WriteState.SyncPoint? = monitor.wait(for: syncWanted) { state, patience -> WriteState.SyncPoint?? in
        if state.writerHasEnded && (state.unsynced.isEmpty || state.syncFailure != nil) { return .some(nil) }
        guard !state.unsynced.isEmpty, !state.isSyncing, state.syncFailure == nil, let point = state.syncPoint else { return nil }
        let due = state.lastSync + interval
        let now = clock.monotonic()
        let isDue =
          state.syncIsUrgent || state.urgentBlock != nil || state.isClosing || state.writerHasEnded
          || state.unsyncedBytes > Self.unsyncedLimit / 2 || now >= due
        guard isDue else {
          patience = due - now
          return nil
        }
        state.isSyncing = true
        return .some(point)
      }
      guard let point else { break }
      sync(point)
      // A failed sync, room for more unsynced blocks, a roll that waits: the writing thread looks.
      laneChanged.signal()
    }
    monitor.withLock { $0.syncerHasEnded = true }
    maintenanceWanted.signal()
  }

  /// Syncs what was written up to `point` and makes it visible. Who calls has set `isSyncing`: one at a time does it, the syncing thread, or
  /// the writing thread while nothing else is on its way.
  func sync(_ point: WriteState.SyncPoint) {
    var failure: FileError?
    do throws(FileError) { try point.file.sync() } catch { failure = error }
    let (resumptions, end) = monitor.withLock { state in
      state.isSyncing = false
      state.lastSync = clock.monotonic()
      guard failure == nil else {
        state.syncFailure = failure
        return (Resumptions(), Offset?.none)
      }
      let resumptions = state.publish(upTo: point, recentLimit: Self.recentLimit)
      if state.unsynced.isEmpty { state.syncIsUrgent = false }
      if state.urgentBlock?.outcome != nil { state.urgentBlock = nil }
      return (resumptions, state.durableEnd)
    }
    if let end { try? tellDurableEnd(end) }
    resumptions.resume()
    syncDone.signal()
  }
}
