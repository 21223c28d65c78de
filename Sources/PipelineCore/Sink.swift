public import RecordBlocks

/// Where records go: one consumer of the queue, with its own cursor and pace.
///
/// The runtime calls one method at a time, on a thread of the sink's own (blocking file work is fine). In order, for ever:
/// `open`, then `deliver` … `deliver`, `sync`, (the runtime commits), `deliver` …; `close` at the end. What was delivered after the last
/// committed `sync`
/// is delivered again after a crash.
public protocol Sink: Sendable {
  /// What becomes of output that was delivered but not committed when the process died.
  var recovery: SinkRecovery { get }

  /// Makes the sink ready. Called again, after an error, until it succeeds.
  /// - Parameter start: the last committed state and where delivery goes on.
  func open(_ start: SinkStart) async throws(DeliveryError)

  /// Delivers records or a gap, in order, and returns the next offset that it wants.
  ///
  /// Mostly that is `delivery.next`: the destination has all of it. A smaller one (even `delivery.first`) means: what is before it is
  /// delivered, and a
  /// `sync` and commit must come before the rest (the file sink changes files so); the rest is then delivered anew.
  func deliver(_ delivery: Delivery) async throws(DeliveryError) -> Offset

  /// Puts everything delivered on stable storage and returns the state that ``open(_:)`` needs to cut back to exactly this. Called before
  /// each commit.
  func sync() async throws(DeliveryError) -> SinkState

  /// Ends the sink's work; nothing is called after it. What was not committed needs no care.
  func close() async
}

/// See ``Sink/recovery``.
public enum SinkRecovery: Sendable, Hashable {
  /// The sink cuts its output back to the last committed state, so records may be delivered in any batches and committed now and then.
  /// After any error of `deliver` or `sync` but a rejection the runtime calls ``Sink/open(_:)`` with the last committed state and cursor
  /// before anything else: that takes back what was half written.
  case cutsBack
  /// The output can't be taken back (HTTP): the end of each batch is committed before it is sent, so that exactly the same range is sent
  /// again, under the same key.
  case repeatsRange
}

/// Where a sink goes on.
public struct SinkStart: Sendable {
  /// What the last committed ``Sink/sync()`` returned; nil for a consumer that never committed one.
  public var state: SinkState?
  /// The first offset that will be delivered.
  public var cursor: Offset
  /// False when records between the committed state and the output's present end are gone from the queue: what would be cut off could not
  /// be written again.
  public var queueHoldsCursor: Bool

  /// A start at `cursor`.
  public init(state: SinkState?, cursor: Offset, queueHoldsCursor: Bool) {
    self.state = state
    self.cursor = cursor
    self.queueHoldsCursor = queueHoldsCursor
  }
}

/// A sink's own saved facts, opaque to everyone else; at most 4 KiB.
public struct SinkState: Sendable, Hashable {
  /// The most bytes that a state may have.
  public static let maximumByteCount = 4096
  /// The bytes.
  public var bytes: [UInt8]
  /// A state of these bytes.
  public init(_ bytes: [UInt8] = []) {
    precondition(bytes.count <= Self.maximumByteCount, "a sink's state exceeds 4 KiB")
    self.bytes = bytes
  }
}

/// What a sink is given: a range of the queue, either records or one gap.
public struct Delivery: Sendable {
  /// Records or a loss.
  public enum Content: Sendable {
    /// The records of these slices, in order.
    case records([BlockSlice])
    /// The range was lost.
    case gap(Gap)
  }

  /// The first offset of the range.
  public let first: Offset
  /// The offset after the range.
  public let next: Offset
  /// What is in it.
  public let content: Content
  /// The same for the same range of the same consumer, whenever it is sent: `<queue id>-<consumer>-<seek count>-<first>-<next>`.
  public let idempotencyKey: String

  /// A range of the queue.
  public init(first: Offset, next: Offset, content: Content, idempotencyKey: String) {
    self.first = first
    self.next = next
    self.content = content
    self.idempotencyKey = idempotencyKey
  }

  /// How many records it holds.
  public var recordCount: Int {
    guard case .records(let slices) = content else { return 0 }
    return slices.reduce(0) { $0 + $1.recordCount }
  }
}

/// A delivery that didn't succeed. One question decides: can these records ever succeed?
public struct DeliveryError: Error, Sendable, CustomStringConvertible {
  /// What the runtime should do.
  public enum Advice: Sendable, Hashable {
    /// Try the same again, not before this time has passed; without one, when the runtime's backoff says.
    case retry(after: Duration?)
    /// Too large at once: try each half by itself; a single record that is too large is rejected.
    case split
    /// These records can never be taken: `on_reject` decides. `status` is what the destination said, in a few words (`400`, say).
    case reject(status: String)
    /// These records of the delivery have a sound block that doesn't give them: they never will be, whatever `on_reject` says. They are
    /// passed over and counted as lost; what is before and behind them is delivered anew.
    case unreadable(Range<Offset>)
    /// Nothing can succeed until someone acts (credentials, rights): wait, alarm, try again now and then.
    case waitForOperator
  }

  /// What the runtime should do.
  public let advice: Advice
  /// What happened, where, and what to do, in one sentence, without secrets.
  public let message: String

  /// A failed delivery.
  public init(_ advice: Advice, _ message: String) {
    self.advice = advice
    self.message = message
  }

  /// The message.
  public var description: String { message }
}
