import Foundation
import Glibc
import Logging
import RecordBlocks
import TestSupport
import Testing

@testable import StandardInputSource

@Suite("Standard input", .timeLimit(.minutes(2)))
struct StandardInputSourceTests {
  @Test(arguments: [1, 7, 4096, 1 << 20])
  func `every byte comes out as it went in, however the writer cut it`(piece: Int) async throws {
    var input = Array("plain\n\n  blanks \t\n\u{0}nul\u{0}\n\u{1B}[31mred\r\n".utf8) + [0xFF, 0xFE, 0x0A]
    if piece > 1 { input += [UInt8](repeating: 0x61, count: 300_000) + [0x0A] }
    input += Array("no line feed".utf8)
    let run = PipeRun()
    await run.write(input, pieces: piece)
    try await run.end()
    #expect(run.output.bytes == input)
    #expect(run.output.records == input.split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) })
    #expect(run.source.counts.bytes == UInt64(input.count))
    #expect(run.source.counts.records == UInt64(run.output.records.count))
  }

  @Test func `a line of 5 MB is one record`() async throws {
    let input = [UInt8](repeating: 0x62, count: 5_000_000) + [0x0A] + Array("next\n".utf8)
    let run = PipeRun()
    await run.write(input, pieces: 100_000)
    try await run.end()
    #expect(run.output.bytes == input)
    #expect(run.output.records.count == 2)
    #expect(run.source.splitLines == 0)
  }

  @Test(arguments: [300, 1 << 20])
  func `a line over the limit is split and counted, one of exactly the limit isn't`(piece: Int) async throws {
    let lines = [2500, 1000, 1001, 0, 999, 3000].map { [UInt8](repeating: 0x63, count: $0) }
    let run = PipeRun(maxLineBytes: 1000)
    let input = Array(lines.joined(separator: [0x0A]))
    await run.write(input, pieces: piece)
    try await run.end()
    #expect(run.output.bytes == input)
    #expect(run.output.records.map(\.count) == [1000, 1000, 500, 1000, 1000, 1, 0, 999, 1000, 1000, 1000])
    #expect(run.source.splitLines == 3)
  }

  @Test func `random input with every length of line comes out byte for byte`() async throws {
    let seed: UInt64 = 0x57D1
    var random = SplitMix64(seed: seed)
    for round in 0..<20 {
      let run = PipeRun(maxLineBytes: random.int(1...5000))
      var input: [UInt8] = []
      while input.count < 400_000 {
        input += random.bytes(random.int(0..<(random.chance(1, in: 20) ? 20_000 : 200)))
        if random.chance(3, in: 4) { input.append(0x0A) }
      }
      await run.write(input, pieces: random.int(1...100_000))
      try await run.end()
      guard run.output.bytes == input else {
        Issue.record("seed \(seed), round \(round): the output differs")
        return
      }
    }
  }

  @Test(arguments: ["", "\n", "\n\n\n", "x", "x\n"])
  func `the end of input delivers what is there and no more`(_ input: String) async throws {
    let run = PipeRun()
    await run.write(input)
    try await run.end()
    #expect(run.output.bytes == Array(input.utf8))
    #expect(
      run.output.records.count == input.split(separator: "\n", omittingEmptySubsequences: false).count
        - (input.hasSuffix("\n") || input.isEmpty ? 1 : 0))
  }

  @Test func `a whole line is handed over while the writer goes on with the next`() async throws {
    let run = PipeRun()
    await run.write("first\nsec")
    let first = try await run.output.wait { $0.records == [Array("first".utf8)] }
    await run.write("ond\n")
    let second = try await run.output.wait { $0.records.last == Array("second".utf8) }
    #expect(first && second)
    try await run.end()
  }

  @Test func `while a write waits the pipe fills, and all comes out when it goes on`() async throws {
    let run = PipeRun()
    run.output.behave(.block)
    await run.write("first\n")
    let blocked = try await run.output.wait { $0.attempts == 1 }
    #expect(blocked)
    let filled = run.fill()
    // Full for good: nobody reads.
    #expect(run.fill() == 0)
    run.output.behave(.take)
    try await run.end()
    #expect(run.output.bytes.count == 6 + filled)
    #expect(run.output.largestBatch <= (256 << 10) + 4096)
  }

  @Test func `cancelling delivers what was read, the beginning of a line too`() async throws {
    let run = PipeRun()
    await run.write("whole\nbegin")
    let came = try await run.output.wait { $0.records.count == 1 }
    #expect(came)
    try await run.cancel()
    #expect(run.output.bytes == Array("whole\nbegin".utf8))
    #expect(run.output.gaps.isEmpty)
  }

  @Test func `cancelling ends the wait for input, with nothing read nothing is delivered`() async throws {
    let run = PipeRun()
    try await run.cancel()
    #expect(run.output.attempts == 0)
  }

  @Test func `what can't be written at the end is a gap`() async throws {
    let run = PipeRun(finishTime: .milliseconds(1))
    run.output.behave(.block)
    await run.write("one\ntwo\nbegin")
    let blocked = try await run.output.wait { $0.attempts == 1 }
    #expect(blocked)
    try await run.cancel()
    #expect(run.output.records.isEmpty)
    #expect(
      run.output.gaps == [
        Gap(reason: .dropped, records: 3, bytes: 14, firstTime: 1_788_220_800_000_000_000, lastTime: 1_788_220_800_000_000_000)
      ])
    #expect(run.source.counts.unwritten == 3)
  }

  @Test func `after a failed write another run goes on from there`() async throws {
    let run = PipeRun()
    run.output.behave(.fail)
    await run.write("one\ntwo")
    await #expect(throws: RecordingOutput.Failure.self) { try await run.task?.value }
    run.output.behave(.take)
    run.start()
    await run.write("\nthree\n")
    try await run.end()
    #expect(run.output.bytes == Array("one\ntwo\nthree\n".utf8))
  }

  @Test func `in JSON a line is an object with time, host and message`() async throws {
    let run = PipeRun(maxLineBytes: 10, format: .json)
    await run.write(Array("tab\t\"q\"\n\n".utf8) + [0x61, 0xFF, 0x0A] + Array("0123456789abcdefghijXY\nend".utf8))
    try await run.end()
    let common = #"{"timestamp":"2026-09-01T00:00:00.000000Z","host":"h\"1","message":"#
    #expect(
      run.output.records.map { String(decoding: $0, as: UTF8.self) } == [
        common + #""tab\t\"q\""}"#, common + #"""}"#, common + "\"a\u{FFFD}\",\"invalid_utf8\":true}",
        common + #""0123456789","unended":true}"#,
        common + #""abcdefghij","unended":true,"continues":true}"#, common + #""XY","continues":true}"#, common + #""end"}"#,
      ])
    for record in run.output.records { #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(record)) } }
    #expect(run.source.counts.notUTF8 == 1)
    #expect(run.source.counts.splitLines == 1)
  }

  @Test func `in JSON many empty lines and the longest line stay within a batch's bound`() async throws {
    let run = PipeRun(format: .json)
    let empty = [UInt8](repeating: 0x0A, count: 20_000)
    let long = [UInt8](repeating: 0x01, count: JSONLineWriter.maximumLineBytes + 1)
    await run.write(empty + long)
    try await run.end()
    #expect(run.output.records.count == 20_002)
    #expect(run.output.largestBatch <= BlockHeader.maximumLineBytes)
    #expect(run.output.records.dropLast(2).allSatisfy { $0.count < 200 })
    #expect(run.output.records[20_000].count > 6 * JSONLineWriter.maximumLineBytes)
  }

  @Test func `a regular file is read to its end`() async throws {
    let directory = TemporaryDirectory()
    let path = "\(directory.path)/input"
    let input = Array(String(repeating: "a line of a file\n", count: 50_000).utf8)
    try Data(input).write(to: URL(filePath: path))
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    let output = RecordingOutput()
    try await source(descriptor).run(from: [], into: output)
    #expect(output.bytes == input)
  }

  @Test func `a directory and a closed descriptor are errors with remedies`() async throws {
    let directory = TemporaryDirectory()
    let descriptor = open("\(directory.path)", O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    for (number, remedy) in [(descriptor, "give it a file or a pipe"), (1_000_000, "start Sluice with its standard input open")] {
      await #expect {
        try await source(number).run(from: [], into: RecordingOutput())
      } throws: { error in
        "\(error)".contains(remedy) && "\(error)".contains("(descriptor \(number))")
      }
    }
  }

  private func source(_ descriptor: Int32) -> StandardInputSource {
    StandardInputSource(
      .init(name: "stdin", fileDescriptor: descriptor, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
  }
}
