internal import Logging
internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// Records that can never be delivered.
extension DeliveryLoop {
  /// Bytes of lines read at a time on the way to the dead-letter queue.
  fileprivate static let pieceBytes = 1 << 20

  /// Does with the verdict's records what `on_reject` says, then commits their end.
  ///
  /// The order that holds: everything before them was committed; they are on the disk as dead letters; then the cursor passes them. After
  /// a crash in between, the dead-letter queue's checkpoint tells which of them it has. What is dropped is counted among the consumer's
  /// losses in the same commit: the log itself, which others read, has it still.
  func setAside(_ verdict: DeliveryVerdict) async {
    let dropped: UInt64
    let kept: UInt64
    let isAgain = machine.log == .deadLetters
    // There is nothing to keep of what can't be read.
    let isDropped = plan.onReject == .drop || verdict.reason == .unreadable
    switch plan.onReject {
    case _ where isDropped:
      dropped = UInt64(verdict.range.upperBound - verdict.range.lowerBound)
      kept = 0
    case .deadLetter, .wait, .drop:
      dropped = 0
      if isAgain, endsPutBack(verdict) { return }
      progress.change { $0.activity = .settingAside }
      do { kept = try await keepAsDeadLetters(verdict) } catch is PutBackArrived {
        return
      } catch {
        machine.setAsideFailed(at: context.clock.now, jitter: context.jitter())
        if Task.isCancelled { return }
        note("\(error)")
        return say(.error, "rejected records can't be put into the dead-letter queue; the sink waits", "\(error)")
      }
    }
    if isAgain { letters.count = UInt64(verdict.range.upperBound - verdict.range.lowerBound) }
    // The sink's state speaks of what was delivered, and nothing was.
    guard commit(verdict.range.upperBound, inFlightEnd: nil, state: nil, dropping: isDropped) else { return }
    machine.didSetAside(verdict)
    progress.change {
      $0.dropped += dropped
      $0.deadLetters += kept
    }
    let metadata: Logger.Metadata = [
      "range": "\(verdict.range)", "status": "\(escapedForLog(verdict.status, limit: 200))", "records": "\(dropped + kept)",
    ]
    if verdict.reason == .unreadable, isAgain {
      say(
        .error, "dead letters that were put back don't give their records; they are passed over and counted as lost",
        "run 'sluice queue verify' on the dead-letter queue", metadata)
    } else if verdict.reason == .unreadable {
      say(
        .error, "a block with sound checksums doesn't give its records; they are lost to this consumer, its neighbours are served",
        "run 'sluice queue verify' on the queue", metadata)
    } else if dropped > 0 {
      say(.warning, "records that the destination rejects were dropped", verdict.reason.rawValue, metadata)
    } else {
      say(.warning, "records that the destination rejects went to the dead-letter queue", verdict.reason.rawValue, metadata)
    }
  }

  /// Dead letters were put back while records waited for room among them, and must be delivered first: that makes room.
  private struct PutBackArrived: Error {}

  /// Returns how many records are dead letters that weren't before, when they are on the disk.
  private func keepAsDeadLetters(_ verdict: DeliveryVerdict) async throws -> UInt64 {
    let box = try context.deadLetters.box(of: plan.name)
    let isAgain = machine.log == .deadLetters
    let parcel = Parcel(
      verdict: verdict, box: box, isAgain: isAgain, log: isAgain ? box.queue.id : context.queue.id,
      reader: isAgain ? box.consumer : consumer)
    guard !isAgain else { return try await parcel.send() }
    let (requests, seen) = (context.deadLetters.requests, seenRequests)
    return try await withThrowingTaskGroup(of: UInt64.self) { group in
      defer { group.cancelAll() }
      group.addTask { try await parcel.send() }
      group.addTask {
        var seen = seen
        while true {
          await requests.wait { [seen] in $0 != seen }
          try Task.checkCancellation()
          seen = requests.value
          if box.putBack != nil { throw PutBackArrived() }
        }
      }
      return try await group.next()!
    }
  }

  /// A verdict's records on their way to the dead-letter queue.
  private struct Parcel: Sendable {
    var verdict: DeliveryVerdict
    var box: DeadLetterBox
    /// They are dead letters already.
    var isAgain: Bool
    var log: QueueID
    var reader: QueueConsumer

    func send() async throws -> UInt64 {
      try await box.settled()
      var mail = DeadLetterMail(
        box, log, stream: isAgain ? DeadLetterMail.againStream : DeadLetterMail.stream, seekCount: reader.seekCount,
        reason: verdict.reason.rawValue, status: verdict.status)
      var offset = verdict.range.lowerBound
      while offset < verdict.range.upperBound {
        let limits = BatchLimits(maxRecords: verdict.range.upperBound - offset, maxBytes: DeliveryLoop.pieceBytes)
        guard let batch = try isAgain ? box.read(from: offset, limits: limits) : reader.read(from: offset, limits: limits) else { break }
        if case .records(let slices) = batch.content {
          if isAgain { try await mail.appendAgain(slices) } else { try await mail.append(slices) }
        }
        offset = batch.next
      }
      return try await mail.finish()
    }
  }
}
