internal import PipelineCore
internal import QueueClient
internal import RecordBlocks

/// What stands between standard input and the server: lines that wait to be sent. While one body is on its way the next gathers, so a
/// trickle goes at once and a flood in large bodies.
actor PushBuffer: RecordOutput {
  /// The most bytes of lines of a body that holds more than one line; as many may wait.
  static let bodyBytes = 4 << 20

  private var bodies: [[UInt8]] = []
  /// Nothing can be put behind the last line of the last body: it has no line feed.
  private var lastIsClosed = false
  private var waitingBytes = 0
  private var hasEnded = false
  private var failure: (any Error)?
  private var reader: CheckedContinuation<Void, Never>?
  private var writer: CheckedContinuation<Void, Never>?

  func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
    let isUnended = batch.lastIsUnended
    var lines = batch.withLines { Array($0) }
    // A last line that had no line feed in the input has none in the body.
    if isUnended { lines.removeLast() }
    while waitingBytes > 0, waitingBytes + lines.count > Self.bodyBytes, failure == nil {
      await withCheckedContinuation { writer = $0 }
    }
    if let failure { throw failure }
    if let last = bodies.indices.last, !lastIsClosed, bodies[last].count + lines.count <= Self.bodyBytes {
      bodies[last] += lines
    } else {
      bodies.append(lines)
    }
    lastIsClosed = isUnended
    waitingBytes += lines.count
    wake(&reader)
    return Acknowledgement {}
  }

  /// Standard input loses nothing but at a cancelled end, which the command's own error tells.
  nonisolated func recordGap(_ gap: Gap) {}

  nonisolated func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]] { [] }

  /// The next body; nil when the input has ended and all was taken. One reader at a time.
  func next() async -> [UInt8]? {
    while bodies.isEmpty, !hasEnded { await withCheckedContinuation { reader = $0 } }
    guard !bodies.isEmpty else { return nil }
    let body = bodies.removeFirst()
    if bodies.isEmpty { lastIsClosed = false }
    waitingBytes -= body.count
    wake(&writer)
    return body
  }

  /// No more lines come.
  func end() {
    hasEnded = true
    wake(&reader)
  }

  /// Nothing more can be sent: whoever writes gets `error`.
  func fail(_ error: any Error) {
    failure = error
    wake(&writer)
  }

  private func wake(_ waiting: inout CheckedContinuation<Void, Never>?) {
    waiting?.resume()
    waiting = nil
  }
}
