import Glibc
import PipelineCore
import RecordBlocks

@testable import PipelineRuntime

/// A sink in memory that does what a test says, and remembers what it was given.
final class ScriptedSink: Sink {
  struct Sent: Sendable, Equatable {
    var range: Range<UInt64>
    var key: String
    var lines: [String]
    var gap: Gap?
  }

  struct Memory: Sendable {
    /// Every delivery, in order, whatever became of it.
    var sent: [Sent] = []
    /// What the destination has: cut back at an open, if it can be.
    var output: [String] = []
    var opens: [SinkStart] = []
    var syncs = 0
    var isClosed = false
    /// Threads that the sink's methods ran on.
    var threads: Set<UInt> = []
  }

  typealias Script = @Sendable (_ delivery: Delivery, _ number: Int) async throws(DeliveryError) -> Offset

  let recovery: SinkRecovery
  let memory = Watched(Memory())
  private let script: Script
  private let opening: @Sendable (_ number: Int) throws(DeliveryError) -> Void

  init(
    _ recovery: SinkRecovery = .cutsBack, _ script: @escaping Script = { (delivery, _) async throws(DeliveryError) in delivery.next },
    opening: @escaping @Sendable (_ number: Int) throws(DeliveryError) -> Void = { (_) throws(DeliveryError) in }
  ) {
    self.recovery = recovery
    self.script = script
    self.opening = opening
  }

  var sent: [Sent] { memory.value.sent }
  var output: [String] { memory.value.output }

  func open(_ start: SinkStart) async throws(DeliveryError) {
    memory.change {
      $0.opens.append(start)
      $0.threads.insert(UInt(pthread_self()))
      if recovery == .cutsBack {
        // The state is the number of lines.
        let kept = start.state.map { Int(String(decoding: $0.bytes, as: UTF8.self)) ?? 0 } ?? 0
        $0.output.removeLast(max(0, $0.output.count - kept))
      }
    }
    try opening(memory.value.opens.count)
  }

  func deliver(_ delivery: Delivery) async throws(DeliveryError) -> Offset {
    var sent = Sent(range: delivery.first.rawValue..<delivery.next.rawValue, key: delivery.idempotencyKey, lines: [], gap: nil)
    switch delivery.content {
    case .records(let slices): sent.lines = slices.flatMap(Self.lines)
    case .gap(let gap): sent.gap = gap
    }
    memory.change {
      $0.sent.append(sent)
      $0.threads.insert(UInt(pthread_self()))
    }
    let next = try await script(delivery, memory.value.sent.count)
    memory.change {
      $0.threads.insert(UInt(pthread_self()))
      if sent.gap == nil { $0.output += sent.lines.prefix(next - delivery.first) }
    }
    return next
  }

  func sync() async throws(DeliveryError) -> SinkState {
    memory.change { $0.syncs += 1 }
    return SinkState(Array("\(memory.value.output.count)".utf8))
  }

  func close() async { memory.change { $0.isClosed = true } }

  /// Returns when the sink remembers what is asked for.
  func has(_ condition: @escaping @Sendable (Memory) -> Bool) async { await memory.wait(for: condition) }

  static func lines(_ slice: BlockSlice) -> [String] {
    guard let lines = try? slice.lines() else { return [] }
    return lines.withUnsafeBytes { bytes in
      bytes.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }
  }
}
