internal import RecordBlocks
public import SegmentQueue
internal import Synchronization

/// The dead letters of a pipeline: what its sinks set aside, and what goes to them again.
///
/// The dead-letter queue is opened when there is one, and made when the first sink needs it. Its records are JSON objects, one for each
/// record that a destination rejects; each sink has a consumer of its own name in it.
public final class DeadLetterOffice: Sendable {
  private struct State: Sendable {
    var queue: SegmentQueue?
    var boxes: [String: DeadLetterBox] = [:]
  }

  /// Who works with the queue from outside of the run: closing waits for them.
  private struct Visitors: Sendable {
    var count = 0
    var isClosed = false
  }

  private let sinks: [String]
  private let open: @Sendable (_ create: Bool) throws -> SegmentQueue?
  private let state = Mutex(State())
  private let visitors = Watched(Visitors())
  /// How often something was put back: a sink that waits looks again when it changes.
  let requests = Watched<UInt64>(0)

  /// The dead letters of these sinks.
  /// - Parameter open: opens the queue, and makes it when told to; else nil when there is none. Blocking.
  public init(sinks: [String], _ open: @escaping @Sendable (_ create: Bool) throws -> SegmentQueue?) {
    self.sinks = sinks
    self.open = open
  }

  /// The dead-letter queue, once there was one to open or a sink needed it.
  public var queue: SegmentQueue? { state.withLock { $0.queue } }

  // MARK: From outside of the run

  /// How many dead letters there are, and how many of them are on their way again. Reads what was set aside since it was asked last.
  /// - Throws: ``SegmentQueue/QueueError``: `closed` when the run has ended, and whatever opening the queue throws.
  public func facts() async throws -> DeadLetterFacts {
    try await visit { office in
      let queue = try office.openExisting()
      let boxes = office.state.withLock { $0.boxes }
      let facts = try boxes.sorted { $0.key < $1.key }.map { name, box in
        let counts = try box.counts()
        return DeadLetterFacts.Sink(name: name, kept: counts.kept, putBack: counts.putBack)
      }
      return DeadLetterFacts(queueExists: queue != nil, sinks: facts)
    }
  }

  /// Gives a sink everything again that it has set aside up to now, before its next new batch. On the disk on return: also when the process
  /// is killed right afterwards, the next run does it.
  /// - Returns: how many dead letters that are, those among them that were put back before and are not delivered yet.
  /// - Throws: ``SegmentQueue/QueueError``: `unknownConsumer` when there is no such sink, `closed` when the run has ended.
  public func putBack(sink name: String) async throws -> Int {
    guard sinks.contains(name) || openBox(of: name) != nil else {
      let known = sinks.sorted().joined(separator: ", ")
      throw QueueError(
        .unknownConsumer,
        "there is no sink '\(name)' that dead letters could be put back to"
          + (known.isEmpty ? "; there are none at all" : "; there are: \(known)"))
    }
    return try await visit { office in
      _ = try office.openExisting()
      let boxes = office.state.withLock { $0.boxes }
      guard let box = boxes[name] else { return 0 }
      let count = try box.putBackAll()
      for (other, box) in boxes where other != name { try box.passOthers() }
      office.requests.change { $0 += 1 }
      return Int(clamping: count)
    }
  }

  /// Runs blocking work on a thread of its own; never when the queue is or will be closed.
  private func visit<R: Sendable>(_ body: @escaping @Sendable (DeadLetterOffice) throws -> R) async throws -> R {
    var isAdmitted = false
    visitors.change {
      isAdmitted = !$0.isClosed
      if isAdmitted { $0.count += 1 }
    }
    guard isAdmitted else { throw QueueError(.closed, "the pipeline has ended, and its dead letters are closed; start it again") }
    defer { visitors.change { $0.count -= 1 } }
    return try await ThreadExecutor.run(named: "dead letters") { () async throws(any Error) in try body(self) }
  }

  /// Waits for whoever works with the queue and closes it, if it is open.
  public func close() async {
    visitors.change { $0.isClosed = true }
    while visitors.value.count > 0 { await visitors.wait { $0.count == 0 } }
    await queue?.close()
  }

  // MARK: From the run

  /// The queue's status, once it is open.
  var status: QueueStatus? { queue?.status() }

  /// Opens the queue if there is one, and the box of each sink that has one. Blocking the first time.
  @discardableResult
  func openExisting() throws -> SegmentQueue? {
    try state.withLock { state in
      guard let queue = try state.queue ?? open(false) else { return nil }
      state.queue = queue
      var failure: (any Error)?
      for consumer in queue.status().consumers where consumer.kind == .sink && consumer.failure == nil && state.boxes[consumer.name] == nil
      {
        do { state.boxes[consumer.name] = try DeadLetterBox(consumer.name, in: queue) } catch { failure = error }
      }
      if let failure { throw failure }
      return queue
    }
  }

  /// The box of a sink that has dead letters, if the queue is open.
  func openBox(of name: String) -> DeadLetterBox? { state.withLock { $0.boxes[name] } }

  /// The box of a sink that is about to have dead letters. Blocking the first time.
  func box(of name: String) throws -> DeadLetterBox {
    try state.withLock { state in
      guard let queue = try state.queue ?? open(true) else { preconditionFailure("a queue that was to be made isn't there") }
      state.queue = queue
      if let box = state.boxes[name] { return box }
      let box = try DeadLetterBox(name, in: queue)
      state.boxes[name] = box
      return box
    }
  }
}

/// How many dead letters a pipeline has.
public struct DeadLetterFacts: Sendable, Hashable {
  /// The dead letters of one sink.
  public struct Sink: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// Dead letters that it has not been given again.
    public var kept: UInt64
    /// Those of them that were put back: the sink is given them before its next new batch.
    public var putBack: UInt64
  }

  /// There is a dead-letter queue.
  public var queueExists: Bool
  /// The sinks that ever had any, by name.
  public var sinks: [Sink]
  /// All that no sink has been given again.
  public var records: UInt64 { sinks.reduce(0) { $0 + $1.kept } }
}
