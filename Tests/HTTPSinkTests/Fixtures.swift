import CBlockCodec
import HTTPSink
import Logging
import PipelineCore
import RecordBlocks
import Synchronization
import Testing

/// A block of `lines`, as the queue would give it.
func block(_ lines: [String], base: UInt64 = 0) -> StoredBlock { block(lines.map { Array($0.utf8) }, base: base) }

/// A block of `records`, as the queue would give it.
func block(_ records: [[UInt8]], base: UInt64 = 0) -> StoredBlock {
  var batch = RecordBatch()
  for record in records { record.withUnsafeBytes { batch.append($0) } }
  let header = BlockHeader(
    kind: .lines, queueID: QueueID(high: 1, low: 2), salt: 3, base: Offset(base), offsetCount: UInt64(records.count),
    lineByteCount: batch.byteCount,
    source: 1, firstTime: 0, lastTime: 0, openAge: 0, epoch: 1, cumulativeRecords: base, cumulativeBytes: 0, cumulativeLost: 0,
    durableEnd: Offset(base))
  return StoredBlock(header, completing: StoredBlock.prepare(batch.intoSharedBytes(), entryBytes: 0, codec: .shared))
}

/// A delivery of `slices`, which follow one another.
func delivery(_ slices: [BlockSlice]) -> Delivery {
  let first = slices[0].range.lowerBound
  let next = slices[slices.count - 1].range.upperBound
  return Delivery(first: first, next: next, content: .records(slices), idempotencyKey: "00ff-sink-0-\(first)-\(next)")
}

/// A delivery of whole `lines`.
func delivery(_ lines: [String], base: UInt64 = 0) -> Delivery { delivery([BlockSlice(block(lines, base: base))]) }

/// A delivery whose body doesn't fit into any socket buffer: bytes that don't compress, as hexadecimal digits.
func largeDelivery(megabytes: Int) -> Delivery {
  var generator = SplitMix(state: 42)
  let line = (0..<(64 << 10)).map { _ in "0123456789abcdef".utf8.map { $0 }[Int(generator.next() & 15)] }
  let blocks = (0..<megabytes).map { number in block([[UInt8]](repeating: line, count: 16), base: UInt64(number * 16)) }
  return delivery(blocks.map { BlockSlice($0) })
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A value that must never show.
let secret = "s3cr3t-t0ken-4711"

/// An open sink for `url` with a secret header; `change` sets what else it needs.
func openSink(
  _ url: String, logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
  _ change: (inout HTTPSink.Configuration) -> Void = { _ in }
) async throws -> HTTPSink {
  var configuration = HTTPSink.Configuration(url: url)
  configuration.headers = [.init("Authorization", "Bearer \(secret)")]
  change(&configuration)
  let sink = try HTTPSink(configuration, name: "test", logger: logger)
  try await sink.open(SinkStart(state: nil, cursor: .zero, queueHoldsCursor: true))
  return sink
}

extension HTTPSink {
  /// Delivers and returns the error, or nil; checks what every error must keep to.
  func complaint(about delivery: Delivery, sourceLocation: SourceLocation = #_sourceLocation) async -> DeliveryError? {
    do throws(DeliveryError) {
      let next = try await deliver(delivery)
      #expect(next == delivery.next, sourceLocation: sourceLocation)
      return nil
    } catch {
      #expect(!error.message.contains(secret), "a secret shows: \(error.message)", sourceLocation: sourceLocation)
      #expect(error.message.contains("records \(delivery.first)..<\(delivery.next)"), "\(error.message)", sourceLocation: sourceLocation)
      #expect(error.message.contains("; "), "no remedy: \(error.message)", sourceLocation: sourceLocation)
      #expect(
        error.message.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }, "\(error.message)", sourceLocation: sourceLocation
      )
      return error
    }
  }

  /// Delivers as the runtime would, again and again while the advice is to retry.
  func deliverPersistently(_ delivery: Delivery, attempts: Int = 30) async throws {
    for attempt in 1...attempts {
      do throws(DeliveryError) {
        _ = try await deliver(delivery)
        return
      } catch {
        guard case .retry = error.advice, attempt < attempts else { throw error }
      }
    }
  }
}

/// What a gzip reader makes of a body.
struct Gunzipped {
  var bytes: [UInt8] = []
  /// Members that ended properly.
  var memberCount = 0
  /// Bytes after the first member, zero when the body is exactly one.
  var bytesAfterFirst = 0
  var isDamaged = false

  init(_ body: [UInt8]) {
    let reader = gzip_reader_create()
    defer { gzip_reader_destroy(reader) }
    var position = 0
    var room = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      var inputLength = body.count - position
      var outputLength = room.count
      let result = body.withUnsafeBytes {
        gzip_reader_read(reader, $0.baseAddress.map { $0 + position }, &inputLength, &room, &outputLength)
      }
      position += inputLength
      bytes += room[..<outputLength]
      if result < 0 {
        isDamaged = true
        return
      }
      if result == 1 {
        memberCount += 1
        if memberCount == 1 { bytesAfterFirst = body.count - position }
        if position == body.count { return }
      } else if inputLength == 0, outputLength == 0 {
        return
      }
    }
  }
}

/// Log lines that a sink wrote.
final class LogCapture: LogHandler, Sendable {
  private let written = Mutex<[String]>([])
  var lines: [String] { written.withLock { $0 } }
  var logger: Logger { Logger(label: "test", factory: { _ in self }) }

  func log(event: LogEvent) {
    written.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
  }

  subscript(metadataKey _: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }
}
