internal import PipelineCore
internal import RecordBlocks
internal import SegmentQueue

/// What the delivery loop does next, in the log that the machine names.
enum DeliveryAction: Sendable, Equatable {
  /// Open the sink with the last committed state.
  case open
  /// Do nothing until the moment has come, or records beyond the offset are durable, whichever is first; a change of the run's phase ends
  /// any wait.
  case wait(until: Instant?, beyond: Offset?, DeliveryPause)
  /// Read a batch. With an `exactEnd` all of it up to there, whatever the limits would say: it may have been sent before.
  case read(from: Offset, limits: BatchLimits, exactEnd: Offset?)
  /// Commit everything delivered so far, and that the batch in hand is about to be sent.
  case commitInFlight(cursor: Offset, end: Offset)
  /// Give the batch in hand to the sink.
  case deliver
  /// Sync the sink and commit.
  case syncAndCommit(Offset)
  /// These records can never be delivered: do with them what `on_reject` says, then commit their end.
  case setAside(DeliveryVerdict)
  /// The loop is over.
  case finish
}

/// Why a delivery loop waits.
enum DeliveryPause: Sendable, Equatable {
  /// There is nothing to deliver, or not yet a full batch.
  case idle
  /// The consumer's own pace.
  case pace
  /// Its window is closed.
  case outsideWindow(secondsUntilOpen: Int)
  /// Something failed and is tried again.
  case backoff
}

/// Records that can never be delivered, and why.
struct DeliveryVerdict: Sendable, Equatable {
  var range: Range<Offset>
  /// A word for programs.
  var reason: Reason
  /// What the destination said.
  var status: String

  enum Reason: String, Sendable { case rejected, tooLarge = "too_large", retriesExhausted = "retries_exhausted", unreadable }
}

/// What the machine knows of the batch in hand.
struct DeliveryBatchFacts: Sendable, Equatable {
  var range: Range<Offset>
  var byteCount: Int
  var recordCount: Int
  var isGap: Bool
  /// It ends where the durable records ended when it was read: more may yet join it.
  var reachesEnd: Bool
}

/// What the machine is told each time it is asked.
struct DeliveryFacts: Sendable {
  var now: Instant
  var unixSeconds: Int64
  var durableEnd: Offset
  var phase: RunPhase
  /// Dead letters that go to the sink again; nil when none do.
  var putBack: PutBack?
}

/// Dead letters that were put back and are not delivered yet, by offsets of the dead-letter queue.
struct PutBack: Sendable, Equatable {
  /// Everything before it is done.
  var cursor: Offset
  /// The end of a range that may have been sent.
  var inFlightEnd: Offset?
  /// What lies behind it wasn't put back.
  var end: Offset
}

/// What a sink is given records from.
enum DeliveryLog: Sendable, Equatable {
  /// The pipeline's queue.
  case queue
  /// Its dead-letter queue.
  case deadLetters
}

/// Where a run stands, for its sinks.
enum RunPhase: Sendable, Equatable {
  /// Sources may still write.
  case running
  /// Sources have ended; a sink ends when it has delivered up to here. Windows and periods are ignored.
  case draining(to: Offset)
  /// A sink ends with what it has in hand.
  case stopping
}
