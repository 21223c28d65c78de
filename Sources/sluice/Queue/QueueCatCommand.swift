internal import ArgumentParser
internal import Glibc
internal import PipelineRuntime
internal import QueueClient
internal import RecordBlocks
internal import SegmentQueue

/// `sluice queue cat`.
struct QueueCatCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat", abstract: "Print the queue's lines, also while it is in use.",
    discussion: "Prints up to what was durable at the start. 'sluice pull' waits for more, and remembers how far it came.")

  @OptionGroup var queue: QueueArgument

  @Option(help: ArgumentHelp("The first record to print: oldest, newest, an offset, or at a server a time.", valueName: "OFFSET"))
  var from: OffsetArgument = .oldest

  @Option(help: ArgumentHelp("The most lines to print.", valueName: "N"))
  var count: Int?

  @Flag(help: "Tell gaps (records that were lost) on standard error.")
  var gaps = false

  @Flag(help: "In a queue of dead letters: print the records themselves, byte for byte, instead of the JSON that they stand in.")
  var decode = false

  func validate() throws {
    if let count, count < 0 { throw ValidationError("--count is a number of lines, 0 or more") }
  }

  func run() async throws {
    if let source = try queue.atServer() { return try await printLines(of: source) }
    let files = try queue.files()
    let start = try from.resolved(in: files.startOffset..<files.durableEnd, of: queue.queue)
    var allowance = Allowance(records: count)
    guard !allowance.isUsedUp else { return }
    try files.read(from: start) { batch in
      switch batch.content {
      case .gap(let gap):
        if gaps { DiagnosticOutput.shared.line(gap.sentence(batch.first..<batch.next)) }
        return true
      case .records(let slices):
        let (taken, isAll) = try allowance.take(slices)
        for slice in taken {
          let lines = try decode ? decoded(slice) : slice.lines()
          try lines.withUnsafeBytes { (bytes) throws(CommandFailure) in try StandardOutput.write(bytes) }
        }
        return isAll && !allowance.isUsedUp
      }
    }
  }

  /// The records that a slice's dead letters hold.
  private func decoded(_ slice: BlockSlice) throws -> SharedBytes {
    let lines = try slice.lines()
    var records = RecordBatch(minimumCapacity: lines.count)
    var offset = slice.range.lowerBound
    try lines.withUnsafeBytes { (bytes) throws(CommandFailure) in
      var position = 0
      while position < bytes.count, let found = memchr(bytes.baseAddress! + position, 0x0A, bytes.count - position) {
        let end = UnsafeRawPointer(found) - bytes.baseAddress!
        guard DeadLetters.appendRecord(of: UnsafeRawBufferPointer(rebasing: bytes[position..<end]), to: &records) != nil else {
          throw CommandFailure(
            .usage,
            "record \(offset) of \(queue.queue) is no dead letter; --decode is for the queues whose names end with \(DeadLetters.suffix)")
        }
        offset = offset + 1
        position = end + 1
      }
    }
    return records.intoSharedBytes()
  }

  private func printLines(of source: RemoteQueueHandle) async throws {
    guard count != 0 else { return }
    let plan = RemotePull<QueueClient>.Plan(queue: source.queue, from: from, maxRecords: count, batchBytes: 4 << 20, skipLost: true)
    let pull = RemotePull(server: source.client, plan: plan, stop: PullStop()) { [gaps] in
      if gaps { DiagnosticOutput.shared.line(Escaping.escaped($0)) }
    }
    try await pull.draw(from: try await pull.begin(), into: StandardOutputBatches())
  }
}
