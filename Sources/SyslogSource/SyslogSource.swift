internal import Glibc
internal import Logging
public import PipelineCore
public import RecordBlocks
internal import Synchronization

/// Receives syslog over UDP: RFC 5424, RFC 3164 and what devices make of them, one record per datagram.
///
/// What a record is:
/// - In ``Format/json`` an object with RFC 5424's names; what a message doesn't have is left out. What can't be parsed has its whole text
///   in `message` and
///   the reason in `parse_error`; a `message` that wasn't valid UTF-8 has its bytes in `message_base64`. Line feeds and NULs that end a
///   datagram are no part of it.
/// - A timestamp without a year gets the one that brings it nearest to the time of receipt; one without a zone is taken as
///   ``Configuration/utcOffsetMinutes`` says (UTC).
/// - `peer` is the sender's address without its port. A sequence number of a Cisco device is `structured_data`'s `meta`, `sequenceId`.
/// - An empty datagram is a record too (in raw format an empty line), so that records and gaps add up to what was sent.
///
/// The kernel's drops become gaps. Nothing is read again after a crash: what the kernel still held, and what was read and not yet synced,
/// is lost then.
public final class SyslogSource: Source {
  private struct State {
    var socket: DatagramSocket?
    var receiver: DatagramReceiver?
    var isRunning = false
    var counts = SyslogCounts()
  }

  private let configuration: Configuration
  private let state = Mutex(State())
  private let dropWarnings: DropWarnings
  /// How long a cancelled run goes on writing what the kernel still holds.
  private let drainTime: Duration

  /// A source that does nothing yet; see ``bind()``.
  public convenience init(_ configuration: Configuration) { self.init(configuration, drainTime: .milliseconds(500)) }

  init(_ configuration: Configuration, drainTime: Duration) {
    precondition(
      (1...Configuration.largestDatagramBytes).contains(configuration.maxDatagramBytes), "a datagram's limit is 1 to 65,535 bytes")
    precondition(configuration.receiveBufferBytes > 0, "a receive buffer has at least one byte")
    precondition((-1439...1439).contains(configuration.utcOffsetMinutes), "an offset from UTC is less than a day")
    self.configuration = configuration
    self.drainTime = drainTime
    dropWarnings = DropWarnings(configuration)
  }

  /// The port that is listened on, once bound.
  public var localPort: Int? { state.withLock { $0.socket?.localPort } }

  /// What was done so far; each number only grows.
  public var counts: SyslogCounts { state.withLock { $0.counts } }

  /// Opens the socket, unless it is open: from now on the kernel takes datagrams. A run binds by itself; an application calls this first,
  /// so that a port in use is an error at its start.
  /// - Throws: an error that names the address and the remedy.
  public func bind() throws(SyslogSourceError) {
    let bound: DatagramSocket? = try state.withLock { (state) throws(SyslogSourceError) in
      guard state.socket == nil else { return nil }
      let socket = try DatagramSocket(configuration.listen, receiveBufferBytes: configuration.receiveBufferBytes)
      state.socket = socket
      return socket
    }
    guard let bound else { return }
    configuration.logger.info(
      "syslog: listening",
      metadata: [
        "source.name": "\(configuration.name)", "source.listen": "\(configuration.listen)", "source.port": "\(bound.localPort)",
        "source.receive_buffer_bytes": "\(bound.grantedBufferBytes)",
      ])
    // The kernel counts double, and its most is a byte less than 1 GiB.
    if bound.grantedBufferBytes / 2 + 1 < Int64(configuration.receiveBufferBytes) {
      configuration.logger.warning(
        "syslog: the kernel gives a smaller receive buffer than was asked for, so bursts are dropped earlier; raise net.core.rmem_max with sysctl, give the process CAP_NET_ADMIN, or ask for less in 'receive_buffer'",
        metadata: [
          "source.name": "\(configuration.name)", "asked_bytes": "\(configuration.receiveBufferBytes)",
          "granted_bytes": "\(bound.grantedBufferBytes / 2)",
        ])
    }
  }

  /// Receives until the task is cancelled, then writes what the kernel still holds (for half a second at most, the rest becomes a gap),
  /// closes the socket and returns.
  ///
  /// After an error the socket stays open, and another run goes on with what has gathered in it. There are no checkpoints: a datagram
  /// can't be read again.
  public func run(from checkpoints: [StreamCheckpoint], into output: some RecordOutput) async throws {
    try bind()
    let receiver = lendReceiver()
    defer { state.withLock { $0.isRunning = false } }
    let wake = WakeSignal()
    try await withTaskCancellationHandler {
      try await receiver.receive(into: output, wake: wake)
    } onCancel: {
      wake.signal()
    }
    // A cancelled task's writes are refused, so the rest is written by a task of its own, with its own end.
    let drain = Task { await receiver.drain(into: output) }
    let limit = Task { [drainTime] in
      try await Task.sleep(for: drainTime)
      drain.cancel()
    }
    await drain.value
    limit.cancel()
    dropWarnings.flush()
    state.withLock { state in
      state.receiver = nil
      state.socket = nil
    }
  }

  private func lendReceiver() -> DatagramReceiver {
    state.withLock { state in
      precondition(!state.isRunning, "a syslog source runs once at a time")
      guard let socket = state.socket else { preconditionFailure("a syslog source is bound before it runs") }
      state.isRunning = true
      if let receiver = state.receiver { return receiver }
      let receiver = DatagramReceiver(socket, configuration) { [weak self] counts in self?.add(counts) }
      state.receiver = receiver
      return receiver
    }
  }

  private func add(_ counts: SyslogCounts) {
    state.withLock { $0.counts.add(counts) }
    if counts.kernelDrops > 0 { dropWarnings.add(counts.kernelDrops) }
  }
}
