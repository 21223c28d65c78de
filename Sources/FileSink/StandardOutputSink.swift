public import PipelineCore
public import RecordBlocks
internal import Synchronization

/// Writes records to an open file descriptor, mostly standard output, line by line as they are.
///
/// What a pipe or terminal has taken can't be cut back, so after a crash the range that was on its way is written again: a reader
/// downstream may see those
/// records twice. Records that had no line feed in their input get none unless another record follows, as in files.
///
/// **A reader that goes away** (`sluice run … | head`) ends no other sink's work: the sink calls `onReaderGone` once and from then on
/// every delivery fails with
/// ``PipelineCore/DeliveryError/Advice/waitForOperator``, so nothing counts as delivered that nobody took. Someone who runs it in a pipe
/// wants the run to end then:
/// that is for `onReaderGone` to do, since only the application knows whether other sinks still have work.
///
/// A full pipe is waited for without holding up cancellation: a cancelled delivery fails with a retry. Within the process a delivery that
/// is tried again, under
/// the same key, goes on behind what was already taken.
public final class StandardOutputSink: Sink {
  private let output: Mutex<DescriptorWriter>
  private let isReaderGone = Atomic(false)
  private let onReaderGone: @Sendable () -> Void
  private let name: String
  private let writeGaps: Bool

  /// A sink that writes to `fileDescriptor`, which stays open and the caller's.
  ///
  /// Opening it makes the process ignore `SIGPIPE`, unless that has a handler: a reader that goes away must not end the process.
  /// - Parameters:
  ///   - writeGaps: whether a gap is written too, as one line of JSON. Otherwise the output just goes on after it, in a new line.
  ///   - onReaderGone: called once, on the sink's thread, when nobody reads the other end any more.
  public init(
    name: String = "standard output", fileDescriptor: Int32 = 1, writeGaps: Bool = false, onReaderGone: @escaping @Sendable () -> Void = {}
  ) {
    self.name = name
    self.writeGaps = writeGaps
    self.onReaderGone = onReaderGone
    output = Mutex(DescriptorWriter(fileDescriptor))
  }

  /// A range that was on its way is written again.
  public var recovery: SinkRecovery { .repeatsRange }

  /// Prepares the process and the descriptor. `start` has nothing to tell: this sink's state is empty.
  public func open(_ start: SinkStart) async throws(DeliveryError) { output.withLock { $0.prepare() } }

  /// Writes a delivery; returns when the kernel has all of it. Blocks while the reader takes nothing. Gaps are passed over
  /// unless they are to be written.
  public func deliver(_ delivery: Delivery) async throws(DeliveryError) -> Offset {
    if isReaderGone.load(ordering: .relaxed) { throw readerGone }
    let wake = WakeSignal()
    let result = await withTaskCancellationHandler {
      output.withLock { writer -> DescriptorWriter.Outcome in
        switch delivery.content {
        case .records(let slices): return writer.write(slices, key: delivery.idempotencyKey, interruptedBy: wake)
        case .gap(let gap):
          if writeGaps { return writer.write(line: gap.line(for: delivery), key: delivery.idempotencyKey, interruptedBy: wake) }
          if gap.reason.tookRecordsFromTheLog { writer.endLineBeforeNextRecord() }
          return .done
        }
      }
    } onCancel: {
      wake.signal()
    }
    switch result {
    case .done: return delivery.next
    case .interrupted: throw DeliveryError(.retry(after: nil), "\(name): stopped while its reader took nothing")
    case .readerGone:
      if !isReaderGone.exchange(true, ordering: .relaxed) { onReaderGone() }
      throw readerGone
    case .unreadable(let records):
      throw DeliveryError(
        .unreadable(records), "records \(records) can't be decompressed; run 'sluice queue verify' on the queue")
    case .failed(let reason): throw DeliveryError(.retry(after: nil), "\(name): cannot write: \(reason)")
    }
  }

  /// Puts a regular file that the descriptor leads to on the disk; for pipes and terminals there is nothing to do. The state is empty.
  public func sync() async throws(DeliveryError) -> SinkState {
    if let reason = output.withLock({ $0.sync() }) { throw DeliveryError(.retry(after: nil), "\(name): cannot sync: \(reason)") }
    return SinkState()
  }

  /// Leaves the descriptor open.
  public func close() async { output.withLock { $0.close() } }

  private var readerGone: DeliveryError {
    DeliveryError(.waitForOperator, "\(name): nobody reads the other end any more; end the run, or start it again with a reader")
  }
}
