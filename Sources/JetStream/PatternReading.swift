/// One subject pattern while it is read: its consumer on the servers, and what was asked of it.
struct PatternReading {
  /// The pattern.
  let pattern: SubjectPattern
  /// As it is written.
  let text: String
  /// The number of its checkpoint.
  let stream: UInt32
  /// Every message up to this sequence is dealt with, or waits among the pieces.
  var sequence: UInt64
  /// What of it is in the queue.
  var written: UInt64
  /// The checkpoint's identity was given.
  var isIntroduced: Bool

  /// The consumer's name; nil when it must be made.
  var consumer: String?
  /// How many messages it has given.
  var received: UInt64 = 0
  /// The number of the request that it has in hand, and how many messages it may still give for it.
  var request: (number: UInt64, left: Int)?
  /// Messages of that request.
  var gotOfRequest = 0
  /// When it was last heard of.
  var heard = ContinuousClock.now
  /// With `once`: the sequence of the last message that there was at the beginning.
  var target: UInt64 = 0
  /// Requests that nothing came of.
  var emptyRequests = 0
  /// All that there was at the beginning was read, or has gone meanwhile.
  var hasEnded = false

  /// Forgets the consumer: the next reading makes another.
  mutating func restart(behind sequence: UInt64) {
    self.sequence = sequence
    consumer = nil
    request = nil
    received = 0
    hasEnded = false
  }
}
