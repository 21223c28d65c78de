import Dispatch
import Glibc
import Logging
import PipelineCore
import RecordBlocks
import Synchronization
import Testing

@testable import StandardInputSource

@Suite(.timeLimit(.minutes(2))) struct StandardInputSourceTests {
  /// What a file sink would write: the lines, without the line feeds that were not in the input.
  private final class Output: RecordOutput {
    private let state = Mutex<(bytes: [UInt8], records: Int, owes: Bool)>(([], 0, false))
    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var records: Int { state.withLock { $0.records } }

    func write(_ batch: consuming RecordBatch, checkpoints: [CheckpointChange]) async throws -> Acknowledgement {
      let (continues, unended, count) = (batch.firstContinues, batch.lastIsUnended, batch.recordCount)
      let lines = batch.withLines { Array($0) }
      state.withLock { state in
        if state.owes && !continues { state.bytes.append(0x0A) }
        state.bytes += unended ? lines.dropLast() : lines[...]
        state.owes = unended
        state.records += count
      }
      return Acknowledgement {}
    }
    func recordGap(_ gap: Gap) {}
    func earlierCheckpoints(of stream: UInt32) async throws -> [[UInt8]] { [] }
  }

  /// Runs the source over `input`, written to a pipe in pieces of `piece` bytes.
  private func run(_ input: [UInt8], piece: Int, maxLineBytes: Int = 16 << 20) async throws -> (Output, StandardInputSource) {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    let output = Output()
    let source = StandardInputSource(
      StandardInputSource.Configuration(name: "stdin", fileDescriptor: reading, maxLineBytes: maxLineBytes, logger: Logger(label: "test")))
    // Both ends block: the writer needs a thread of its own.
    let written = DispatchSemaphore(value: 0)
    DispatchQueue.global().async {
      var position = 0
      while position < input.count {
        let count = min(piece, input.count - position)
        position += input[position..<position + count].withUnsafeBytes { Glibc.write(writing, $0.baseAddress, count) }
      }
      close(writing)
      written.signal()
    }
    try await source.run(from: [], into: output)
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        written.wait()
        continuation.resume()
      }
    }
    close(reading)
    return (output, source)
  }

  @Test(arguments: [1, 7, 4096, 1 << 20]) func `every byte comes out as it went in, however the writer cut it`(piece: Int) async throws {
    var input = Array("plain\n\n  blanks \t\n\u{0}nul\u{0}\n\u{1B}[31mred\r\n".utf8) + [0xFF, 0xFE, 0x0A]
    if piece > 1 { input += [UInt8](repeating: 0x61, count: 300_000) + [0x0A] }
    input += Array("no line feed".utf8)
    let (output, _) = try await run(input, piece: piece)
    #expect(output.bytes == input)
    #expect(output.records == input.split(separator: 0x0A, omittingEmptySubsequences: false).count)
  }

  @Test func `a line of 5 MB is one record`() async throws {
    let input = [UInt8](repeating: 0x62, count: 5_000_000) + [0x0A] + Array("next\n".utf8)
    let (output, source) = try await run(input, piece: 100_000)
    #expect(output.bytes == input)
    #expect(output.records == 2)
    #expect(source.splitLines == 0)
  }

  @Test func `a line over the limit is split, counted, and lost nowhere`() async throws {
    let input = [UInt8](repeating: 0x63, count: 2_500_000) + [0x0A] + Array("short\n".utf8)
    let (output, source) = try await run(input, piece: 100_000, maxLineBytes: 1_000_000)
    #expect(output.bytes == input)
    #expect(source.splitLines == 1)
  }

  @Test func `an empty input is no record`() async throws {
    let (output, _) = try await run([], piece: 1)
    #expect(output.records == 0)
  }

  @Test func `cancellation ends the wait for input`() async throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let source = StandardInputSource(
      StandardInputSource.Configuration(name: "stdin", fileDescriptor: ends[0], logger: Logger(label: "test")))
    let running = Task.detached { try await source.run(from: [], into: Output()) }
    running.cancel()
    _ = await running.result
    close(ends[0])
    close(ends[1])
  }
}
