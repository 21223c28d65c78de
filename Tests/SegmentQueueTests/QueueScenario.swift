import RecordBlocks
import SystemPackage
import TestSupport
import Testing

@testable import SegmentQueue

/// What a queue may live through. Each is a script whose sizes a seed chooses; crash points and error points go through all of them.
enum QueueScenario: String, CaseIterable, Sendable {
  /// A queue is made, closed, opened again.
  case creation
  /// Three sources append at the same time.
  case sources
  /// Segments roll while what was written is not yet synced.
  case rolling
  /// Streams come and go; each segment begins with a snapshot of them.
  case snapshots
  /// Segments are sealed: small blocks written anew, large ones renamed.
  case sealing
  /// Consumers commit, with batches in flight, are set back, come and go.
  case consumers
  /// Segments are deleted: read ones, aged ones, trimmed ones, with losers.
  case retention
  /// A sync of the active segment fails, with much of it durable, and with nothing of it.
  case spoilt
  /// A process is killed, and the next one recovers what is in the page cache only.
  case recovery
  /// Clients send records under keys, some of them twice at once, or again after rolls and restarts.
  case keys

  var mayLose: Bool { self == .retention }

  func fixture(seed: UInt64) -> QueueFixture {
    var fixture = QueueFixture(SimulatedFileSystem(seed: seed))
    fixture.options.segmentSize = self == .sources || self == .consumers ? 6_000 : 2_500
    if self == .sealing { fixture.options.segmentSize = 100_000 }
    if self == .retention { fixture.options.maxAge = .seconds(100 * 3600) }
    return fixture
  }

  func run(_ life: QueueLife) async throws {
    switch self {
    case .creation: try await create(life)
    case .sources: try await appendFromSeveral(life)
    case .rolling: try await roll(life)
    case .snapshots: try await changeStreams(life)
    case .sealing: try await seal(life)
    case .consumers: try await consume(life)
    case .retention: try await retain(life)
    case .spoilt: try await spoil(life)
    case .recovery: try await recover(life)
    case .keys: try await push(life)
    }
  }

  private func create(_ life: QueueLife) async throws {
    for _ in 0..<2 {
      let queue = try await life.open()
      let source = try await life.source("app", of: queue)
      _ = try await life.consumer("archive", of: queue)
      try await life.write(life.number(1...9), from: source)
      await queue.close()
    }
  }

  private func appendFromSeveral(_ life: QueueLife) async throws {
    let queue = try await life.open()
    let consumer = try await life.consumer("archive", of: queue)
    for _ in 0..<3 {
      try await withThrowingTaskGroup { group in
        for name in ["app", "nginx", "kernel"] {
          let source = try await life.source(name, of: queue)
          let counts = (0..<3).map { _ in life.number(1...25) }
          group.addTask { for count in counts { try await life.write(count, from: source) } }
        }
        try await group.waitForAll()
      }
      try await life.read(consumer)
    }
    await queue.close()
  }

  private func roll(_ life: QueueLife) async throws {
    let queue = try await life.open()
    let source = try await life.source("app", of: queue)
    let consumer = try await life.consumer("archive", of: queue)
    for _ in 0..<4 {
      try await life.writeAhead((0..<5).map { _ in life.number(5...30) }, from: source)
      try await life.read(consumer)
    }
    await queue.close()
  }

  private func changeStreams(_ life: QueueLife) async throws {
    for round in 0..<2 {
      let queue = try await life.open()
      let source = try await life.source("app", of: queue)
      for step in 0..<5 {
        let stream = UInt32(2 + step % 3)
        let change: CheckpointChange =
          step == 4
          ? .forget(stream: stream)
          : .set(stream: stream, identity: Array("file \(stream)".utf8), value: Array(repeating: UInt8(round), count: 90))
        _ = try await source.writer.write(RecordBatch(), checkpoints: [change])
        try await life.write(life.number(10...40), from: source)
      }
      await queue.close()
    }
  }

  private func seal(_ life: QueueLife) async throws {
    let queue = try await life.open()
    let source = try await life.source("app", of: queue)
    let consumer = try await life.consumer("archive", of: queue)
    for blocks in [7, 2, 6] {
      for _ in 0..<blocks { try await life.write(life.number(3...12), from: source) }
      try await life.read(consumer)
      try await life.attempt { try await queue.seal() }
    }
    await queue.close()
  }

  private func consume(_ life: QueueLife) async throws {
    var queue = try await life.open()
    let source = try await life.source("app", of: queue)
    for _ in 0..<4 { try await life.write(life.number(15...30), from: source) }
    let archive = try await life.consumer("archive", of: queue)
    for _ in 0..<3 {
      let end = try await life.read(archive, maxRecords: life.number(3...12), committing: false)
      try await life.commit(archive, archive.cursor, inFlightEnd: end)
      try await life.commit(archive, end)
    }
    let batch = try await life.consumer("nightly", of: queue)
    try await life.read(batch, maxRecords: 20)
    try await life.seek(batch, to: UInt64(life.number(0...9)))
    try await life.delete("nightly", of: queue)
    await queue.close()
    queue = try await life.open()
    let again = try await life.consumer("nightly", of: queue)
    try await life.read(again)
    try await life.read(try await life.consumer("archive", of: queue))
    await queue.close()
  }

  private func retain(_ life: QueueLife) async throws {
    let queue = try await life.open()
    let source = try await life.source("app", of: queue)
    let quick = try await life.consumer("quick", of: queue)
    let slow = try await life.consumer("slow", of: queue)
    for round in 0..<3 {
      try await life.writeAhead((0..<6).map { _ in life.number(10...30) }, from: source)
      try await life.attempt { try await queue.seal() }
      for _ in 0..<5 { try await life.read(quick, maxRecords: 40) }
      switch round {
      case 0:
        // The first are read by both.
        for _ in 0..<2 { try await life.read(slow, maxRecords: 45) }
        life.fixture.clock.advance(by: .seconds(25 * 3600))
        queue.applyAge()
      case 1: _ = try await life.attempt { try queue.trim(before: RecordBlocks.Offset(queue.startOffset.rawValue + 60)) }
      default:
        life.fixture.clock.advance(by: .seconds(101 * 3600))
        queue.applyAge()
      }
      try await life.write(life.number(1...5), from: source)
    }
    try await life.read(slow)
    await queue.close()
  }

  private func spoil(_ life: QueueLife) async throws {
    let queue = try await life.open()
    let source = try await life.source("app", of: queue)
    let consumer = try await life.consumer("archive", of: queue)
    for isEarly in [true, false, false] {
      if isEarly { try await queue.synchronize() } else { try await life.write(life.number(5...20), from: source) }
      // Not a seal's: that would be tried again only after a time that doesn't pass here.
      life.fixture.disk.failOperations(with: .ioError, once: true) { $0.kind == .sync && $0.path.hasSuffix(".active") }
      try await life.writeAhead((0..<3).map { _ in life.number(5...20) }, from: source)
      try await life.read(consumer)
      // When the roll met the failure, it is tried again after a time.
      if !isEarly { try await life.fixture.ticking(queue) { try await life.attempt { try await queue.seal() } } }
    }
    await queue.close()
  }

  private func push(_ life: QueueLife) async throws {
    for round in 0..<2 {
      let queue = try await life.open()
      let source = try await life.source("app", of: queue)
      let pushing = try await life.source(QueueLife.pushing, of: queue)
      for step in 0..<3 {
        let number = round * 10 + step * 3
        try await life.write(life.number(1...9), from: source)
        try await withThrowingTaskGroup { group in
          // The last of them twice, and one of those before.
          for number in [number, number + 1, number + 2, number + 2, life.number(0...number)] {
            group.addTask { try await life.push(number, from: pushing) }
          }
          try await group.waitForAll()
        }
        if step == 1 { try await life.attempt { try await queue.seal() } }
      }
      await queue.close()
    }
  }

  private func recover(_ life: QueueLife) async throws {
    for _ in 0..<3 {
      let queue = try await life.open()
      let source = try await life.source("app", of: queue)
      try await life.writeAhead((0..<3).map { _ in life.number(5...20) }, from: source)
      try await life.read(try await life.consumer("archive", of: queue))
      await queue.close()
    }
  }
}
