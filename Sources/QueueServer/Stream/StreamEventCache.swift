internal import RecordBlocks
internal import SegmentQueue
internal import Synchronization

/// The newest events of records: streams that stand at the same place of a queue send the same one, which is read and written once for all
/// of them. Those that have caught up all stand at the same place.
final class StreamEventCache: Sendable {
  private struct Key: Hashable {
    var queue: ObjectIdentifier
    var first: RecordBlocks.Offset
    var maxBytes: Int
  }
  private struct State {
    var events: [Key: StreamEvent] = [:]
    /// The oldest first.
    var order: [Key] = []
    var byteCount = 0
  }

  private static let most = (events: 64, bytes: 8 << 20)
  private let state = Mutex(State())

  /// The event of records from `first` on, if one is kept.
  func event(from first: RecordBlocks.Offset, maxBytes: Int, of queue: SegmentQueue) -> StreamEvent? {
    state.withLock { $0.events[Key(queue: ObjectIdentifier(queue), first: first, maxBytes: maxBytes)] }
  }

  /// Keeps an event for others until newer ones take its place.
  func keep(_ event: StreamEvent, from first: RecordBlocks.Offset, maxBytes: Int, of queue: SegmentQueue) {
    // Given up outside of the lock.
    var old: [StreamEvent] = []
    state.withLock { state in
      let key = Key(queue: ObjectIdentifier(queue), first: first, maxBytes: maxBytes)
      guard event.memoryByteCount <= Self.most.bytes / 4, state.events[key] == nil else { return }
      state.events[key] = event
      state.order.append(key)
      state.byteCount += event.memoryByteCount
      var count = 0
      while state.byteCount > Self.most.bytes || state.order.count - count > Self.most.events {
        if let gone = state.events.removeValue(forKey: state.order[count]) {
          state.byteCount -= gone.memoryByteCount
          old.append(gone)
        }
        count += 1
      }
      state.order.removeFirst(count)
    }
  }

  /// Lets the events of a queue go.
  func forget(_ queue: SegmentQueue) {
    let id = ObjectIdentifier(queue)
    // Given up outside of the lock.
    let old = state.withLock { state -> [StreamEvent] in
      let old = state.events.filter { $0.key.queue == id }.map(\.value)
      guard !old.isEmpty else { return [] }
      state.events = state.events.filter { $0.key.queue != id }
      state.order.removeAll { $0.queue == id }
      state.byteCount -= old.reduce(0) { $0 + $1.memoryByteCount }
      return old
    }
    withExtendedLifetime(old) {}
  }
}
