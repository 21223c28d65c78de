internal import RecordBlocks
internal import Testing

@testable internal import sluice

@Suite struct `Lines that wait to be pushed` {
  private func batch(_ lines: [String], unended: Bool = false) -> RecordBatch {
    var batch = RecordBatch()
    for (index, line) in lines.enumerated() {
      var line = line
      line.withUTF8 { batch.append(UnsafeRawBufferPointer($0), unended: unended && index == lines.count - 1) }
    }
    return batch
  }

  /// Every body, as text.
  private func bodies(of buffer: PushBuffer) async -> [String] {
    var bodies: [String] = []
    while let body = await buffer.next() { bodies.append(String(decoding: body, as: UTF8.self)) }
    return bodies
  }

  @Test func `what comes while nobody takes it goes in one body`() async throws {
    let buffer = PushBuffer()
    _ = try await buffer.write(batch(["one", "two"]), checkpoints: [])
    _ = try await buffer.write(batch(["three"]), checkpoints: [])
    await buffer.end()
    #expect(await bodies(of: buffer) == ["one\ntwo\nthree\n"])
  }

  @Test func `a line that had no line feed ends its body`() async throws {
    let buffer = PushBuffer()
    _ = try await buffer.write(batch(["one", "begin"], unended: true), checkpoints: [])
    _ = try await buffer.write(batch([" and end"]), checkpoints: [])
    await buffer.end()
    #expect(await bodies(of: buffer) == ["one\nbegin", " and end\n"])
  }

  @Test func `a body is taken before the writer goes beyond the bound`() async throws {
    let buffer = PushBuffer()
    let large = String(repeating: "x", count: 3 << 20)
    let taken = try await withThrowingTaskGroup(of: [String].self) { group in
      group.addTask {
        for _ in 0..<4 { _ = try await buffer.write(batch([large]), checkpoints: []) }
        await buffer.end()
        return []
      }
      group.addTask { await bodies(of: buffer) }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(taken.map(\.utf8.count) == Array(repeating: large.utf8.count + 1, count: 4))
  }

  @Test func `a writer hears of a failure, also while it waits`() async throws {
    let buffer = PushBuffer()
    let large = String(repeating: "x", count: 3 << 20)
    _ = try await buffer.write(batch([large]), checkpoints: [])
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(throws: CommandFailure.self) { _ = try await buffer.write(batch([large]), checkpoints: []) }
      }
      await buffer.fail(CommandFailure(.failure, "no server"))
    }
    await #expect(throws: CommandFailure.self) { _ = try await buffer.write(batch(["one"]), checkpoints: []) }
  }
}
