import Dispatch
import Glibc
import Logging
import TestSupport

@testable import StandardInputSource

/// A source that reads one end of a pipe on a thread of its own, and the other end.
final class PipeRun {
  let source: StandardInputSource
  let output = RecordingOutput()
  private(set) var task: Task<Void, any Error>?
  private let reading: Int32
  private let writing: Int32
  private var isOpen = true
  private let executor = DispatchTaskExecutor("stdin test")
  private let writer = DispatchQueue(label: "stdin writer")

  init(maxLineBytes: Int = 16 << 20, format: StandardInputSource.Format = .raw, finishTime: Duration = .seconds(30)) {
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0, "no pipe: errno \(errno)")
    (reading, writing) = (ends[0], ends[1])
    source = StandardInputSource(
      .init(
        name: "stdin", fileDescriptor: ends[0], maxLineBytes: maxLineBytes, format: format, hostName: "h\"1",
        wallClock: { 1_788_220_800_000_000_000 },
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })), finishTime: finishTime)
    start()
  }

  deinit {
    task?.cancel()
    closeWriting()
    close(reading)
  }

  func start() {
    let (source, output) = (source, output)
    task = Task(executorPreference: executor) { try await source.run(from: [], into: output) }
  }

  /// Writes all of `bytes` in pieces of `size`; returns when the pipe has taken them.
  func write(_ bytes: [UInt8], pieces size: Int = 1 << 20) async {
    let writing = writing
    await withCheckedContinuation { continuation in
      writer.async {
        var position = 0
        while position < bytes.count {
          let count = min(size, bytes.count - position)
          let written = bytes[position..<position + count].withUnsafeBytes { Glibc.write(writing, $0.baseAddress, count) }
          precondition(written > 0, "write: errno \(errno)")
          position += written
        }
        continuation.resume()
      }
    }
  }

  func write(_ text: String) async { await write(Array(text.utf8)) }

  /// Writes without blocking until the pipe is full; how many bytes that took.
  func fill() -> Int {
    _ = fcntl(writing, F_SETFL, fcntl(writing, F_GETFL) | O_NONBLOCK)
    defer { _ = fcntl(writing, F_SETFL, fcntl(writing, F_GETFL) & ~O_NONBLOCK) }
    let line = [UInt8](repeating: 0x66, count: 4095) + [0x0A]
    var total = 0
    while true {
      let written = line.withUnsafeBytes { Glibc.write(writing, $0.baseAddress, $0.count) }
      guard written > 0 else { return total }
      total += written
    }
  }

  /// Ends the input, and waits for the source to end.
  func end() async throws {
    closeWriting()
    try await task?.value
  }

  func cancel() async throws {
    task?.cancel()
    try await task?.value
  }

  private func closeWriting() {
    if isOpen { close(writing) }
    isOpen = false
  }
}
