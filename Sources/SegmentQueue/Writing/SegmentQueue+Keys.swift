internal import RecordBlocks

extension SegmentQueue {
  private enum Claim {
    case known(Range<Offset>)
    case claimed
    /// The first request is on its way; wait for it under this number.
    case inFlight(waiter: UInt64)
  }

  /// Where the records of `key` are; nil when nobody has written them, and from then on the caller is the one who does, until
  /// ``letGo(of:)``. Waits while another is.
  func claim(_ key: IdempotencyKey) async throws -> Range<Offset>? {
    while true {
      switch try look(for: key) {
      case .known(let range): return range
      case .claimed: return nil
      case .inFlight(let waiter): await waitForFlight(of: key, waiter)
      }
    }
  }

  /// Not inlined, and without a typed throw: the compiler's optimizer crashes on that within an `async` function.
  @inline(never) private func look(for key: IdempotencyKey) throws -> Claim {
    try Task.checkCancellation()
    let age = openAge
    return try monitor.withLock { state throws(QueueError) in
      if state.isClosing { throw QueueError(.closed, "the queue \(path) is closed") }
      if let body = state.table.keys.body(key.text, at: age) {
        guard body.hash == key.bodyHash else {
          throw QueueError(
            .keyConflict,
            "other records were written under the key '\(key.text)', at offset \(body.first) of \(path); send these under another key")
        }
        return .known(body.first..<body.first + Int(body.recordCount))
      }
      guard state.keysInFlight[key.text] != nil else {
        state.keysInFlight[key.text] = [:]
        return .claimed
      }
      state.nextWaiter += 1
      return .inFlight(waiter: state.nextWaiter)
    }
  }

  @inline(never) private func waitForFlight(of key: IdempotencyKey, _ waiter: UInt64) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = monitor.withLock { state in
          // The flight may have ended, or the task may have been cancelled, between the look and here.
          if Task.isCancelled || state.keysInFlight[key.text] == nil { return true }
          state.keysInFlight[key.text]?[waiter] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      monitor.withLock { $0.keysInFlight[key.text]?.removeValue(forKey: waiter) }?.resume()
    }
  }

  /// The one who writes the records of `key` has done so, or failed: who waits for it looks again.
  func letGo(of key: IdempotencyKey) {
    let waiters = monitor.withLock { $0.keysInFlight.removeValue(forKey: key.text) } ?? [:]
    for waiter in waiters.values { waiter.resume() }
  }

  /// Puts an admitted batch into the lane as a block of its own, behind its source's open one.
  func enqueue(_ batch: consuming RecordBatch, _ key: IdempotencyKey, from writer: SourceWriter) -> AppendTicket {
    let now = clock.monotonic()
    let wall = clock.wall()
    let (byteCount, count) = (batch.byteCount, batch.recordCount)
    var closed: [PendingBlock] = []
    var taken: RecordBatch? = consume batch
    let ticket = monitor.withLock { state in
      guard let batch = taken.take() else { preconditionFailure("the batch is taken once") }
      if state.isFull && writer.whenFull == .dropNewest && options.overflow == .wait && state.inFlightBytes + byteCount > Self.inFlightLimit
      {
        Self.addGap(
          Gap(reason: .dropNewest, records: UInt64(count), bytes: UInt64(byteCount), firstTime: wall, lastTime: wall), source: writer.id,
          to: &state, now: now)
        return AppendTicket(promise: BlockPromise(.dropped), queue: self, place: 0, count: 0)
      }
      state.inFlightBytes += byteCount
      if let block = state.close(writer.id, now: now) { closed.append(block) }
      let block = OpenBlock(batch, firstTime: wall, deadline: now)
      block.key = KeyedBody(key: key.text, hash: key.bodyHash)
      state.open[writer.id] = block
      let pending = state.close(writer.id, now: now)!
      closed.append(pending)
      return AppendTicket(promise: pending.promise, queue: self, place: 0, count: count)
    }
    for block in closed { compress(block) }
    laneChanged.signal()
    return ticket
  }
}
