internal import DurableFiles
internal import RecordBlocks

extension SegmentQueue {
  /// Opens a consumer, or makes one at `start`. An existing one goes on where it is, with the `hold` given now. Blocking; a new one is on
  /// the disk on return.
  ///
  /// - Parameter maxDeliveries: of a consumer of leases: a range that was given so often is set aside; 0 for never. Nil leaves it as it is, and
  ///   is 0 for a new one.
  public func consumer(
    _ name: String, kind: ConsumerKind, startAt start: StartAt = .oldest, hold: Hold = .all, maxDeliveries: Int? = nil
  ) throws(QueueError) -> QueueConsumer {
    guard QueueConsumer.isValid(name: name) else {
      throw QueueError(
        .invalidName,
        "'\(name)' is no name for a consumer: 1 to 64 of a-z, 0-9, '.', '_', '-', beginning with a letter or digit, not ending in .files or .tmp"
      )
    }
    if let existing = consumers.withLock({ $0[name] }) {
      if existing.failure?.code == .io { try existing.readAgain(in: consumersDirectory) }
      if let failure = existing.failure { throw failure }
      guard existing.kind == kind else {
        throw QueueError(.invalidName, "the consumer '\(name)' of \(path) is a \(existing.kind); choose another name for a \(kind)")
      }
      try existing.open(hold: hold)
      if let maxDeliveries { try existing.changeMaxDeliveries(to: maxDeliveries) }
      return existing
    }
    let place: RecordBlocks.Offset
    switch start {
    case .oldest: place = startOffset
    case .newest: place = durableEnd
    case .at(let raw):
      place = Offset(raw)
      guard place >= startOffset, place <= durableEnd else {
        throw QueueError(.invalidOffset, "offset \(raw) is not in the queue: it has \(startOffset) to \(durableEnd)")
      }
    }
    var record = CursorRecord(kind: kind, queueID: id, cursor: place)
    record.hold = hold
    record.tally = try makeReader().tally(at: place)
    record.lastCallAge = openAge
    if kind == .lease {
      // Two consumers of one name, one after the other, would have to be made in the same microsecond to share it.
      let nonce = UInt32(truncatingIfNeeded: UInt64(bitPattern: clock.wall()) >> 10)
      record.ledger = LeaseLedger(nonce: nonce, maxDeliveries: UInt16(clamping: maxDeliveries ?? 0))
    }
    let file = try asQueueError { () throws(FileError) in try CursorFile(creating: name, in: consumersDirectory, record) }
    let consumer = QueueConsumer(name, self, .success(file))
    try consumer.open(hold: hold)
    consumers.withLock { $0[name] = consumer }
    return consumer
  }

  /// A consumer that is there, as it is: nothing is made, and it counts as no call. Blocking only when its file couldn't be read before.
  /// - Throws: ``QueueError``: `unknownConsumer`; what its file suffers from when that can't be read.
  public func knownConsumer(_ name: String) throws(QueueError) -> QueueConsumer {
    guard let consumer = consumers.withLock({ $0[name] }) else { throw unknownConsumer(name) }
    if consumer.failure?.code == .io { try consumer.readAgain(in: consumersDirectory) }
    if let failure = consumer.failure { throw failure }
    return consumer
  }

  private func unknownConsumer(_ name: String) -> QueueError {
    guard QueueConsumer.isValid(name: name) else { return QueueError(.unknownConsumer, "the queue \(path) has no consumer of that name") }
    return QueueError(.unknownConsumer, "the queue \(path) has no consumer '\(name)'")
  }

  /// Removes a consumer and its place; what it held may go. Blocking; durable on return.
  public func deleteConsumer(_ name: String) throws(QueueError) {
    guard let consumer = consumers.withLock({ $0[name] }) else { throw unknownConsumer(name) }
    try asQueueError { () throws(FileError) in try consumer.removeFile() }
    consumers.withLock { $0[name] = nil }
    consumerMoved()
  }

  /// The consumers' names, opened here or not.
  public var consumerNames: [String] { consumers.withLock { $0.keys.sorted() } }

  func makeReader() -> LogReader {
    LogReader(
      LogReader.Source(
        // Unowned, as the queue is to its consumers: they keep their readers, and the queue keeps them.
        store: store, durableEnd: { [unowned self] in durableEnd },
        recent: { [unowned self] offset in monitor.withLock { $0.recentBlock(offset) } },
        damaged: { [unowned self] segment, bytes, file, reason in
          guard let kept = quarantine.setAside(file, bytes, segment: segment) else { return }
          notify(
            QueueNotice(
              .error, "a block is damaged; its records are a gap, its neighbours are served", ("queue.segment", segment.text),
              ("position", "\(bytes.lowerBound)"),
              ("bytes", "\(bytes.count)"), ("reason", "\(reason)"), ("set_aside_as", kept)))
        }))
  }

  /// A cursor has moved: a full queue looks for room at once.
  func consumerMoved() {
    let wakes = monitor.withLock { state in
      guard state.isFull else { return false }
      state.lookForRoomAt = 0
      return true
    }
    if wakes { laneChanged.signal() }
  }
}
