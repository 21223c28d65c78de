internal import CLinux
internal import Glibc
internal import Logging
internal import PipelineCore
internal import RecordBlocks

/// Takes datagrams from a socket, makes records of them, and hands these over; keeps what must outlive one run.
///
/// A round is what one `recvmmsg` gives. Its datagrams stay in the buffer until their records were written, so a write that is
/// cancelled is done again from there.
final class DatagramReceiver: @unchecked Sendable {  // one run at a time uses it: SyslogSource lends it out
  /// As many as one call takes.
  private static let roundCount = 64
  /// A round with fewer is followed by a nap: the more datagrams one call takes, the cheaper each is, and at moderate rates only a pause
  /// lets them gather
  /// (2.3 times less CPU at 200,000 a second). A first datagram after silence is handed over before the nap.
  private static let shortRound = 48
  private static let napMilliseconds: Int32 = 1
  /// How long a silent socket is waited for before the kernel's drop counter is looked at again.
  private static let idleMilliseconds: Int32 = 1000
  /// How often it is looked at while datagrams come without a pause.
  private static let dropCheckInterval: Int64 = 250_000_000
  private static let batchBytes = 256 << 10

  let socket: DatagramSocket
  private let configuration: SyslogSource.Configuration
  private let slotLength: Int
  private let buffer: UnsafeMutableRawPointer
  private let slots: UnsafeMutablePointer<linux_datagram>
  private var formatter: RecordFormatter
  private var drops: DropReconciler
  private var lastDropCheck: Int64
  /// The datagrams of the last round that are not yet written.
  private var unwritten = 0..<0
  private let report: (SyslogCounts) -> Void

  /// - Parameter report: is told what was counted since its last call.
  init(_ socket: DatagramSocket, _ configuration: SyslogSource.Configuration, report: @escaping @Sendable (SyslogCounts) -> Void) {
    self.socket = socket
    self.configuration = configuration
    self.report = report
    // Slots a multiple of 64 KiB apart would share the same few lines of every cache; an odd number of lines spreads them.
    slotLength = ((configuration.maxDatagramBytes + 1 + 63) / 64 | 1) * 64
    buffer = .allocate(byteCount: slotLength * Self.roundCount, alignment: 4096)
    slots = .allocate(capacity: Self.roundCount)
    slots.initialize(repeating: linux_datagram(), count: Self.roundCount)
    formatter = RecordFormatter(format: configuration.format, utcOffsetMinutes: configuration.utcOffsetMinutes)
    let now = configuration.wallClock()
    drops = DropReconciler(openedAt: now)
    lastDropCheck = now
  }

  deinit {
    buffer.deallocate()
    slots.deallocate()
  }

  /// Receives until the task is cancelled (`wake` ends waiting then); returns at once after that, whatever the socket still holds.
  func receive(into output: some RecordOutput, wake: WakeSignal) async throws {
    while !Task.isCancelled {
      let count = try receiveRound()
      if count == 0 {
        checkDrops(output)
        wait(for: wake, orDatagrams: true, Self.idleMilliseconds)
        continue
      }
      do {
        try await write(into: output)
      } catch is CancellationError {
        return
      }
      if count < Self.shortRound { wait(for: wake, orDatagrams: false, Self.napMilliseconds) }
    }
  }

  /// Writes what the socket holds at the end of a run, until it is empty or the task is cancelled; what is left then is taken and counted
  /// as lost.
  func drain(into output: some RecordOutput) async {
    do {
      try await write(into: output)
      while !Task.isCancelled, try receiveRound() > 0 { try await write(into: output) }
    } catch {
      configuration.logger.warning(
        "syslog: datagrams that had been received could not be written at the end and are counted as lost",
        metadata: ["source.name": "\(configuration.name)", "error": "\(error)"])
    }
    discardRest(output)
    checkDrops(output)
  }

  // MARK: A round

  /// Takes what waits, at most ``roundCount`` datagrams; 0 when nothing does.
  private func receiveRound() throws(SyslogSourceError) -> Int {
    var count: Int32
    repeat {
      count = linux_receive_datagrams(socket.fileDescriptor, buffer, slotLength, slots, Int32(Self.roundCount))
    } while count < 0 && errno == EINTR
    guard count >= 0 else {
      if errno == EAGAIN { return 0 }
      throw DatagramSocket.failure("receiving", for: configuration.listen, errno)
    }
    unwritten = 0..<Int(count)
    return Int(count)
  }

  /// Makes records of the round's unwritten datagrams and hands them over.
  /// - Throws: `CancellationError` when the output did: the datagrams are still unwritten. After another error they are counted as lost.
  private func write(into output: some RecordOutput) async throws {
    guard !unwritten.isEmpty else { return }
    let now = configuration.wallClock()
    formatter.setTime(now)
    while !unwritten.isEmpty {
      var batch = RecordBatch(minimumCapacity: expectedBytes(of: unwritten))
      formatter.counts = SyslogCounts()
      let end = fill(&batch)
      do {
        try await output.write(batch, checkpoints: [])
      } catch let error as CancellationError {
        throw error
      } catch {
        countLost(unwritten, output)
        unwritten = 0..<0
        throw error
      }
      for index in unwritten.lowerBound..<end {
        formatter.counts.datagrams += 1
        formatter.counts.bytes += UInt64(slots[index].length)
        if slots[index].has_drops != 0 { drops.observe(slots[index].drops, at: now) }
      }
      unwritten = end..<unwritten.upperBound
      report(formatter.counts)
      recordDrops(output, at: now)
    }
    if now - lastDropCheck >= Self.dropCheckInterval || now < lastDropCheck { checkDrops(output) }
  }

  /// Fills a batch from the unwritten datagrams; the first one that it doesn't take.
  private func fill(_ batch: inout RecordBatch) -> Int {
    for index in unwritten {
      let length = Int(slots[index].length)
      let kept = min(length, configuration.maxDatagramBytes)
      let datagram = UnsafeRawBufferPointer(start: buffer + index * slotLength, count: kept)
      formatter.append(datagram, from: slots[index], isCut: kept < length || slots[index].truncated != 0, to: &batch)
      if batch.byteCount >= Self.batchBytes { return index + 1 }
    }
    return unwritten.upperBound
  }

  /// What the records of these datagrams will mostly take, with the room that the last of them must find; the batch grows if it is more.
  private func expectedBytes(of range: Range<Int>) -> Int {
    var bytes = 0
    var largest = 0
    for index in range {
      let length = Int(slots[index].length)
      bytes += configuration.format == .json ? length * 2 + 384 : length + 1
      largest = max(largest, formatter.capacity(for: length))
    }
    return min(bytes, Self.batchBytes) + largest
  }

  // MARK: Losses

  /// Looks at the socket's drop counter, for drops that no later datagram tells of.
  private func checkDrops(_ output: some RecordOutput) {
    let now = configuration.wallClock()
    lastDropCheck = now
    let counter = linux_socket_drops(socket.fileDescriptor)
    if counter >= 0 { drops.observe(UInt32(truncatingIfNeeded: counter), at: now) }
    recordDrops(output, at: now)
  }

  private func recordDrops(_ output: some RecordOutput, at now: Int64) {
    guard let gap = drops.take(at: now) else { return }
    output.recordGap(gap)
    var counts = SyslogCounts()
    counts.kernelDrops = gap.records
    report(counts)
  }

  /// Takes what the socket still holds without writing it, so that it is counted. Bounded by one second's worth of datagrams.
  private func discardRest(_ output: some RecordOutput) {
    countLost(unwritten, output)
    unwritten = 0..<0
    for _ in 0..<16_384 {
      guard let count = try? receiveRound(), count > 0 else { return }
      countLost(unwritten, output)
      unwritten = 0..<0
    }
  }

  private func countLost(_ range: Range<Int>, _ output: some RecordOutput) {
    guard !range.isEmpty else { return }
    let now = configuration.wallClock()
    var bytes: UInt64 = 0
    for index in range {
      bytes += UInt64(slots[index].length)
      if slots[index].has_drops != 0 { drops.observe(slots[index].drops, at: now) }
    }
    output.recordGap(Gap(reason: .dropped, records: UInt64(range.count), bytes: bytes, firstTime: now, lastTime: now))
    var counts = SyslogCounts()
    counts.datagrams = UInt64(range.count)
    counts.bytes = bytes
    counts.unwritten = UInt64(range.count)
    report(counts)
  }

  // MARK: Waiting

  private func wait(for wake: WakeSignal, orDatagrams: Bool, _ milliseconds: Int32) {
    var descriptors = (
      pollfd(fd: wake.fileDescriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: socket.fileDescriptor, events: Int16(POLLIN), revents: 0)
    )
    _ = withUnsafeMutableBytes(of: &descriptors) { bytes in
      // An interrupted wait is no harm: the caller looks and waits again.
      poll(bytes.assumingMemoryBound(to: pollfd.self).baseAddress, orDatagrams ? 2 : 1, milliseconds)
    }
  }
}
