import DurableFiles
import Glibc
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// A queue on a simulated disk with a clock that stands still, and the calls that tests repeat.
struct QueueFixture {
  let disk: SimulatedFileSystem
  let clock: TestClock
  let notices = Notices()
  var options = QueueOptions()
  var path = FilePath("data/queue")

  init(_ disk: SimulatedFileSystem = SimulatedFileSystem(), clock: TestClock = TestClock()) {
    self.disk = disk
    self.clock = clock
    options.linger = .zero
    options.minFreeDisk = 0
  }

  func open() throws -> SegmentQueue {
    try SegmentQueue.open(path, name: "queue", options: options, fileSystem: disk, clock: clock, notify: { [notices] in notices.add($0) })
  }

  /// Lets time pass for the queue, `step` a millisecond, until `body` is done. On a thread of its own: it must not depend on Swift's few
  /// threads and its timers.
  func ticking<R>(_ queue: SegmentQueue, by step: Duration = .milliseconds(500), _ body: () async throws -> R) async rethrows -> R {
    let isOver = Once()
    startThread("ticks") { [clock] in
      while !isOver.isSet {
        clock.advance(by: step)
        queue.clockChanged()
        usleep(1000)
      }
    }
    defer { isOver.set() }
    return try await body()
  }
}

/// Something that happens once, and is known from then on.
final class Once: Sendable {
  private let state = Locked(false)
  var isSet: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
}

/// A clock that tests set; real time plays no part.
final class TestClock: QueueClock {
  private let now = Locked<(monotonic: UInt64, wall: Int64, isSynchronised: Bool)>((1_000_000_000, 1_790_000_000_000_000_000, false))

  func monotonic() -> UInt64 { now.withLock { $0.monotonic } }
  func wall() -> Int64 { now.withLock { $0.wall } }
  func wallIsSynchronised() -> Bool { now.withLock { $0.isSynchronised } }

  func advance(by duration: Duration) {
    now.withLock { now in
      now.monotonic += duration.nanosecondsClamped
      now.wall += Int64(duration.nanosecondsClamped)
    }
  }
  /// The host was off: the wall clock has gone on, the other begins anew.
  func reboot(after duration: Duration) {
    now.withLock { now in
      now.monotonic = 1_000_000_000
      now.wall += Int64(duration.nanosecondsClamped)
    }
  }
  func setWall(_ value: Int64) { now.withLock { $0.wall = value } }
  func setSynchronised(_ value: Bool) { now.withLock { $0.isSynchronised = value } }
}

/// The notices that a queue gave.
final class Notices: Sendable {
  private let all = Locked<[QueueNotice]>([])
  func add(_ notice: QueueNotice) { all.withLock { $0.append(notice) } }
  var messages: [String] { all.withLock { $0.map(\.message) } }
}

func batch(_ lines: [String]) -> RecordBatch {
  var batch = RecordBatch()
  for line in lines {
    var line = line
    line.withUTF8 { batch.append(UnsafeRawBufferPointer($0)) }
  }
  return batch
}

extension SourceWriter {
  /// Writes lines with a checkpoint that says how many there are, and waits until they are durable.
  @discardableResult
  func writeDurably(_ lines: [String], upTo count: Int? = nil) async throws -> AppendTicket {
    let changes = count.map { [CheckpointChange.set(stream: 1, identity: [7], value: Array("\($0)".utf8))] } ?? []
    let ticket = try await write(batch(lines), checkpoints: changes)
    try await ticket.durable()
    return ticket
  }

  /// The number that the newest checkpoint of ``writeDurably(_:upTo:)`` told.
  var count: Int { checkpoints.first.flatMap { Int(String(decoding: $0.value, as: UTF8.self)) } ?? 0 }
}

/// What a consumer was given: lines, and gaps between them.
enum Entry: Hashable {
  case line(String)
  case gap(Gap.Reason, records: UInt64, bytes: UInt64)
}

extension QueueConsumer {
  /// Everything from the cursor to the durable end; commits when told to.
  func drain(limits: BatchLimits = BatchLimits(maxBytes: 1 << 20), committing: Bool = false) throws -> [Entry] {
    var entries: [Entry] = []
    var place = cursor
    while let batch = try read(from: place, limits: limits) {
      #expect(batch.first == place && batch.next > place, "reading goes forward")
      entries += try batch.entries
      place = batch.next
      if committing { try commit(place) }
    }
    return entries
  }
}

extension QueueBatch {
  var entries: [Entry] {
    get throws {
      switch content {
      case .gap(let gap): return [.gap(gap.reason, records: gap.records, bytes: gap.bytes)]
      case .records(let slices):
        return try slices.flatMap { slice in
          try slice.lines().withUnsafeBytes { bytes in
            bytes.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false).map {
              Entry.line(String(decoding: $0, as: UTF8.self))
            }
          }
        }
      }
    }
  }
}

func numbered(_ range: Range<Int>) -> [String] { range.map { "line \($0) of the log" } }
