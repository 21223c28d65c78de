import FileSink
import Glibc
import PipelineCore
import RecordBlocks
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite struct `The standard output sink` {
  /// A pipe's two ends.
  struct Ends {
    let read: Int32
    let write: Int32

    init() {
      var ends: [Int32] = [0, 0]
      precondition(pipe(&ends) == 0)
      read = ends[0]
      write = ends[1]
    }

    /// Everything until the writing end is closed.
    func readAll() -> PipeReader { PipeReader(read) }
  }

  func open(_ sink: StandardOutputSink) async throws {
    try await sink.open(SinkStart(state: nil, cursor: .zero, queueHoldsCursor: true))
  }

  @Test func `Lines go through a pipe byte for byte, small and large`() async throws {
    var queue = TestQueue()
    for index in 0..<200 { queue.append(["line \(index)", "", "\t\u{1B} "]) }
    for _ in 0..<8 { queue.append([String(repeating: "x", count: 300_000)]) }
    queue.append(["a"], unended: true)
    queue.append(["b"], unended: true, continues: true)
    queue.append(["c"], source: 2)
    queue.append(["end"], unended: true)
    let ends = Ends()
    let output = ends.readAll()
    let sink = StandardOutputSink(fileDescriptor: ends.write)
    #expect(sink.recovery == .repeatsRange)
    let driver = SinkDriver(queue)
    driver.maxRecords = 150
    try await driver.run(sink)
    #expect(driver.committed.state == SinkState())
    await sink.close()
    Glibc.close(ends.write)
    let written = output.value
    #expect(try written == queue.bytes)
  }

  @Test(arguments: [false, true]) func `Gaps are passed over, or written as one line of JSON`(_ writeGaps: Bool) async throws {
    var queue = TestQueue()
    queue.append(["a"], unended: true)
    queue.appendGap(5, .kernelDrop)
    queue.append(["b"])
    queue.appendGap(2, .lostTail, at: 0)
    let ends = Ends()
    let output = ends.readAll()
    let sink = StandardOutputSink(fileDescriptor: ends.write, writeGaps: writeGaps)
    try await SinkDriver(queue).run(sink)
    await sink.close()
    Glibc.close(ends.write)
    let first =
      #"{"sluice_gap":{"first":1,"next":6,"reason":"kernel_drop","records":5,"bytes":50,"first_time":"2026-09-01T13:20:00.000Z","last_time":"2026-09-01T13:20:00.000Z"}}"#
    let second =
      #"{"sluice_gap":{"first":7,"next":9,"reason":"lost_tail","records":2,"bytes":20,"first_time":null,"last_time":null}}"#
    #expect(String(decoding: output.value, as: UTF8.self) == (writeGaps ? "a\n\(first)\nb\n\(second)\n" : "a\nb\n"))
  }

  @Test(arguments: Gap.Reason.allCases) func `A line whose middle is lost is broken there`(_ reason: Gap.Reason) async throws {
    var queue = TestQueue()
    queue.append(["begun"], unended: true)
    queue.appendGap(5, reason)
    queue.append(["ended"], continues: true)
    let ends = Ends()
    let output = ends.readAll()
    let sink = StandardOutputSink(fileDescriptor: ends.write)
    try await SinkDriver(queue).run(sink)
    await sink.close()
    Glibc.close(ends.write)
    let breaks = [.dropOldest, .retention, .corruptBlock, .lostTail].contains(reason)
    #expect(String(decoding: output.value, as: UTF8.self) == (breaks ? "begun\nended\n" : "begunended\n"))
  }

  @Test func `Other users of the pipe still see it blocking`() async throws {
    let ends = Ends()
    let sink = StandardOutputSink(fileDescriptor: ends.write)
    try await open(sink)
    #expect(fcntl(ends.write, F_GETFL) & O_NONBLOCK == 0)
    await sink.close()
    Glibc.close(ends.read)
    Glibc.close(ends.write)
  }

  @Test func `A descriptor that someone else made non-blocking is waited for`() async throws {
    var sockets: [Int32] = [0, 0]
    precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &sockets) == 0)
    _ = fcntl(sockets[0], F_SETFL, O_NONBLOCK)
    var queue = TestQueue()
    for _ in 0..<20 { queue.append([String(repeating: "y", count: 200_000)]) }
    let output = PipeReader(sockets[1])
    let sink = StandardOutputSink(fileDescriptor: sockets[0])
    try await SinkDriver(queue).run(sink)
    await sink.close()
    Glibc.close(sockets[0])
    #expect(try output.value == queue.bytes)
  }

  @Test func `When the reader goes away it is told once, and nothing counts as delivered`() async throws {
    var queue = TestQueue()
    queue.append(["line"])
    let ends = Ends()
    let told = Atomic(0)
    let sink = StandardOutputSink(fileDescriptor: ends.write) { told.add(1, ordering: .relaxed) }
    try await open(sink)
    Glibc.close(ends.read)
    for _ in 0..<3 {
      let error = await #expect(throws: DeliveryError.self) { _ = try await sink.deliver(try #require(queue.delivery(from: .zero))) }
      #expect(error?.advice == .waitForOperator)
      #expect(error?.message.contains("nobody reads the other end") == true)
    }
    #expect(told.load(ordering: .relaxed) == 1)
    await sink.close()
    Glibc.close(ends.write)
  }

  @Test func `A reader that takes nothing doesn't hold up cancellation, and the next try goes on where it stopped`() async throws {
    var queue = TestQueue()
    queue.append([String(repeating: "z", count: 1_000_000)])
    let ends = Ends()
    let sink = StandardOutputSink(fileDescriptor: ends.write)
    try await open(sink)
    let delivery = try #require(queue.delivery(from: .zero))
    let stuck = Task.detached(executorPreference: ThreadExecutor()) { try await sink.deliver(delivery) }
    // The pipe is full when nothing more can be written without waiting.
    var space = pollfd(fd: ends.write, events: Int16(POLLOUT), revents: 0)
    while poll(&space, 1, 0) == 1 { await Task.yield() }
    stuck.cancel()
    let error = await #expect(throws: DeliveryError.self) { _ = try await stuck.value }
    #expect(error?.advice == .retry(after: nil))
    let output = ends.readAll()
    #expect(try await sink.deliver(delivery) == delivery.next)
    await sink.close()
    Glibc.close(ends.write)
    let written = output.value
    #expect(try written == queue.bytes)
  }

  @Test func `A regular file is appended to where it stands`() async throws {
    let temporary = TemporaryDirectory()
    let path = temporary.path.appending("out.log")
    let descriptor = Glibc.open(path.string, O_WRONLY | O_CREAT, 0o600)
    _ = Glibc.write(descriptor, "before\n", 7)
    var queue = TestQueue()
    queue.append(["line"])
    try await SinkDriver(queue).run(StandardOutputSink(fileDescriptor: descriptor))
    Glibc.close(descriptor)
    #expect(try text(contents(path)) == "before\nline\n")
  }
}

/// Reads a descriptor to its end, on a thread that starts at once, and closes it.
final class PipeReader: Sendable {
  private let finished = WakeSignal()
  private let bytes = Mutex<[UInt8]>([])

  init(_ descriptor: Int32) {
    startThread {
      var buffer = [UInt8](repeating: 0, count: 70_000)
      while true {
        let got = read(descriptor, &buffer, buffer.count)
        if got <= 0 { break }
        self.bytes.withLock { $0 += buffer[..<got] }
      }
      close(descriptor)
      self.finished.signal()
    }
  }

  /// All bytes, once the writing end is closed. Blocks.
  var value: [UInt8] {
    var wait = pollfd(fd: finished.fileDescriptor, events: Int16(POLLIN), revents: 0)
    while poll(&wait, 1, -1) < 1 {}
    return bytes.withLock { $0 }
  }
}

/// Gives each step of a task a thread of its own, so that the task may block.
final class ThreadExecutor: TaskExecutor {
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    startThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

/// Runs `work` on a thread of its own, so that it may block.
func startThread(_ work: @escaping @Sendable () -> Void) {
  final class Box {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }
  var thread = pthread_t()
  let result = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().work()
      return nil
    }, Unmanaged.passRetained(Box(work)).toOpaque())
  precondition(result == 0)
  pthread_detach(thread)
}
