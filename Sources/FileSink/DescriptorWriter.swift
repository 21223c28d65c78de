internal import Glibc
internal import PipelineCore
internal import RecordBlocks
internal import SystemPackage

/// Writes lines to a descriptor that may be a pipe, a terminal, a socket or a file, and that other processes may share.
struct DescriptorWriter {
  /// How a write ended.
  enum Outcome {
    case done
    case interrupted
    case readerGone
    case unreadable(Range<Offset>)
    case failed(Errno)
  }

  /// What a blocking pipe takes without blocking once `poll` says that it is writable (`man 7 pipe`, PIPE_BUF).
  private static let safeBytes = 4096
  /// Where a write can't block, how much goes in one: large enough that its cost doesn't show.
  private static let largeBytes = 1 << 20

  private let descriptor: Int32
  /// The same pipe or terminal, opened anew: O_NONBLOCK belongs to an open file, so it can be set here without changing what other
  /// processes see.
  private var ownDescriptor: Int32 = -1
  private var isFile = false
  private var isSocket = false
  private var largestWrite = safeBytes
  private var withheld = WithheldLineFeed.none
  /// The delivery that was begun last, how many of its bytes are written, and what was withheld before it: when it is tried again, it
  /// goes on there.
  private var progress = (key: "", bytes: 0, withheld: WithheldLineFeed.none)
  /// How many bytes of the present delivery were written by an earlier try and are still to be passed over.
  private var bytesToSkip = 0
  private let codec = BlockCodec.shared

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Looks at what the descriptor is.
  mutating func prepare() {
    // A disposition that someone else set is theirs; the default would end the process.
    var action = sigaction()
    if sigaction(SIGPIPE, nil, &action) == 0, action.__sigaction_handler.sa_handler == nil { signal(SIGPIPE, SIG_IGN) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return }
    let kind = status.st_mode & S_IFMT
    isFile = kind == S_IFREG
    isSocket = kind == S_IFSOCK
    if kind == S_IFIFO || isatty(descriptor) == 1, ownDescriptor < 0 {
      ownDescriptor = Glibc.open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    }
    largestWrite = isFile || isSocket || ownDescriptor >= 0 ? Self.largeBytes : Self.safeBytes
  }

  /// Writes the lines of `slices`, small ones gathered. What an earlier, interrupted try under the same key has written isn't written
  /// again.
  mutating func write(_ slices: [BlockSlice], key: String, interruptedBy wake: WakeSignal) -> Outcome {
    begin(key)
    let outcome = write(slices, interruptedBy: wake)
    if case .done = outcome { progress = ("", 0, .none) }
    return outcome
  }

  /// Writes a line of our own, which has its line feed; an earlier line that had none in its input is ended first.
  mutating func write(line: String, key: String, interruptedBy wake: WakeSignal) -> Outcome {
    begin(key)
    let bytes = (withheld == .none ? [] : [0x0A]) + Array(line.utf8)
    withheld = .none
    let outcome = bytes.withUnsafeBytes { write($0, interruptedBy: wake) }
    if case .done = outcome { progress = ("", 0, .none) }
    return outcome
  }

  /// Records were lost: what comes next doesn't go on with a line that has no line feed yet.
  mutating func endLineBeforeNextRecord() {
    if withheld != .none { withheld = .always }
  }

  /// A delivery begins, or one that was interrupted goes on where it was.
  private mutating func begin(_ key: String) {
    if progress.key == key {
      withheld = progress.withheld
      bytesToSkip = progress.bytes
    } else {
      progress = (key, 0, withheld)
      bytesToSkip = 0
    }
  }

  private mutating func write(_ slices: [BlockSlice], interruptedBy wake: WakeSignal) -> Outcome {
    var gathered: [UInt8] = []
    for slice in slices where slice.block.header.kind == .lines && slice.block.header.lineByteCount > 0 {
      let source = slice.block.header.source
      let piece: OutputPiece
      do throws(BlockDamage) { piece = try OutputPiece(slice, compressed: false, codec: codec) } catch { return .unreadable(slice.range) }
      guard case .lines(let lines) = piece else { preconditionFailure("asked for lines") }
      if withheld != .none, !(slice.firstContinues && withheld == .unlessContinued(by: source)) { gathered.append(0x0A) }
      withheld = slice.lastIsUnended ? .unlessContinued(by: source) : .none
      if lines.count < 64 << 10 {
        lines.withUnsafeBytes { gathered.append(contentsOf: $0) }
        if gathered.count < 256 << 10 { continue }
      }
      let outcome = gathered.withUnsafeBytes { write($0, interruptedBy: wake) }
      guard case .done = outcome else { return outcome }
      gathered.removeAll(keepingCapacity: true)
      if lines.count >= 64 << 10 {
        let outcome = lines.withUnsafeBytes { write($0, interruptedBy: wake) }
        guard case .done = outcome else { return outcome }
      }
    }
    return gathered.withUnsafeBytes { write($0, interruptedBy: wake) }
  }

  private mutating func write(_ bytes: UnsafeRawBufferPointer, interruptedBy wake: WakeSignal) -> Outcome {
    let target = ownDescriptor >= 0 ? ownDescriptor : descriptor
    var done = min(bytesToSkip, bytes.count)
    bytesToSkip -= done
    while done < bytes.count {
      var waits = [
        pollfd(fd: target, events: Int16(POLLOUT), revents: 0), pollfd(fd: wake.fileDescriptor, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&waits, 2, -1) >= 0 else {
        if errno == EINTR { continue }
        return .failed(Errno(rawValue: errno))
      }
      if waits[1].revents != 0 { return .interrupted }
      let rest = bytes.baseAddress! + done
      let count = min(bytes.count - done, largestWrite)
      let put =
        isSocket ? send(target, rest, count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) : Glibc.write(target, rest, count)
      if put >= 0 {
        done += put
        progress.bytes += put
        continue
      }
      switch errno {
      case EINTR, EAGAIN: continue
      case EPIPE, ECONNRESET: return .readerGone
      default: return .failed(Errno(rawValue: errno))
      }
    }
    return .done
  }

  /// Syncs a regular file; the reason when that failed.
  func sync() -> Errno? {
    guard isFile, fdatasync(descriptor) != 0 else { return nil }
    return Errno(rawValue: errno)
  }

  /// Closes what was opened here.
  mutating func close() {
    if ownDescriptor >= 0 { Glibc.close(ownDescriptor) }
    ownDescriptor = -1
  }
}
