internal import Logging
internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// Dead letters that were put back.
extension DeliveryLoop {
  /// The box that the machine speaks of while it delivers dead letters.
  var ownBox: DeadLetterBox {
    guard let box = context.deadLetters.openBox(of: plan.name) else { preconditionFailure("dead letters of a sink that has none") }
    return box
  }

  /// What goes to the sink again. Output that can be cut back tells by its own commit how far it has come.
  var putBack: PutBack? {
    guard let box = context.deadLetters.openBox(of: plan.name), var putBack = box.putBack else { return nil }
    if let mark, mark.speaks(of: box) { putBack.cursor = max(putBack.cursor, mark.cursor) }
    return putBack.cursor < putBack.end ? putBack : nil
  }

  /// Reads dead letters at the machine's position. Others' are passed over, and so is what is gone or is no dead letter; the records of this
  /// sink's own come as a batch.
  func readDeadLetters(from offset: Offset, limits: BatchLimits, exactEnd: Offset?) {
    let box = ownBox
    do throws(QueueError) {
      switch try DeadLetterReader(box).read(from: offset, limits: limits, exactEnd: exactEnd) {
      case nil:
        readFailed("the dead-letter queue gave nothing at offset \(offset), although records up to \(box.queue.durableEnd) are durable")
      case .others(let next): machine.passedOver(upTo: next, at: context.clock.now)
      case .gap(let gap, let next):
        letters.areKnown = false
        machine.passedOver(upTo: next, at: context.clock.now)
        logger.warning(
          "dead letters that were put back are gone; the sink is given what is left",
          metadata: ["range": "\(offset)..<\(next)", "records": "\(gap.records)", "reason": "\(gap.reason.name)"])
      case .unreadable(let next): machine.cannotRead(upTo: next)
      case .batch(let batch):
        loaded = batch
        let facts = DeliveryBatchFacts(
          range: batch.range, byteCount: batch.byteCount, recordCount: batch.recordCount, isGap: false, reachesEnd: false)
        if !machine.didRead(facts, exactEnd: exactEnd), let exactEnd {
          logger.warning(
            "a range of dead letters that may have been sent is no longer whole; what is left goes under a key of its own and may arrive twice",
            metadata: ["range": "\(offset)..<\(exactEnd)", "left": "\(batch.range)"])
        }
      }
    } catch {
      readFailed(error.description)
    }
  }

  /// Commits how far dead letters are delivered. The order that holds for output that can be cut back: its state and the place that it speaks
  /// of, in one slot; then the dead-letter queue's own cursor, which only lets go of them.
  func commitDeadLetters(_ cursor: Offset, inFlightEnd: Offset?, state: SinkState?, dropping dropped: Bool) throws(QueueError) {
    let box = ownBox
    let passed = letters.areKnown ? letters.count : nil
    if plan.sink.recovery == .repeatsRange {
      try box.commit(cursor, inFlightEnd: inFlightEnd, letters: passed, dropping: dropped)
    } else {
      let mark = PutBackMark(deadLetters: box.queue.id, seekCount: box.consumer.seekCount, cursor: cursor)
      let bytes = state?.bytes ?? PutBackMark.unwrapped(consumer.sinkState).state
      try consumer.commit(consumer.cursor, sinkState: PutBackMark.wrapped(bytes, with: mark))
      self.mark = mark
      do throws(QueueError) { try box.commit(cursor, inFlightEnd: nil, letters: passed, dropping: dropped) } catch {
        // What the slot says counts; the cursor comes along with the next commit.
        note(error.description)
        say(.error, "the cursor of the dead letters can't be committed", error.description)
        return letters.areKnown = false
      }
    }
    letters = PassedLetters()
  }

  /// The bytes of the sink's state as a commit of the queue's cursor writes them.
  func stateBytes(_ state: SinkState?) -> [UInt8]? {
    guard let state else { return nil }
    settleMark()
    return PutBackMark.wrapped(state.bytes, with: mark)
  }

  /// Brings the dead-letter queue's cursor to where the mark is, which then has nothing more to tell: a crash or an error came between their
  /// commits.
  func settleMark() {
    guard let mark, let box = context.deadLetters.openBox(of: plan.name) else { return }
    if mark.speaks(of: box), mark.cursor > box.consumer.cursor {
      do throws(QueueError) { try box.commit(mark.cursor, inFlightEnd: nil, letters: nil) } catch {
        note(error.description)
        return say(.error, "the cursor of the dead letters can't be committed", error.description)
      }
    }
    self.mark = nil
  }

  /// Ends the put-back at what was rejected again, when the dead-letter queue is as good as full: it would wait for room that only its own
  /// progress can make. False when there is room.
  ///
  /// While what is held takes no more than three quarters of the queue, each record that goes to its end lets go of one before it: the
  /// segments that are written and that the cursors stand in are an eighth each at most.
  func endsPutBack(_ verdict: DeliveryVerdict) -> Bool {
    let box = ownBox
    let status = box.queue.status()
    let held = status.consumers.reduce(0) { max($0, $1.pinnedBytes) }
    guard status.isFull || held > status.maxSize / 4 * 3 else { return false }
    do throws(QueueError) {
      try box.endPutBack(at: verdict.range.lowerBound)
    } catch {
      machine.setAsideFailed(at: context.clock.now, jitter: context.jitter())
      note(error.description)
      say(.error, "the cursor of the dead letters can't be committed", error.description)
      return true
    }
    letters = PassedLetters()
    machine.putBackEnded()
    note("the dead-letter queue is almost full, and the destination still rejects what was put back")
    logger.error(
      "the dead-letter queue is almost full, and the destination still rejects what was put back; the rest stays dead letters, put it back when the destination takes it",
      metadata: ["from": "\(verdict.range.lowerBound)", "status": "\(escapedForLog(verdict.status, limit: 200))"])
    return true
  }
}

/// Dead letters that were passed since the last commit.
struct PassedLetters {
  var count: UInt64 = 0
  /// False once some were gone: then they are counted anew.
  var areKnown = true
}

extension PutBackMark {
  /// It tells of this dead-letter queue, and of the consumer since it was set to its place.
  func speaks(of box: DeadLetterBox) -> Bool { deadLetters == box.queue.id && seekCount == box.consumer.seekCount }
}
