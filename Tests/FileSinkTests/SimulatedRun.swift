import FileSink
import PipelineCore
import RecordBlocks
import SystemPackage
import TestSupport
import Testing

/// A sink on a simulated disk.
struct SimulatedRun {
  var template = "/logs/app-%d.log"
  var rotateBytes: UInt64? = 250
  var maxFiles: Int?

  func sink(on files: SimulatedFileSystem) throws -> FileSink {
    FileSink(
      .init(
        name: "archive", path: try PathTemplate(template), rotateBytes: rotateBytes, maxFiles: maxFiles,
        stateDirectory: try files.directory("/queue/consumers", create: true), fileSystem: files, logger: .silent))
  }

  /// Delivers `queue` from `commit` on.
  func deliver(
    _ queue: TestQueue, on files: SimulatedFileSystem, from commit: SinkDriver.Commit = .init(cursor: .zero, state: nil, time: 0),
    tries: Int = 0
  ) async throws -> SinkDriver {
    // The operations of this disk are counted anew.
    let driver = SinkDriver(queue, from: .init(cursor: commit.cursor, state: commit.state, time: 0)) { files.operationCount }
    driver.maxRecords = 9
    driver.deliveriesPerCommit = 2
    driver.triesLeft = tries
    let sink = try sink(on: files)
    try await driver.run(sink)
    await sink.close()
    return driver
  }

  /// All outputs, one after the other, as they are in the files.
  func output(on files: SimulatedFileSystem) -> [UInt8] {
    inOrder(files.names("/logs") ?? []).flatMap { files.contents(FilePath("/logs/\($0)")) ?? [] }
  }

  /// Three days of blocks of several sizes, some of them with lines that continue.
  static let input: TestQueue = {
    var queue = TestQueue()
    var random = SplitMix64(seed: 3)
    for index in 0..<18 {
      let lines = (0..<random.int(1...8)).map { _ in String(random.next(), radix: 36) }
      let second = 1_788_264_000 + Int64(index / 6) * 86_400
      queue.append(lines, at: second, unended: index % 6 == 2, continues: index % 6 == 3)
    }
    return queue
  }()
}

/// The bytes that outputs must have: gzip files are unpacked, all with one start of a shell.
func expect(_ outputs: [(what: String, bytes: [UInt8])], toBe expected: [UInt8], compressed: Bool) throws {
  // Only the different ones are worth unpacking, and reporting once.
  var groups: [[UInt8]: [String]] = [:]
  for output in outputs { groups[output.bytes, default: []].append(output.what) }
  let different = Array(groups)
  let unpacked = compressed ? try zcat(different.map(\.key)) : different.map(\.key)
  for (bytes, group) in zip(unpacked, different) {
    #expect(bytes == expected, "\(group.value.count) runs differ, the first: \(group.value[0])")
  }
}
