public import Logging
public import PipelineCore
public import RecordBlocks
internal import Synchronization

/// Publishes stored blocks to a subject of a JetStream stream, each record once and in order, and losses as losses.
///
/// **Order of writes.** The subject's last message in the stream is the truth about how far delivery has come; the queue's cursor follows it.
/// 1. ``open(_:)`` asks the stream's leader for the subject's last message. Its `next` is where publishing goes on; what is delivered below
///    it is there already, and is answered as delivered without being sent.
/// 2. A message is published with the sequence that the subject's last one must have (`Nats-Expected-Last-Subject-Sequence`). **One is in
///    flight at a time**: with more, one that is lost would be overtaken by its successor, and its records would be a gap.
/// 3. Its acknowledgement says that a majority of the stream's servers have it. Only then comes the next message, and only after all of
///    a delivery's messages does ``deliver(_:)`` return; then the runtime commits the cursor.
/// 4. After an error, an answer that didn't come, or a crash, everything begins again at 1: the connection is made anew, and the leader is
///    asked what became of the last message before anything is sent.
///
/// A leader that has just been elected may not know yet of a message that is on its way to being stored; then a range can be there twice.
/// Its offsets tell: ``JetStreamSource`` skips it.
///
/// **Two sinks on one subject.** Before a process publishes anything, its mark is committed with the place where it begins. What the stream has
/// beyond a committed place is therefore of the process that the place names; anything else is by a copy of the queue's directory, or by
/// what ran before an older one was put back, under offsets that mean other records here. That, and a message that isn't of this queue,
/// fences this sink: it publishes nothing more, and says so, also after it was started anew.
public final class JetStreamSink: Sink {
  /// What a sink is told.
  public struct Configuration: Sendable {
    /// The cluster.
    public var connection: ConnectionSettings
    /// The stream and the subject.
    public var stream: StreamSettings

    /// A sink.
    public init(connection: ConnectionSettings, stream: StreamSettings) {
      self.connection = connection
      self.stream = stream
    }
  }

  private struct State {
    var connection: NATSConnection?
    /// The most bytes of a payload.
    var limit = 0
    /// Nil before the first look.
    var end: SubjectEnd?
    /// The process that the committed place names, at the first opening; 0 for none.
    var predecessor: UInt64 = 0
    /// This process's mark is committed.
    var isDeclared = false
    /// A message of this process was acknowledged.
    var hasPublished = false
    /// Why nothing is published any more.
    var fence: String?
  }

  private let configuration: Configuration
  private let queue: QueueID
  private let name: String
  private let logger: Logger
  /// This process's mark on what it publishes.
  private let writer = UInt64.random(in: 1 ... .max)
  private let state = Mutex(State())
  private var settings: StreamSettings { configuration.stream }
  /// What its state speaks of.
  private var place: String { "\(settings.name) \(settings.subject)" }

  /// After an error it asks the stream how far it came, so nothing needs to be cut back, and what is delivered again is recognised.
  public var recovery: SinkRecovery { .cutsBack }

  /// A sink that opens nothing yet.
  /// - Parameters:
  ///   - queue: the queue that the records come from.
  ///   - name: the sink's name in its pipeline, for log metadata.
  public init(_ configuration: Configuration, queue: QueueID, name: String, logger: Logger) {
    self.configuration = configuration
    self.queue = queue
    self.name = name
    self.logger = logger
  }

  // MARK: Opening

  /// Connects, makes or checks the stream, and asks it for the subject's last message.
  public func open(_ start: SinkStart) async throws(DeliveryError) {
    let committed = start.state.flatMap { SubjectEnd($0, of: place) }
    do throws(JetStreamFailure) {
      if let fence = state.withLock({ $0.fence }) { throw .unusable(fence) }
      state.withLock { state in
        state.connection = nil
        state.isDeclared = committed?.writer == writer
        if state.end == nil { state.predecessor = committed?.writer ?? 0 }
      }
      let connection = try NATSConnection.connect(configuration.connection, name: "sluice sink \(name)")
      let api = JetStreamAPI(connection: connection)
      let facts = try preparedStream(api)
      let known = state.withLock { $0.end }
      let end = try settledEnd(api, known: known, committed: committed, cursor: start.cursor)
      let largest = facts.maxMessageSize > 0 ? min(facts.maxMessageSize, connection.maxPayload) : connection.maxPayload
      guard largest >= StreamSettings.leastMessageBytes else {
        throw .unusable("messages of the server may have \(largest) bytes, which is too few; raise its max_payload")
      }
      state.withLock { state in
        state.connection = connection
        state.limit = largest - RangeHeader.mostBytes
        state.end = end
      }
      if known == nil { tell(end, start.cursor, committed) }
    } catch {
      throw deliveryError(error)
    }
  }

  private func preparedStream(_ api: JetStreamAPI) throws(JetStreamFailure) -> StreamFacts {
    if let facts = try api.stream(settings.name) {
      let differences = settings.differences(from: facts)
      if differences.isEmpty { return facts }
      throw .unusable(
        "the stream '\(settings.name)' isn't as configured: \(differences.joined(separator: "; ")); change the pipeline file or the stream, Sluice changes no stream that is there"
      )
    }
    let facts = try api.create(settings)
    logger.notice(
      "the stream was made",
      metadata: [
        "sink.name": "\(name)", "jetstream.stream": "\(settings.name)", "jetstream.subjects": "\(settings.wildcard)",
        "jetstream.replicas": "\(settings.replicas)",
      ])
    return facts
  }

  /// Where publishing goes on, by the subject's last message.
  private func settledEnd(
    _ api: JetStreamAPI, known: SubjectEnd?, committed: SubjectEnd?, cursor: Offset
  ) throws(JetStreamFailure) -> SubjectEnd {
    switch try api.lastMessage(of: settings.subject, in: settings.name) {
    case .none:
      // Never used, or all of it went by age: then the cursor and what was acknowledged are all there is to know.
      return SubjectEnd(sequence: 0, next: known?.next ?? cursor, start: known?.start ?? min(committed?.start ?? cursor, cursor))
    case .foreign(let sequence):
      throw .unusable(
        "the subject '\(settings.subject)' of stream '\(settings.name)' has a message that isn't Sluice's (sequence \(sequence)); delete it (nats stream rmm \(settings.name) \(sequence)), and let nobody else publish there"
      )
    case .range(let range, let sequence):
      guard range.queue == queue else {
        throw .unusable(
          "the subject '\(settings.subject)' of stream '\(settings.name)' belongs to another queue (\(range.queue), sequence \(sequence)), this one is \(queue): two sinks can't share a subject, so this one publishes nothing; give it a 'subject' of its own"
        )
      }
      let predecessor = state.withLock { $0.predecessor }
      if let last = known ?? committed, predecessor != 0, sequence > last.sequence, range.writer != predecessor, range.writer != writer {
        let text =
          "another process has published on '\(settings.subject)' what this queue's place doesn't know of (sequence \(sequence), the place is at \(last.sequence)): is the queue's directory a copy, or an older one that was put back? Records would be taken for others under their offsets, so this sink publishes nothing: give it an empty queue and a 'subject' of its own; if no other has ever run, 'sluice queue seek' to the cursor takes the stream as it is"
        state.withLock { $0.fence = text }
        throw .unusable(text)
      }
      // Before our first message, what a process that was killed had sent may still arrive.
      if let known, range.writer != writer, sequence != known.sequence, state.withLock({ $0.hasPublished }) {
        let text =
          "another process publishes the records of this same queue on '\(settings.subject)' (sequence \(sequence) is its, ours was \(known.sequence)): is the queue's directory a copy? This sink publishes nothing more until it is started anew; stop the other, or give this one a queue and a 'subject' of its own"
        state.withLock { $0.fence = text }
        throw .unusable(text)
      }
      // Of pieces, the block isn't there before the last.
      let isWhole = range.piece.map { $0.number == $0.count } ?? true
      return SubjectEnd(sequence: sequence, next: isWhole ? range.next : range.first, start: range.start)
    }
  }

  private func tell(_ end: SubjectEnd, _ cursor: Offset, _ committed: SubjectEnd?) {
    let metadata: Logger.Metadata = [
      "sink.name": "\(name)", "jetstream.stream": "\(settings.name)", "jetstream.subject": "\(settings.subject)",
      "jetstream.sequence": "\(end.sequence)", "jetstream.next": "\(end.next)", "queue.cursor": "\(cursor)",
    ]
    if let committed, end.sequence > 0, end.next < committed.next {
      logger.error(
        "the stream has lost messages that it had acknowledged; readers will be told of a gap, unless the sink is set back (sluice queue seek) while the queue has them",
        metadata: metadata)
    } else if end.next > cursor {
      logger.notice("the stream has more than was committed; what it has isn't sent again", metadata: metadata)
    } else {
      logger.info("publishing goes on", metadata: metadata)
    }
  }

  // MARK: Delivering

  /// Publishes one message after the other, each acknowledged before the next; what the stream has already isn't sent.
  public func deliver(_ delivery: Delivery) async throws(DeliveryError) -> Offset {
    let (opened, limit, found) = state.withLock { ($0.connection, $0.limit, $0.end) }
    guard let connection = opened, var end = found else { preconditionFailure("deliver needs an open sink") }
    guard delivery.idempotencyKey.hasPrefix(queue.description) else {
      throw DeliveryError(.reject(status: "of another queue"), "dead letters can't be put back to a subject whose offsets are the queue's")
    }
    if delivery.next <= end.next { return delivery.next }
    // First its mark is committed; then the same comes again.
    guard state.withLock({ $0.isDeclared }) else { return delivery.first }
    let from = max(delivery.first, end.next)
    let messages = try packed(delivery, from: from, limit: limit, start: end.start)
    do throws(JetStreamFailure) {
      let api = JetStreamAPI(connection: connection)
      for message in messages {
        end = try publish(message, after: end, api)
        state.withLock { state in
          state.end = end
          state.hasPublished = true
        }
      }
    } catch {
      throw deliveryError(error)
    }
    return delivery.next
  }

  private func packed(_ delivery: Delivery, from: Offset, limit: Int, start: Offset) throws(DeliveryError) -> [OutgoingMessage] {
    let packing = MessagePacking(
      limit: limit, template: RangeHeader(queue: queue, first: from, next: delivery.next, start: start, writer: writer))
    switch delivery.content {
    case .gap(let gap): return [packing.message(gap.withoutFirst(from - delivery.first), first: from, next: delivery.next)]
    case .records(let slices):
      do throws(BlockDamage) {
        return try packing.messages(slices, from: from)
      } catch {
        let unreadable = slices.first { (try? $0.lines()) == nil }?.range ?? delivery.first..<delivery.next
        throw DeliveryError(
          .unreadable(unreadable),
          "records \(unreadable.lowerBound)..<\(unreadable.upperBound) can't be read from their block (\(error)); run 'sluice queue verify' on the queue"
        )
      }
    }
  }

  /// Publishes a message. When the subject's last message isn't what was thought, the leader says what it is: ours, then it may have been
  /// stored by an attempt of which no answer came; anybody else's fences.
  private func publish(_ message: OutgoingMessage, after end: SubjectEnd, _ api: JetStreamAPI) throws(JetStreamFailure) -> SubjectEnd {
    var end = end
    let isWhole = message.header.piece.map { $0.number == $0.count } ?? true
    let next = isWhole ? message.header.next : message.header.first
    for _ in 0..<Self.mostLooks {
      do throws(JetStreamFailure) {
        let sequence = try message.payload.withUnsafeBytes { payload throws(JetStreamFailure) in
          try api.publish(message.header, payload, to: settings.subject, of: settings.name, after: end.sequence)
        }
        return SubjectEnd(sequence: sequence, next: next, start: end.start)
      } catch {
        guard error.isWrongSequence else { throw error }
      }
      let found = try settledEnd(api, known: end, committed: nil, cursor: end.next)
      // Its own message, from before an answer that didn't come. A piece says too little: all of its block go again.
      if message.header.piece == nil, found.next >= next, found.sequence > 0 { return found }
      guard message.header.piece == nil, found.sequence != end.sequence else { break }
      end = found
    }
    throw .noAnswer("the subject's last message changes while it is asked for; it is asked again")
  }

  private static let mostLooks = 3

  /// What was acknowledged is in the stream already; the state is for the next start, should all messages have gone by age.
  public func sync() async throws(DeliveryError) -> SinkState {
    state.withLock { state in
      guard var end = state.end else { return SinkState() }
      end.writer = writer
      state.isDeclared = true
      return end.state(of: place)
    }
  }

  /// Lets the connection go.
  public func close() async { state.withLock { $0.connection = nil } }

  private func deliveryError(_ failure: JetStreamFailure) -> DeliveryError {
    switch failure {
    case .unauthorized, .badFile, .unusable: return DeliveryError(.waitForOperator, failure.description)
    case .noResponders:
      return DeliveryError(.retry(after: nil), "\(failure); records stay in the queue until a stream takes '\(settings.subject)'")
    case .refused(JetStreamFailure.Code.storeFailed, _):
      return DeliveryError(
        .retry(after: .seconds(1)),
        "the stream '\(settings.name)' is full and its overflow is 'wait': \(failure); records stay in the queue until max_age or someone makes room"
      )
    case .refused(JetStreamFailure.Code.noPeers, _), .refused(JetStreamFailure.Code.replicasNotSupported, _):
      return DeliveryError(
        .waitForOperator,
        "the stream '\(settings.name)' can't be made with replicas \(settings.replicas): \(failure); add servers, or set 'replicas' to as many as there are"
      )
    case .refused(JetStreamFailure.Code.insufficientResources, _), .refused(JetStreamFailure.Code.storageExceeded, _):
      return DeliveryError(
        .waitForOperator,
        "the stream '\(settings.name)' can't be made: \(failure); give the servers more (max_file), or the stream less ('max_bytes')")
    case .refused(JetStreamFailure.Code.subjectsOverlap, _):
      return DeliveryError(
        .waitForOperator,
        "the stream '\(settings.name)' can't be made: \(failure): another stream takes '\(settings.wildcard)'; name that one, or give the sink a 'subject' that begins otherwise"
      )
    case .refused: return DeliveryError(.retry(after: nil), "\(failure); records stay in the queue")
    case .unreachable, .disconnected, .noAnswer, .nonsense, .cancelled:
      return DeliveryError(.retry(after: nil), "\(failure); records stay in the queue")
    }
  }
}
