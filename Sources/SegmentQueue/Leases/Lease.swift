public import RecordBlocks

/// Names one delivery of a range: the last one of it is the one that counts.
public struct LeaseID: Sendable, Hashable, CustomStringConvertible {
  let nonce: UInt32
  let seekCount: UInt64
  /// The range.
  public let range: Range<Offset>
  let delivery: UInt16

  init(_ record: CursorRecord, _ ledger: LeaseLedger, _ range: Range<Offset>, delivery: UInt16) {
    nonce = ledger.nonce
    seekCount = record.seekCount
    self.range = range
    self.delivery = delivery
  }

  /// Reads what ``description`` wrote; nil for anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard text.utf8.count <= 90, parts.count == 5, let nonce = UInt32(parts[0], radix: 16),
      let numbers = Optional(parts[1...3].compactMap { UInt64($0) }), numbers.count == 3, let delivery = UInt16(parts[4]),
      numbers[1] < numbers[2]
    else { return nil }
    self.nonce = nonce
    seekCount = numbers[0]
    range = Offset(numbers[1])..<Offset(numbers[2])
    self.delivery = delivery
    guard description == text else { return nil }
  }

  /// Hexadecimal digits, and numbers, joined by hyphens.
  public var description: String {
    "\(String(nonce, radix: 16))-\(seekCount)-\(range.lowerBound)-\(range.upperBound)-\(delivery)"
  }
}

/// A range of the queue on loan.
public struct LeasedBatch: Sendable {
  /// What it is acknowledged, extended or released by.
  public var lease: LeaseID
  /// How often the range was given, this time included.
  public var deliveries: Int
  /// The loss that it begins with, and the offset after that.
  public var gap: (content: Gap, end: Offset)?
  /// The records behind the gap, in order.
  public var slices: [BlockSlice]
  /// How many records.
  public var recordCount: Int
  /// Bytes of lines.
  public var byteCount: Int
  /// What is durable behind it.
  public var lag: (records: UInt64, bytes: UInt64)
}

/// What a call for a lease gets.
public enum LeaseAnswer: Sendable {
  /// A range, to be told as sent by ``QueueConsumer/started(_:for:)`` or as not sent by ``QueueConsumer/takeBack(_:)``.
  case granted(LeasedBatch)
  /// A range that was given as often as it may be. Whoever gets this sets its records aside and then acknowledges it, or says by
  /// ``QueueConsumer/postpone(_:by:)`` that this failed.
  case exhausted(LeaseID, deliveries: Int)
  /// Nothing now; see ``QueueConsumer/waitForLease(_:until:)``.
  case nothing(LeaseWait)
}

/// What may bring the next range.
public struct LeaseWait: Sendable {
  /// A record behind this; nil when as much is on loan as may be.
  let end: Offset?
  /// A change after this.
  let version: UInt64
  /// The end of a lease, so far from now.
  let leaseEnd: Duration?
}

/// A range on loan, as this process knows it.
struct Loan: Sendable {
  enum State: Sendable {
    /// Its bytes are on their way: it begins when they are with the kernel.
    case beingSent
    /// Until then, by the monotonic clock.
    case until(UInt64)
    /// Its records go where those go that are never acknowledged.
    case beingSetAside
  }
  var state: State

  func isOver(at now: UInt64) -> Bool { if case .until(let end) = state { end <= now } else { false } }
}
