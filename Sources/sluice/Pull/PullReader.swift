internal import Glibc
internal import RecordBlocks
internal import SegmentQueue
internal import SystemPackage

/// Reads a queue's files for `sluice pull` without holding the queue; waits for more where that was asked for.
struct PullReader {
  /// How often the files are looked at while waiting. (Another process's queue can't wake us.)
  static let pause = Duration.milliseconds(50)

  /// After this the files are read again even if nothing seems to have happened.
  static let longestPause = Duration.seconds(2)

  private let command: PullCommand
  private var files: QueueFiles
  private var lookedAt = ContinuousClock.now
  /// When the durable end was last written, as the file system tells.
  private var toldAt: Int64 = 0
  private var allowance: Allowance
  private var place: Offset
  /// What the consumer has lost at its cursor: it is told before anything is read.
  private var loss: QueueFiles.PendingLoss?

  init(_ command: PullCommand) throws {
    self.command = command
    toldAt = Self.timeTold(command.queue.path)
    files = try command.queue.files()
    allowance = Allowance(records: command.maxRecords, bytes: command.maxBytes?.bytes)
    if let name = command.consumer {
      let consumer = try command.queue.knownConsumer(name)
      place = consumer.cursor
      loss = consumer.pendingLoss
    } else {
      place = try (command.from ?? .oldest).resolved(in: files.startOffset..<files.durableEnd, of: command.queue.queue)
    }
  }

  mutating func run() async throws {
    let destination = try command.destination()
    let start = place
    let deadline = command.wait.map { ContinuousClock.now + $0.duration }
    while true {
      try draw(to: destination)
      try destination.flush()
      if allowance.isUsedUp { break }
      if !command.follow {
        guard place == start, let deadline, ContinuousClock.now < deadline else { break }
      }
      try await Task.sleep(for: Self.pause)
      try lookAgain()
    }
    try destination.finish()
  }

  /// Reads the queue's files anew when their holder has told another durable end.
  private mutating func lookAgain() throws {
    let told = Self.timeTold(command.queue.path)
    guard told != toldAt || ContinuousClock.now - lookedAt >= Self.longestPause else { return }
    toldAt = told
    lookedAt = .now
    files = try command.queue.files()
  }

  /// The holder rewrites this file after each sync.
  private static func timeTold(_ queue: FilePath) -> Int64 {
    var status = stat()
    guard stat(queue.appending("lock").string, &status) == 0 else { return 0 }
    return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
  }

  private mutating func draw(to destination: any PullDestination) throws {
    var (allowance, place) = (allowance, place)
    defer { (self.allowance, self.place) = (allowance, place) }
    if let loss {
      PullCommand.tell(loss.gap, place..<loss.next)
      place = loss.next
      self.loss = nil
    }
    guard place < files.durableEnd else { return }
    try files.read(from: place) { batch in
      switch batch.content {
      case .gap(let gap):
        PullCommand.tell(gap, batch.first..<batch.next)
        place = batch.next
        return true
      case .records(let slices):
        let (taken, isAll) = try allowance.take(slices)
        try destination.write(taken)
        place = isAll ? batch.next : taken.last.map(\.range.upperBound) ?? place
        return isAll && !allowance.isUsedUp
      }
    }
  }
}
