internal import Glibc
internal import QueueClient

/// Where batches that a server gave go, one after the other.
protocol BatchDestination: AnyObject {
  /// The form in which it wants their lines.
  var form: PullRequest.Form { get }
  /// Makes a batch safe: on return its end may be committed.
  func take(_ batch: PulledBatch) throws
  /// Ends the destination. What was taken is committed by now, where there is something to commit.
  func finish() throws
}

/// Standard output: the reader has what the kernel took.
final class StandardOutputBatches: BatchDestination {
  let form = PullRequest.Form.lines
  func take(_ batch: PulledBatch) throws {
    try batch.body.withUnsafeBytes { try StandardOutput.write($0) }
  }
  func finish() {}
}

/// A shell command, run once for each batch that has records; a batch is safe when it has ended with 0.
///
/// A batch whose commit was lost comes again, with the same first offset: what the command needs to know is in its environment.
final class CommandBatches: BatchDestination {
  let form = PullRequest.Form.lines
  private let command: String
  private let queue: String
  private let consumer: String?

  init(_ command: String, queue: String, consumer: String?) {
    self.command = command
    self.queue = queue
    self.consumer = consumer
  }

  func take(_ batch: PulledBatch) throws {
    guard batch.records > 0 else { return }
    var environment = [
      (name: "SLUICE_FIRST_OFFSET", value: batch.first.description), (name: "SLUICE_NEXT_OFFSET", value: batch.next.description),
      (name: "SLUICE_RECORDS", value: String(batch.records)), (name: "SLUICE_QUEUE", value: queue),
    ]
    if let consumer { environment.append((name: "SLUICE_CONSUMER", value: consumer)) }
    let process = try ShellCommand(command, environment: environment)
    try batch.body.withUnsafeBytes { try process.write($0) }
    try process.finish(
      otherwise: consumer == nil
        ? "nothing more is drawn" : "records \(batch.first) to \(batch.next) were not committed, so the next pull begins with them")
  }

  func finish() {}
}

/// A file that is written in place, for a pull that follows and so never ends by itself.
final class FollowedFile: BatchDestination {
  let form: PullRequest.Form
  private let path: String
  private let fd: Int32

  init(_ path: String, replace: Bool) throws(CommandFailure) {
    self.path = path
    form = path.hasSuffix(".gz") ? .gzip : .lines
    var status = stat()
    if lstat(path, &status) == 0 {
      guard replace, status.st_mode & S_IFMT == S_IFREG else {
        throw CommandFailure(.usage, "\(path) is there already; give another name to --output, or --replace to lose what is in a file")
      }
      guard unlink(path) == 0 else { throw Self.failure("remove what is left at", path) }
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw Self.failure("create", path) }
  }

  deinit { if fd >= 0 { close(fd) } }

  func take(_ batch: PulledBatch) throws {
    let code = batch.body.withUnsafeBytes { Terminal.writeAll($0, to: fd) }
    guard code == 0 else { throw CommandFailure(.failure, "cannot write \(path): \(String(cString: strerror(code)))") }
  }

  func finish() throws {
    guard fdatasync(fd) == 0 else { throw Self.failure("sync", path) }
  }

  private static func failure(_ operation: String, _ path: String) -> CommandFailure {
    CommandFailure(.failure, "cannot \(operation) \(path): \(String(cString: strerror(errno)))")
  }
}
