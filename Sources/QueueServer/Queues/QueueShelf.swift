internal import HTTPTypes
internal import SegmentQueue
internal import Synchronization

/// The queues that the server serves, by name.
final class QueueShelf: Sendable {
  private struct State {
    var queues: [String: ServedQueue] = [:]
    /// By the name of the queue whose dead letters they are.
    var deadLetters: [String: ServedQueue] = [:]
  }

  static let deadLetterSuffix = ".dead-letters"
  private let state = Mutex(State())

  func add(_ queue: ServedQueue) { state.withLock { $0.queues[queue.name] = queue } }

  /// All queues that a client may ask for, dead letters included, by name.
  var all: [ServedQueue] {
    let queues = state.withLock { Array($0.queues.values) }
    return (queues + queues.compactMap { deadLetters(of: $0) }).sorted { $0.name < $1.name }
  }

  /// The queues without their dead letters.
  var main: [ServedQueue] { state.withLock { Array($0.queues.values) }.sorted { $0.name < $1.name } }

  /// The queue of that name.
  func queue(named name: String) throws -> ServedQueue {
    if let queue = state.withLock({ $0.queues[name] }) { return queue }
    if name.hasSuffix(Self.deadLetterSuffix),
      let parent = state.withLock({ $0.queues[String(name.dropLast(Self.deadLetterSuffix.count))] }),
      let letters = deadLetters(of: parent)
    {
      return letters
    }
    throw Problem(
      .notFound, "unknown_queue", "this server has no queue '\(name.prefix(80))'; GET /v1/queues lists those it has")
  }

  /// The queue of what `parent`'s sinks set aside, when it is open.
  func deadLetters(of parent: ServedQueue) -> ServedQueue? {
    guard let queue = parent.attachments.deadLetterQueue() else { return nil }
    return state.withLock { state in
      if let known = state.deadLetters[parent.name], known.queue === queue { return known }
      let served = ServedQueue(queue, Attachments())
      state.deadLetters[parent.name] = served
      return served
    }
  }
}
